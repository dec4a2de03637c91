"""
The checkpoints: a table that records how far each shard is in which table, moved in the transaction of the rows.

A checkpoint moves only from the version that was read: of two importers that load the same records, one changes no row
here, and rolls back. So no checkpoint is ahead of its rows, nor behind them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Any

from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.avro_import.ledger import ClaimedMeanwhile
from airflow_agari_provider.avro_import.ledger_tables import now
from airflow_agari_provider.databases.base import PLAIN_INSERT, Dialect, Target
from airflow_agari_provider.databases.statements import (
    create_table,
    execute,
    insert_sql,
    query,
    quoted,
    quoted_list,
    quoted_table,
    reading,
    transaction,
    with_placeholders,
)
from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.streams.kinesis import TRIM_HORIZON, Position

CHECKPOINTS = "agari_stream_checkpoints"

# ``id`` is a hash of table, stream and shard, ``consumer`` one of table and stream. Times that are compared are text in
# one format. ``covered_until``: what arrived before it is in the table.
CHECKPOINTS_TABLE = Target(
    CHECKPOINTS,
    (
        Column("id", None, "text"),
        Column("consumer", None, "text"),
        Column("table_name", None, "text"),
        Column("stream", None, "text"),
        Column("shard", None, "text"),
        Column("start_at", None, "text"),
        Column("sequence_number", None, "text"),
        Column("ended", None, "long"),
        Column("version", None, "long"),
        Column("covered_until", None, "text"),
        Column("stream_created_at", None, "text"),
        Column("loaded_rows", None, "long"),
        Column("quarantined_rows", None, "long"),
        Column("run", None, "text"),
        Column("moved_at", None, "instant"),
    ),
    ("id",),
)
_READ = ("id", "shard", "start_at", "sequence_number", "ended", "version", "covered_until", "stream_created_at")


class MovedMeanwhile(AgariError):
    """
    Another importer has moved the checkpoint; go on from the newer one.

    :param shard: its id.
    """

    def __init__(self, shard: str) -> None:
        super().__init__(shard)
        self.shard = shard

    def __str__(self) -> str:
        return f"Another importer has moved the checkpoint of shard {self.shard}; go on from the newer one."


class UncountedRows(AgariError):
    """A driver does not say how many rows a statement changed."""

    def __str__(self) -> str:
        return (
            "The database's driver does not say how many rows an UPDATE changed, so that two importers could not be "
            "kept apart. Use another driver for this database."
        )


@dataclass(frozen=True)
class Checkpoint:
    """
    How far a shard is.

    :param position: after which record to go on.
    :param ended: the shard is closed, and all of it is in the table.
    :param covered_until: what arrived before is in the table; None: unknown, because nothing was read yet.
    :param stream_created_at: of the stream that it is about, in ISO format.
    """

    row_id: str
    shard: str
    position: Position
    ended: bool
    version: int
    covered_until: datetime | None
    stream_created_at: str


@dataclass(frozen=True)
class Checkpoints:
    """
    The checkpoints of one stream in one table.

    :param connection: DB-API connection.
    :param table: that is loaded, as ``table`` or ``schema.table``.
    :param stream: ARN.
    :param run: name of the run that loads, as text.
    """

    dialect: Dialect
    connection: Any
    table: str
    stream: str
    run: str

    def create(self) -> None:
        """Create the table if it does not exist, in a transaction of its own."""
        if not self.there():
            create_table(self.dialect, self.connection, CHECKPOINTS_TABLE)

    def there(self) -> bool:
        with reading(self.connection):
            return self.dialect.table_exists(self.connection, CHECKPOINTS)

    @cached_property
    def _consumers(self) -> list[str]:
        """Hashes of table and stream; first by the table's own name, then by names that old rows may have."""
        names = self.dialect.table_names(self.connection, self.table, CHECKPOINTS)
        return [sha256(f"{name}\0{self.stream}".encode()).hexdigest() for name in names]

    def read(self) -> dict[str, Checkpoint]:
        """Return the checkpoints by shard."""
        with reading(self.connection):
            consumers, table = self._consumers, quoted_table(self.dialect, CHECKPOINTS)
            columns, places = quoted_list(self.dialect, _READ), ", ".join("?" * len(consumers))
            sql = f"SELECT {columns} FROM {table} WHERE consumer IN ({places})"  # noqa: S608 - quoted
            rows = query(self.connection, with_placeholders(sql, self.dialect.placeholder), consumers)
        return {one.shard: one for one in map(_checkpoint, rows)}

    def add(self, starts: Mapping[str, tuple[str, datetime | None]], stream_created_at: str) -> None:
        """
        Add checkpoints of new shards, all or none of them, unless another importer has just added them.

        :raises ClaimedMeanwhile: another importer has, in a database that does not tell it in time.
        :param starts: by shard: where to begin, as ``start_at`` of :class:`Position`; and ``covered_until``.
        """
        rows = [
            {
                "id": sha256(f"{self._consumers[0]}\0{shard}".encode()).hexdigest(),
                "consumer": self._consumers[0],
                "table_name": self.table,
                "stream": self.stream,
                "shard": shard,
                "start_at": start_at,
                "ended": 0,
                "version": 0,
                "covered_until": covered_until and covered_until.isoformat(),
                "stream_created_at": stream_created_at,
                "loaded_rows": 0,
                "quarantined_rows": 0,
                "run": self.run,
                "moved_at": now(self.dialect),
            }
            for shard, (start_at, covered_until) in sorted(starts.items())  # in one order, against deadlocks
        ]
        with transaction(self.dialect, self.connection):
            for row in rows:
                self._insert(row)

    def _insert(self, row: Mapping[str, Any]) -> None:
        verb, suffix = self.dialect.insert_if_absent
        if self.dialect.insert_if_absent == PLAIN_INSERT:
            table = quoted_table(self.dialect, CHECKPOINTS)
            sql = with_placeholders(f"SELECT id FROM {table} WHERE id = ?", self.dialect.placeholder)  # noqa: S608
            if query(self.connection, sql, [row["id"]]):
                return
        sql = f"{insert_sql(self.dialect, CHECKPOINTS, list(row), verb)} {suffix}"
        try:
            execute(self.connection, sql, list(row.values()))
        except self.dialect.driver.IntegrityError as error:
            raise ClaimedMeanwhile(str(error)) from error

    def move(
        self, checkpoint: Checkpoint, position: Position, ended: bool, covered_until: datetime | None
    ) -> Checkpoint:
        """
        In the transaction of the rows, before them: move a checkpoint, and return the new one.

        Another importer that moves it too waits here for the end of this transaction.

        :raises MovedMeanwhile: it is not as it was read.
        """
        changes = {
            "start_at": position.start_at,
            "sequence_number": position.sequence_number,
            "ended": int(ended),
            "version": checkpoint.version + 1,
            "covered_until": covered_until and covered_until.isoformat(),
            "run": self.run,
            "moved_at": now(self.dialect),
        }
        self._update([f"{quoted(self.dialect, name)} = ?" for name in changes], [*changes.values()], checkpoint)
        moved = replace(checkpoint, position=position, ended=ended, covered_until=covered_until)
        return replace(moved, version=checkpoint.version + 1)

    def reset(self, checkpoint: Checkpoint, stream_created_at: str) -> Checkpoint:
        """
        In a transaction: let a checkpoint be of a stream that was created anew under its name, from its beginning.

        :raises MovedMeanwhile: it is not as it was read.
        """
        created = quoted(self.dialect, "stream_created_at")
        self._update([f"{created} = ?"], [stream_created_at], checkpoint)
        fresh = replace(checkpoint, stream_created_at=stream_created_at)
        return self.move(fresh, Position(TRIM_HORIZON), False, None)

    def settle(self, checkpoint: Checkpoint, rows: int, quarantined_rows: int) -> None:
        """In the same transaction, after the rows: count them."""
        added = {"loaded_rows": rows, "quarantined_rows": quarantined_rows}
        if any(added.values()):  # MySQL does not count a row as updated if nothing in it changes
            names = [quoted(self.dialect, name) for name in added]
            self._update([f"{name} = {name} + ?" for name in names], [*added.values()], checkpoint)

    def _update(self, changes: Sequence[str], values: Sequence[Any], checkpoint: Checkpoint) -> None:
        table = quoted_table(self.dialect, CHECKPOINTS)
        sql = f"UPDATE {table} SET {', '.join(changes)} WHERE id = ? AND version = ?"  # noqa: S608 - own names
        where = [checkpoint.row_id, checkpoint.version]
        changed = execute(self.connection, with_placeholders(sql, self.dialect.placeholder), [*values, *where])
        if changed < 0:
            raise UncountedRows
        if not changed:
            raise MovedMeanwhile(checkpoint.shard)


def _checkpoint(row: Sequence[Any]) -> Checkpoint:
    row_id, shard, start_at, sequence_number, ended, version, covered_until, created = row
    position = Position(str(start_at), None if sequence_number is None else str(sequence_number))
    until = datetime.fromisoformat(covered_until) if covered_until else None
    return Checkpoint(str(row_id), str(shard), position, bool(ended), int(version), until, str(created))
