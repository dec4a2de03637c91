"""
Loads the rows of a damaged object that a database accepts, and quarantines the rest: whole blocks, or single rows.

The database itself decides which rows it refuses. A batch that it refuses is rolled back to a savepoint and halved,
again and again; a small part is then inserted row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from airflow_agari_provider.avro.blocks import Block
from airflow_agari_provider.avro.damaged_file import BadBlock, BadRow, SalvagedFile
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.avro.schemas import AvroSchema
from airflow_agari_provider.avro_import.origin import fields_of, with_origin
from airflow_agari_provider.databases.base import Dialect, Target
from airflow_agari_provider.databases.errors import UnstorableValue
from airflow_agari_provider.databases.statements import savepoint

SINGLE_ROWS = 64  # rows; a statement for each costs less than to halve them again


class BadParts(Protocol):
    """
    Takes what cannot be loaded; see :class:`airflow_agari_provider.avro_import.quarantine.Quarantine`.

    :param source: name of what is loaded, such as an object's URL.
    """

    @property
    def source(self) -> str: ...

    def add_block(self, bad: BadBlock) -> None: ...

    def add_rows(self, offset: int, bad: Sequence[BadRow]) -> None: ...


@dataclass
class SoundRowsLoad:
    """
    Loads one object into one table, inside a transaction.

    :param run_name: name of the run that loads.
    :param loaded: called with every batch that is in the table.
    :param refused: rows that the database refused: the position in the current block, and the reason.
    """

    dialect: Dialect
    connection: Any
    target: Target
    quarantine: BadParts
    loaded: Callable[[Batch], None]
    run_name: str = ""
    refused: list[tuple[int, str]] = field(default_factory=list)
    read: int = 0
    """How many rows the blocks say they hold."""

    def run(self, file: SalvagedFile, writer: AvroSchema, reader: AvroSchema | None) -> int:
        """
        Load the object.

        :return: rows in the table, as the database counts them.
        :raises TooMuchQuarantined: more blocks are bad or hold bad rows than allowed.
        """
        rows = 0
        for block in file.blocks():
            found = block if isinstance(block, BadBlock) else file.rows(block, writer, reader, fields_of(self.target))
            first = self.read
            self.read += (found if isinstance(found, BadBlock) else block).records or 0
            if isinstance(found, BadBlock):
                self.quarantine.add_block(found)
                continue
            assert isinstance(block, Block)
            self.refused = []
            numbers = [first + position for position in found.positions]
            urls = [self.quarantine.source] * len(numbers)
            batch = with_origin(found.batch, self.target.columns, urls, numbers, self.run_name)
            rows += self._load(batch, found.positions)
            data = file.data(block, writer) if self.refused else []
            bad = [*found.bad, *(BadRow(position, data[position], reason) for position, reason in self.refused)]
            if bad:
                self.quarantine.add_rows(block.offset, sorted(bad, key=lambda row: row.position))
        return rows

    def _load(self, batch: Batch, positions: Sequence[int]) -> int:
        if not batch.rows:
            return 0
        try:
            with savepoint(self.dialect, self.connection):
                rows = self.dialect.load(self.connection, self.target, [batch])
        except (UnstorableValue, self.dialect.driver.Error) as error:
            if not isinstance(error, UnstorableValue) and self.dialect.fault(error) != "rows":
                raise
            return self._refused(batch, positions)
        self.loaded(batch)
        return rows

    def _refused(self, batch: Batch, positions: Sequence[int]) -> int:
        if batch.rows <= SINGLE_ROWS:
            return self._one_by_one(batch, positions)
        half = batch.rows // 2
        return self._load(_part(batch, 0, half), positions[:half]) + self._load(
            _part(batch, half, batch.rows), positions[half:]
        )

    def _one_by_one(self, batch: Batch, positions: Sequence[int]) -> int:
        done = self.dialect.load_each(self.connection, self.target, batch)
        self.refused += [(positions[row], _told(error)) for row, error in done.refused]
        refused = {row for row, _ in done.refused}
        self.loaded(_rows_of(batch, [row for row in range(batch.rows) if row not in refused]))
        return done.rows


def _told(error: Exception) -> str:
    return f"column {error.column!r}: {error.problem}" if isinstance(error, UnstorableValue) else str(error).strip()


def _rows_of(batch: Batch, rows: Sequence[int]) -> Batch:
    return Batch(len(rows), tuple([values[row] for row in rows] for values in batch.columns))


def _part(batch: Batch, start: int, end: int) -> Batch:
    return Batch(end - start, tuple(values[start:end] for values in batch.columns))
