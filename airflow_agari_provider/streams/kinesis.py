"""A Kinesis stream: its shards, and reads of one shard, as often as Kinesis allows."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from airflow_agari_provider.exceptions import AgariError, may_pass, retrying
from airflow_agari_provider.streams.errors import MissingStream

logger = logging.getLogger(__name__)

T = TypeVar("T")
READ_INTERVAL = 0.2  # seconds; Kinesis takes five reads of a shard in a second, of all its readers together
MOST_RECORDS = 10_000  # of one read; Kinesis returns 10 MiB at the most
PATIENCE = 300.0  # seconds for one request; other readers of the shard, or too much data, may hold it up
LONGEST_WAIT = 10.0  # seconds between two tries
TRIM_HORIZON, AT_TIMESTAMP = "TRIM_HORIZON", "AT_TIMESTAMP"


@dataclass(frozen=True)
class StreamFacts:
    """
    What Kinesis says of a stream.

    :param created_at: the stream may be deleted and created anew; then its sequence numbers mean nothing any more.
    :param retention: how long it keeps records.
    """

    arn: str
    created_at: datetime
    retention: timedelta

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[2]

    def shard_url(self, shard_id: str) -> str:
        """How a shard is called in errors, logs and the table of failures."""
        return f"kinesis://{self.name}/{shard_id}"


@dataclass(frozen=True)
class Shard:
    """
    A shard of a stream.

    :param parents: the shards that were split or merged into it, whose records come before its own.
    """

    shard_id: str
    parents: tuple[str, ...] = ()


@dataclass(frozen=True)
class StreamRecord:
    """
    A record as Kinesis has it.

    :param sequence_number: digits; they grow within a shard.
    :param arrived_at: when Kinesis took it.
    """

    sequence_number: str
    data: bytes
    arrived_at: datetime


@dataclass(frozen=True)
class ShardRead:
    """
    Records that follow each other in a shard.

    :param behind: seconds from the end of this read to the newest record of the shard.
    :param caught_up: there is nothing more at the moment.
    :param ended: the shard is closed, and this was its last read.
    :param read_at: by the clock of Kinesis.
    """

    records: Sequence[StreamRecord]
    behind: float
    caught_up: bool
    ended: bool
    read_at: datetime

    @property
    def covered_until(self) -> datetime:
        """All that arrived before is in this read or in those before it."""
        if self.caught_up or not self.records:
            return self.read_at - timedelta(seconds=self.behind)
        return self.records[-1].arrived_at


@dataclass(frozen=True)
class Position:
    """
    Where to go on in a shard.

    :param start_at: ``TRIM_HORIZON``, or ``AT_TIMESTAMP`` and the time in ISO format after a blank.
    :param sequence_number: of the last record that was read; None: begin at ``start_at``.
    """

    start_at: str
    sequence_number: str | None = None

    def arguments(self) -> dict[str, Any]:
        """Return it as GetShardIterator takes it."""
        if self.sequence_number is not None:
            return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": self.sequence_number}
        kind, _, moment = self.start_at.partition(" ")
        return {"ShardIteratorType": kind} | ({"Timestamp": datetime.fromisoformat(moment)} if moment else {})


class NoSuchPosition(AgariError):
    """
    A shard is gone, or has never had such a sequence number.

    :param cause: error text of Kinesis.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


def region_of(stream: str) -> str | None:
    """Return the AWS region that a stream's ARN names; None for a name."""
    return stream.split(":")[3] if stream.startswith("arn:") and stream.count(":") >= 5 else None


class KinesisStream:
    """
    A stream, as one client sees it.

    :param client: boto3 client of Kinesis.
    :param stream: name or ARN.
    :param clock: tells seconds; ``sleep`` takes them.
    :param patience: seconds for one request, while its error may pass.
    """

    def __init__(
        self,
        client: Any,
        stream: str,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        patience: float = PATIENCE,
    ) -> None:
        self.stream, self.clock, self.sleep = stream, clock, sleep
        self.client = client
        self.now = datetime.now(UTC)
        """The time by the clock of Kinesis, as of its last answer, rounded up to a second."""
        self.by_arn = {"StreamARN": stream} if stream.startswith("arn:") else {}
        self._named = self.by_arn or {"StreamName": stream}
        self._patiently = retrying(
            passes=_passes,
            wait=lambda failed, error: min(READ_INTERVAL * 2.0**failed, LONGEST_WAIT),
            tell=lambda failed, error, wait: logger.info("Kinesis: %s; next try in %.1f s", error, wait),
            seconds=patience,
            sleep=sleep,
        )

    def facts(self) -> StreamFacts:
        """:raises MissingStream: there is no such stream."""
        try:
            answer = self.ask(lambda: self.client.describe_stream_summary(**self._named))["StreamDescriptionSummary"]
        except self.client.exceptions.ResourceNotFoundException as error:
            raise MissingStream(self.stream) from error
        retention = timedelta(hours=answer["RetentionPeriodHours"])
        return StreamFacts(answer["StreamARN"], answer["StreamCreationTimestamp"], retention)

    def shards(self) -> dict[str, Shard]:
        """Return all shards, open and closed, of which the stream may still have records; by id."""
        return {one.shard_id: one for one in self._shards()}

    def _shards(self) -> Iterator[Shard]:
        asked: Mapping[str, Any] = self._named
        while asked:
            answer = self.ask(lambda asked=asked: self.client.list_shards(**asked))  # type: ignore[misc]
            for one in answer["Shards"]:
                parents = one.get("ParentShardId"), one.get("AdjacentParentShardId")
                yield Shard(one["ShardId"], tuple(filter(None, parents)))
            token = answer.get("NextToken")
            asked = {"NextToken": token} if token else {}

    def iterator(self, shard_id: str, position: Position) -> str:
        """:raises NoSuchPosition: the shard is gone, or the sequence number is of another stream."""
        refusals = self.client.exceptions.ResourceNotFoundException, self.client.exceptions.InvalidArgumentException
        where = {"ShardId": shard_id, **position.arguments()}
        try:
            answer = self.ask(lambda: self.client.get_shard_iterator(**self._named, **where))
        except refusals as error:
            raise NoSuchPosition(str(error)) from error
        return str(answer["ShardIterator"])

    def ask(self, request: Callable[[], T]) -> T:
        """Return the answer of a request, which is sent again while its error may pass."""
        answer: Any = self._patiently(request)
        self.now = _time_of(answer)
        result: T = answer
        return result


class ShardReader:
    """
    Reads a shard from a position on.

    :param ready_at: earliest time of the next read, by the stream's clock.
    """

    def __init__(self, stream: KinesisStream, shard_id: str, position: Position) -> None:
        self._stream, self._shard_id, self._position = stream, shard_id, position
        self._iterator: str | None = None
        self.ready_at = stream.clock()

    def read(self, most_records: int = MOST_RECORDS) -> ShardRead:
        """
        Read on. Waits until Kinesis allows that.

        :param most_records: 1 to 10,000.
        :raises NoSuchPosition: the shard is gone, or the sequence number is of another stream.
        """
        if (wait := self.ready_at - self._stream.clock()) > 0:
            self._stream.sleep(wait)
        answer = self._answer(most_records)
        self.ready_at = self._stream.clock() + READ_INTERVAL
        records = [
            StreamRecord(one["SequenceNumber"], one["Data"], one["ApproximateArrivalTimestamp"])
            for one in answer["Records"]
            if self._is_new(one["SequenceNumber"])
        ]
        if records:
            self._position = Position(self._position.start_at, records[-1].sequence_number)
        self._iterator = answer.get("NextShardIterator")
        behind = (answer.get("MillisBehindLatest") or 0) / 1000
        ended = self._iterator is None
        # A full read may be cut in the middle of a millisecond's records.
        caught_up = ended or (not behind and len(answer["Records"]) < most_records)
        return ShardRead(records, behind, caught_up, ended, _time_of(answer))

    def _answer(self, most_records: int) -> Any:
        client = self._stream.client
        for last in (False, True):
            self._iterator = self._iterator or self._stream.iterator(self._shard_id, self._position)
            asked = {"ShardIterator": self._iterator, "Limit": most_records, **self._stream.by_arn}
            try:
                return self._stream.ask(lambda asked=asked: client.get_records(**asked))  # type: ignore[misc]
            except client.exceptions.ExpiredIteratorException:  # after five minutes
                self._iterator = None
                if last:
                    raise
        return None

    def _is_new(self, sequence_number: str) -> bool:
        """Whether a record comes after the position; where records after it have expired, Kinesis begins elsewhere."""
        return self._position.sequence_number is None or int(sequence_number) > int(self._position.sequence_number)


def _passes(error: BaseException) -> bool:
    from botocore.exceptions import BotoCoreError, ClientError

    return isinstance(error, BotoCoreError | ClientError) and may_pass(error)


def _time_of(answer: Any) -> datetime:
    """Return when Kinesis gave an answer, by its own clock."""
    text = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    return parsedate_to_datetime(text) + timedelta(seconds=1) if text else datetime.now(UTC)
