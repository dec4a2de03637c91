"""Counts rows on their way into the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from airflow_agari_provider.avro.blocks import ContainerFile
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.databases.base import Target
from airflow_agari_provider.import_progress import Progress


class PutRows(NamedTuple):
    """
    :param read: rows that the object's blocks say they hold.
    :param loaded: rows that the database counted.
    """

    read: int
    loaded: int
    quarantined_rows: int = 0
    quarantined_blocks: int = 0


class Tally:
    """
    The rows of one object.

    :param count_by: column by whose values they are counted.
    """

    def __init__(self, file: ContainerFile, target: Target, count_by: str | None, progress: Progress) -> None:
        self.rows = 0
        self.counts: Counter[str] = Counter()
        self._file = file
        names = [column.name for column in target.columns]
        self._position = names.index(count_by) if count_by else None
        self._progress = progress
        progress.begin()

    def counted(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        for batch in batches:
            yield batch
            self.add(batch)

    def add(self, batch: Batch) -> None:
        self.rows += batch.rows
        if self._position is not None:
            for value, rows in Counter(batch.columns[self._position]).items():
                self.counts[_key(value)] += rows
        self._progress.advance(batch.rows, self._file.position)


def _key(value: Any) -> str:
    """``null`` for None; a text that reads so is put in quotes, so that the two are not taken for one."""
    text = "null" if value is None else str(value)
    return f'"{text}"' if isinstance(value, str) and text.strip('"') == "null" else text
