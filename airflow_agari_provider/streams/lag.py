"""How far a table is behind a stream: which records of each shard are not loaded yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow_agari_provider.databases.dialects import any_dialect_of
from airflow_agari_provider.exceptions import AgariError, may_pass
from airflow_agari_provider.streams.checkpoints import Checkpoint, Checkpoints
from airflow_agari_provider.streams.kinesis import (
    TRIM_HORIZON,
    KinesisStream,
    NoSuchPosition,
    Position,
    ShardReader,
    StreamFacts,
)

SHOWN = 10  # shards that a text names
EMPTY_READS = 10  # of one shard in a row; Kinesis may answer without records though there are some further on


@dataclass(frozen=True)
class StreamLag:
    """
    What of a stream is not in a table.

    :param now: by the clock of Kinesis.
    :param shards: how many there are.
    :param unread: when the oldest record arrived that is not loaded, by shard; without those that have none.
    :param begun: whether the table has any checkpoint of the stream.
    """

    stream: str
    table: str
    now: datetime
    shards: int
    unread: Mapping[str, datetime]
    begun: bool

    @property
    def behind(self) -> float:
        """Seconds since the oldest record arrived that is not loaded; 0 if all are."""
        return max(0.0, (self.now - min(self.unread.values(), default=self.now)).total_seconds())

    def lagging(self, up_to: datetime) -> list[str]:
        """Return the shards of which records are not loaded that arrived before a time."""
        return sorted(shard for shard, arrived_at in self.unread.items() if arrived_at < up_to)

    def loaded(self, up_to: datetime) -> bool:
        """Whether all is loaded that arrived before a time."""
        return self.begun and not self.lagging(up_to)

    def figures(self, up_to: datetime) -> dict[str, Any]:
        """Return the numbers as JSON takes them."""
        lagging, behind = self.lagging(up_to), round(self.behind, 3)
        return {"shards": self.shards, "lagging_shards": lagging, "behind_seconds": behind, "up_to": up_to.isoformat()}

    def text(self, up_to: datetime) -> str:
        """Say it for a log or an error."""
        if not self.begun:
            return f"table {self.table} has no checkpoint of stream {self.stream}: no import has begun"
        lagging = self.lagging(up_to)
        named = ", ".join(lagging[:SHOWN]) + (f" and {len(lagging) - SHOWN} more" if len(lagging) > SHOWN else "")
        where = f": {named}" if lagging else ""
        return (
            f"table {self.table} is {self.behind:.0f} s behind stream {self.stream}; {len(lagging)} of {self.shards} "
            f"shard(s) have records from before {up_to:%Y-%m-%d %H:%M:%S} UTC that are not loaded{where}"
        )


class LagUnknown(AgariError):
    """
    The database or Kinesis did not answer, but may do so later.

    :param cause: its error text.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause

    def __str__(self) -> str:
        return f"it is not known how far the table is behind the stream: {self.cause.strip()}"


def stream_lag(connection: Any, kinesis: KinesisStream, table: str, placeholder: str | None = None) -> StreamLag:
    """
    Look how far a table is behind a stream. One record of each shard is read.

    :param connection: DB-API connection to the database that the import loads into. Only this function may use it.
    :param table: as the import calls it.
    :param placeholder: of a value in SQL, for a driver without a dialect of its own; None takes what the driver says.
    :raises MissingStream: there is no such stream.
    :raises UnknownDatabase: the connection is not one of a DB-API driver.
    :raises LagUnknown: a later look may succeed.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    dialect = any_dialect_of(connection, placeholder)
    try:
        facts = kinesis.facts()
        dialect.prepare(connection)
        checkpoints = Checkpoints(dialect, connection, table, facts.arn, run="")
        known = checkpoints.read() if checkpoints.there() else {}
        return _stream_lag(kinesis, facts, table, known)
    except dialect.driver.Error as error:
        if dialect.fault(error) in ("passing", "conflict"):
            raise LagUnknown(str(error)) from error
        raise
    except (BotoCoreError, ClientError) as error:
        if may_pass(error):
            raise LagUnknown(str(error)) from error
        raise


def _stream_lag(kinesis: KinesisStream, facts: StreamFacts, table: str, known: Mapping[str, Checkpoint]) -> StreamLag:
    listed = kinesis.shards()
    unread = {}
    for shard in {**listed, **known} if known else ():
        checkpoint = known.get(shard)
        if arrived_at := _oldest_unread(kinesis, facts, shard, checkpoint, shard in listed):
            unread[shard] = arrived_at
    return StreamLag(facts.name, table, kinesis.now, len(listed), unread, bool(known))


def _oldest_unread(
    kinesis: KinesisStream, facts: StreamFacts, shard: str, checkpoint: Checkpoint | None, listed: bool
) -> datetime | None:
    position, covered = Position(TRIM_HORIZON), None
    if checkpoint and checkpoint.stream_created_at == facts.created_at.isoformat():
        if checkpoint.ended:
            return None
        position, covered = checkpoint.position, checkpoint.covered_until
    lost = covered or datetime.min.replace(tzinfo=UTC)  # what was not loaded is gone: the import tells more
    if not listed:
        return None if checkpoint and checkpoint.ended else lost
    reader = ShardReader(kinesis, shard, position)
    try:
        for _ in range(EMPTY_READS):
            read = reader.read(1)
            if read.records:
                return read.records[0].arrived_at
            if read.caught_up:
                return None
    except NoSuchPosition:
        return lost
    return read.covered_until
