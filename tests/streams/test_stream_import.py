from __future__ import annotations

import logging
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.databases.errors import MissingTable
from airflow_agari_provider.streams.errors import MissingStream, ShardsFailed, ShardsFailedForNow
from airflow_agari_provider.streams.glue_registry import GlueSchemas
from airflow_agari_provider.streams.record_load import RecordLoad
from airflow_agari_provider.streams.schema_folder import FolderSchemas, fingerprint
from airflow_agari_provider.streams.stream_job import StreamJob
from tests.avro.scored_messages import SCORED, avro_file, message
from tests.streams.conftest import SQLITE
from tests.streams.producing import Registry, records_of, run_import, scored
from tests.streams.wire import confluent, datum, glue, single_object

REGISTRY = Registry()
UPSERT: dict[str, Any] = {"mode": "upsert", "key_columns": ("message_id",)}
HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)


def test_a_run_loads_what_the_runs_before_it_did_not(connect, kinesis, producer, asked):
    producer.put(map(scored, range(5)))
    first = run_import(connect, kinesis, registry=REGISTRY, count_by="org_id")
    assert (first.loaded.records, first.loaded.rows, first.loaded.counts) == (5, 5, {"1": 5})
    assert (first.caught_up, first.shards, first.gaps) == (True, 2, [])

    producer.put(map(scored, range(5, 8)))
    assert run_import(connect, kinesis, registry=REGISTRY).loaded.rows == 3
    assert run_import(connect, kinesis, registry=REGISTRY).loaded.rows == 0
    assert asked() == [f"m{number}" for number in range(8)]
    assert sum(asked("SELECT loaded_rows FROM agari_stream_checkpoints")) == 8


def test_of_two_imports_of_the_same_records_one_loads_them(connect, kinesis, producer, asked, monkeypatch):
    producer.put(map(scored, range(5)), place=0)
    read, others = RecordLoad.prepared, []

    def read_after_another(*arguments: Any) -> Any:
        if not others:
            others.append(None)
            others[0] = run_import(connect, kinesis, registry=REGISTRY)
            producer.put(map(scored, range(5, 7)), place=0)
        return read(*arguments)

    monkeypatch.setattr(RecordLoad, "prepared", read_after_another)
    run = run_import(connect, kinesis, registry=REGISTRY)
    assert (others[0].loaded.rows, run.loaded.rows) == (5, 2)
    assert asked() == [f"m{number}" for number in range(7)]


@SQLITE
def test_a_run_that_dies_before_the_commit_has_moved_no_checkpoint(connect, kinesis, producer, asked, monkeypatch):
    producer.put(map(scored, range(5)))
    put = RecordLoad.put

    def die(*arguments: Any) -> Any:
        put(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RecordLoad, "put", die)
        with pytest.raises(KeyboardInterrupt):
            run_import(connect, kinesis, registry=REGISTRY)
    assert asked("SELECT loaded_rows, sequence_number FROM agari_stream_checkpoints") == [(0, None)] * 2
    assert run_import(connect, kinesis, registry=REGISTRY).loaded.rows == 5


@SQLITE
def test_parents_come_before_their_children(connect, kinesis, producer, asked):
    producer.put([scored(1, hour="old"), scored(2, hour="old")], place=0.1)
    producer.split("shardId-000000000000")
    producer.put([scored(1, hour="newer")], place=0.1)
    producer.put([scored(3)], place=0.9)
    producer.merge("shardId-000000000002", "shardId-000000000003")
    producer.put([scored(1, hour="newest")], place=0.1)

    run = run_import(connect, kinesis, registry=REGISTRY, **UPSERT)
    assert (run.loaded.records, run.shards, run.caught_up) == (5, 5, True)
    assert asked("SELECT message_id, hour FROM scored ORDER BY 1, 2")[:2] == [("m1", "newest"), ("m2", "old")]
    ended = asked("SELECT shard FROM agari_stream_checkpoints WHERE ended = 1 ORDER BY 1")
    assert ended == ["shardId-000000000000", "shardId-000000000002", "shardId-000000000003"]
    producer.put([scored(4)], place=0.1)
    assert run_import(connect, kinesis, registry=REGISTRY, **UPSERT).loaded.rows == 1


@SQLITE
def test_importers_with_shares_load_everything_once(connect, kinesis, producer, asked):
    producer.put(map(scored, range(8)))
    producer.split("shardId-000000000000")
    producer.put(map(scored, range(8, 16)))
    for _ in range(2):  # a child may be in another share than its parent
        for share in range(3):
            run_import(connect, kinesis, registry=REGISTRY, share=share, shares=3)
    assert asked() == [f"m{number}" for number in range(16)]


@SQLITE
@pytest.mark.parametrize(
    ("start", "rows"),
    [("TRIM_HORIZON", 4), ("LATEST", 1), (HOUR_AGO, 3)],
    ids=["oldest", "latest", "time"],
)
def test_the_first_run_begins_where_it_is_told_and_the_second_goes_on(connect, kinesis, producer, asked, start, rows):
    producer.put(map(scored, range(3)), place=0)
    for number, record in enumerate(records_of("shardId-000000000000")):
        record.created_at -= 7200 if number == 0 else 60  # the last two hours ago, or a minute
    run_import(connect, kinesis, registry=REGISTRY, start=start)
    producer.put([scored(3)], place=0)  # which a second run with LATEST must not pass over
    run_import(connect, kinesis, registry=REGISTRY, start=start)
    assert asked() == [f"m{number}" for number in range(4 - rows, 4)]


@SQLITE
@pytest.mark.parametrize(
    ("limit", "rows", "reads"),
    [({"max_records": 3}, 3, 1), ({"max_bytes": 1}, 5, 1), ({"max_seconds": 1e-9}, 0, 0)],
    ids=["records", "bytes", "seconds"],
)
def test_a_run_stops_at_its_limits_and_the_next_goes_on(connect, kinesis, producer, asked, limit, rows, reads):
    producer.put(map(scored, range(5)), place=0)
    producer.put(map(scored, range(5, 10)), place=0.9)
    run = run_import(connect, kinesis, registry=REGISTRY, **limit)
    assert (run.loaded.rows, run.caught_up) == (rows, False)
    assert run_import(connect, kinesis, registry=REGISTRY).loaded.rows == 10 - rows


@SQLITE
def test_a_run_goes_on_for_the_seconds_that_it_is_given(connect, kinesis, producer):
    waits: list[float] = []

    def put_and_sleep(wait: float) -> None:
        producer.put([scored(len(waits))] if len(waits) < 3 else [])
        waits.append(wait + 1)

    timing = {"clock": lambda: sum(waits), "sleep": put_and_sleep}
    run = run_import(connect, kinesis, registry=REGISTRY, until=60.0, timing=timing)
    assert (run.loaded.rows, run.caught_up, 60 <= sum(waits) < 65) == (3, True, True)


GOOD = scored(0)
DAMAGED = {
    "no header": (b"\1" + GOOD[1:], "it is not Confluent's wire format"),
    "unknown schema": (b"\0\0\0\0\7" + GOOD[5:], "was written with schema 7, which the registry of the tests does not"),
    "short": (GOOD[:-1], "by its schema, field 'trust_score' of it does not decode"),
    "long": (GOOD + b"\0", "by its schema, it says it holds 1 records, but its bytes do not match"),
    "a byte more in the middle": (GOOD[:6] + b"\0" + GOOD[6:], "by its schema"),
    "empty": (b"", "it has no bytes"),
}


@SQLITE
@pytest.mark.parametrize(("damaged", "reason"), DAMAGED.values(), ids=DAMAGED)
def test_a_bad_record_stops_its_shard_and_no_other(connect, kinesis, producer, asked, damaged, reason):
    producer.put([scored(1), damaged or scored(9), scored(2)], place=0)
    if not damaged:  # boto3 would not send it
        records_of("shardId-000000000000")[1].data = ""
    producer.put([scored(3)], place=0.9)
    with pytest.raises(ShardsFailed) as error:
        run_import(connect, kinesis, registry=REGISTRY)
    assert str(error.value).startswith("1 shard(s) of nrt failed; 1 rows were loaded and stay.")
    assert "kinesis://nrt/shardId-000000000000: record 2 cannot be decoded: " in str(error.value)
    assert reason in str(error.value)
    assert asked() == ["m3"]
    assert asked("SELECT bucket, object_key FROM agari_import_failures") == [("kinesis://nrt", "shardId-000000000000")]


@pytest.mark.parametrize("decoder", ["auto", "fastavro"])
@pytest.mark.parametrize("connect", ["psycopg"], indirect=True)
def test_no_byte_of_a_record_is_taken_for_one_of_the_next(
    connect, kinesis, producer, asked, s3, bucket, caplog, decoder
):
    """Together the two have the bytes of two records; alone neither is one."""
    first, second = scored(1), scored(2)
    producer.put([first[:-3], second[:5] + first[-3:] + second[5:], scored(3)], place=0)
    caplog.set_level(logging.INFO)
    with pytest.raises(ShardsFailed, match="record 1 cannot be decoded"):
        run_import(connect, kinesis, registry=REGISTRY, decoder=decoder)
    assert ("Decoding with Arrow" in caplog.text) is (decoder == "auto")


QUARANTINE: dict[str, Any] = {"on_bad_block": "quarantine", "quarantine_url": "s3://agari/bad"}


def test_bad_records_are_quarantined_byte_for_byte_and_the_others_loaded(connect, kinesis, producer, asked, s3, bucket):
    damaged = [one for one, _ in DAMAGED.values() if one]
    producer.put([scored(1), *damaged, scored(2)], place=0)
    run = run_import(connect, kinesis, s3, REGISTRY, count_by="org_id", **QUARANTINE)
    loaded = run.loaded
    assert (loaded.records, loaded.rows, loaded.quarantined_records, loaded.counts) == (7, 2, 5, {"1": 2})
    assert asked() == ["m1", "m2"]
    folder = "bad/scored/nrt/shardId-000000000000/"
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket="agari")["Contents"]]
    assert keys == sorted(f"{folder}{number}.{kind}" for number in range(2, 7) for kind in ("bin", "json"))
    stored = [s3.get_object(Bucket="agari", Key=key)["Body"].read() for key in keys]
    assert stored[::2] == damaged
    assert b'"reason": "it is not Confluent' in stored[1]
    assert run_import(connect, kinesis, s3, REGISTRY, **QUARANTINE).loaded.records == 0


@SQLITE
def test_more_bad_records_than_allowed_stop_the_shard(connect, kinesis, producer, asked, s3, bucket):
    producer.put([scored(1), b"\1", b"\2"], place=0)
    with pytest.raises(ShardsFailed, match=r"more than max_bad_records=1 records of this run are bad"):
        run_import(connect, kinesis, s3, REGISTRY, max_bad_blocks=1, **QUARANTINE)
    assert asked() == []


def test_rows_that_the_database_refuses_are_quarantined(connect, kinesis, producer, asked, s3, bucket):
    with closing(connect()) as connection:
        connection.cursor().execute(
            "CREATE TABLE scored (message_id varchar(99) NOT NULL, org_id int, hour varchar(99), "
            "received_at timestamp(6) NULL, trust_score float)"
        )
        connection.commit()
    columns = ("message_id", "org_id", "hour")
    producer.put([scored(1), scored(2, message_id=None), scored(3)], place=0)
    with pytest.raises(ShardsFailed, match="the database refused rows"):
        run_import(connect, kinesis, s3, REGISTRY, columns=columns)
    run = run_import(connect, kinesis, s3, REGISTRY, columns=columns, **QUARANTINE)
    assert (run.loaded.rows, run.loaded.quarantined_rows) == (2, 1)
    assert asked("SELECT message_id FROM scored ORDER BY 1") == ["m1", "m3"]
    assert s3.get_object(Bucket="agari", Key="bad/scored/nrt/shardId-000000000000/2.bin")["Body"].read() == scored(
        2, message_id=None
    )


NEWER = SCORED | {"fields": [*SCORED["fields"], {"name": "subject", "type": "string"}]}


@pytest.mark.parametrize("connect", ["sqlite", "psycopg"], indirect=True)
def test_records_of_several_schemas_are_read_as_the_reader_schema(connect, kinesis, producer, asked):
    newer = confluent(2, datum(NEWER, message(2) | {"subject": "hi", "hour": "newer"}))
    reader = NEWER | {"fields": [*NEWER["fields"][:-1], {"name": "subject", "type": "string", "default": "none"}]}
    producer.put([scored(1), newer, scored(2, hour="newest"), newer, scored(2, hour="last")], place=0)
    run = run_import(connect, kinesis, registry=Registry(_2=NEWER), reader_schema=reader, **UPSERT)
    assert run.loaded.records == 5
    rows = asked("SELECT message_id, hour, subject FROM scored ORDER BY 1")
    assert rows == [("m1", "2016-04-28T05", "none"), ("m2", "last", "none")]


@SQLITE
def test_a_new_field_becomes_a_column(connect, kinesis, producer, asked):
    producer.put([scored(1)], place=0)
    run_import(connect, kinesis, registry=REGISTRY)
    producer.put([confluent(2, datum(NEWER, message(2) | {"subject": "hi"})), scored(3)], place=0)
    run_import(connect, kinesis, registry=Registry(_2=NEWER), schema_change="add_columns")
    assert asked("SELECT message_id, subject FROM scored ORDER BY 1") == [("m1", None), ("m2", "hi"), ("m3", None)]


@pytest.mark.parametrize("connect", ["sqlite", "psycopg"], indirect=True)
def test_records_that_are_avro_files_need_no_registry(connect, kinesis, producer, asked, s3, bucket):
    files = [avro_file([message(1), message(2)]), avro_file([message(3)], block=1), avro_file([])]
    producer.put([*files, files[0][:-1]], place=0)
    run = run_import(connect, kinesis, s3, **QUARANTINE)
    assert (run.loaded.records, run.loaded.rows, run.loaded.quarantined_rows) == (4, 3, 1)
    assert asked() == ["m1", "m2", "m3"]


@SQLITE
def test_values_that_are_no_records_are_loaded_too(connect, kinesis, producer, asked):
    producer.put([confluent(2, datum("string", text)) for text in ("a", "b")], place=0)
    run_import(connect, kinesis, registry=Registry(_2="string"), columns={"value": "message_id"})
    assert asked("SELECT message_id FROM scored ORDER BY 1") == ["a", "b"]


@SQLITE
@pytest.mark.parametrize("compressed", [False, True])
def test_records_of_glues_serializers_are_loaded(connect, kinesis, producer, asked, aws, compressed):
    client = boto3.client("glue", endpoint_url=aws, region_name="us-east-1")
    client.create_registry(RegistryName="default-registry")
    registry = GlueSchemas(client, "default-registry")
    version = registry.register("scored", SCORED)
    producer.put([glue(version, datum(SCORED, message(number)), compressed) for number in range(3)])
    assert run_import(connect, kinesis, registry=registry).loaded.rows == 3
    assert asked() == ["m0", "m1", "m2"]


@SQLITE
def test_records_in_single_object_encoding_are_loaded(connect, kinesis, producer, asked, s3, bucket):
    registry = FolderSchemas(s3, "s3://agari/schemas")
    assert registry.register("scored_message", SCORED) == fingerprint(SCORED)
    producer.put([single_object(SCORED, datum(SCORED, message(1)))])
    assert run_import(connect, kinesis, registry=registry).loaded.rows == 1


@SQLITE
def test_a_registry_that_does_not_answer_fails_only_for_now(connect, kinesis, producer, asked):
    from airflow_agari_provider.streams.errors import RegistryFailed

    class Silent(Registry):
        def schema(self, schema_id: str) -> Any:
            raise RegistryFailed(self.name, "it does not answer")

    producer.put([scored(1)], place=0)
    with pytest.raises(ShardsFailedForNow, match="it does not answer"):
        run_import(connect, kinesis, registry=Silent(), **QUARANTINE)


@SQLITE
def test_a_missing_table_and_a_missing_stream_concern_all(connect, kinesis, producer):
    producer.put([scored(1)], place=0)
    with pytest.raises(MissingTable):
        run_import(connect, kinesis, registry=REGISTRY, create_table=False)
    with pytest.raises(MissingStream, match="There is no stream other"):
        run_import(connect, kinesis, registry=REGISTRY, stream="other")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"start": "NOW"}, "start is one of TRIM_HORIZON, LATEST"),
        ({"start": datetime(2026, 1, 1)}, "has no zone"),
        ({"until": 0}, "neither 'latest' nor a number"),
        ({"until": "now"}, "neither 'latest' nor a number"),
        ({"on_expired": "skip"}, "on_expired is one of fail, continue"),
        ({"share": 2, "shares": 2}, "counted from 0"),
        ({"max_records": 0}, "would read nothing"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings, problem):
    with pytest.raises(ValueError, match=problem):
        StreamJob(ImportJob("scored", "r"), **settings)


def test_only_append_and_upsert_fit_a_stream():
    with pytest.raises(ValueError, match="mode is one of append, upsert"):
        StreamJob(ImportJob("scored", "r", mode="replace", replace_where="1 = 1"))
