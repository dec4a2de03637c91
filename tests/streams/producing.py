"""Producers of scored messages: records in Confluent's wire format, and imports of them into the table ``scored``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.streams.kinesis import KinesisStream
from airflow_agari_provider.streams.payloads import WireFormat
from airflow_agari_provider.streams.stream_import import StreamImport
from airflow_agari_provider.streams.stream_job import StreamJob
from tests.avro.scored_messages import SCORED, message
from tests.streams.wire import confluent, datum

LAST_KEY = 2**128 - 1


class Registry:
    """Schemas by id."""

    name = "the registry of the tests"
    wire_format: WireFormat = "confluent"

    def __init__(self, **schemas: Any) -> None:
        self.schemas = {"1": SCORED} | {name.lstrip("_"): schema for name, schema in schemas.items()}

    def schema(self, schema_id: str) -> Any:
        return self.schemas.get(schema_id)

    def register(self, subject: str, schema: Any) -> str:
        raise NotImplementedError


def scored(number: int, **changes: Any) -> bytes:
    """A record of one message."""
    return confluent(1, datum(SCORED, message(number) | changes))


class Producer:
    """
    :param kinesis: boto3 client.
    """

    def __init__(self, kinesis: Any, stream: str) -> None:
        self.kinesis, self.stream = kinesis, stream

    def put(self, records: Iterable[bytes], place: float | None = None) -> None:
        """Put records, at a place among the shards from 0 to 1; None: spread over them."""
        records = list(records)
        for start in range(0, len(records), 500):
            part = records[start : start + 500]
            places = [(number % 64) / 64 if place is None else place for number in range(len(part))]
            entries = [
                {"Data": data, "PartitionKey": "k", "ExplicitHashKey": str(int(LAST_KEY * where))}
                for data, where in zip(part, places, strict=True)
            ]
            self.kinesis.put_records(StreamName=self.stream, Records=entries)

    def split(self, shard: str) -> None:
        (found,) = (one for one in self.shards() if one["ShardId"] == shard)
        first, last = (int(found["HashKeyRange"][name]) for name in ("StartingHashKey", "EndingHashKey"))
        self.kinesis.split_shard(
            StreamName=self.stream, ShardToSplit=shard, NewStartingHashKey=str((first + last) // 2 + 1)
        )

    def merge(self, shard: str, other: str) -> None:
        self.kinesis.merge_shards(StreamName=self.stream, ShardToMerge=shard, AdjacentShardToMerge=other)

    def shards(self) -> list[Any]:
        return list(self.kinesis.list_shards(StreamName=self.stream)["Shards"])

    def open_shards(self) -> list[Any]:
        found = [one for one in self.shards() if "EndingSequenceNumber" not in one["SequenceNumberRange"]]
        return sorted(found, key=lambda one: int(one["HashKeyRange"]["StartingHashKey"]))


@contextmanager
def an_import(
    connect: Callable[[], Any],
    kinesis: Any,
    s3: Any = None,
    registry: Any = None,
    stream: str = "nrt",
    timing: dict[str, Any] | None = None,
    **settings: Any,
) -> Iterator[StreamImport]:
    """
    One run.

    :param timing: clock and sleep.
    :param settings: of the stream and of the job; the table is created.
    """
    names = StreamJob.__dataclass_fields__
    job = {name: value for name, value in settings.items() if name not in names}
    whole = ImportJob(**{"table": "scored", "run": "r", "create_table": True} | job)
    of_stream = {name: value for name, value in settings.items() if name in names}
    with closing(
        StreamImport(
            connect(), KinesisStream(kinesis, stream, **timing or {}), s3, StreamJob(whole, **of_stream), registry
        )
    ) as run:
        yield run


def run_import(*arguments: Any, **settings: Any) -> StreamImport:
    with an_import(*arguments, **settings) as run:
        run.run()
    return run


def records_of(shard: str) -> list[Any]:
    """What the embedded Kinesis keeps of a shard."""
    return list(stored_records(shard).values())


def stored_records(shard: str) -> dict[int, Any]:
    from moto.kinesis.models import kinesis_backends

    (stream,) = kinesis_backends["123456789012"]["us-east-1"].streams.values()
    records: dict[int, Any] = stream.shards[shard].records
    return records
