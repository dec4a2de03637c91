"""Counts rows on their way into the database, by the values of a column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from airflow_agari_provider.avro.blocks import ContainerFile
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.avro_import.progress import ImportProgress
from airflow_agari_provider.databases.base import Target

MAX_COUNTED_LENGTH = 1000  # characters of a value of count_by


class CountedValues:
    """
    The values of ``count_by`` that an import counts: the first ones, so that each value is counted either in all
    objects or in none.

    :param limit: how many they may be.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._keys: dict[str, str] = {}

    def admitted(self, value: Any) -> str | None:
        """Return the text by which a value is counted; None if there are too many values, or the text is too long."""
        key = _key(value)
        if key not in self._keys and (len(self._keys) >= self._limit or len(key) > MAX_COUNTED_LENGTH):
            return None
        return self._keys.setdefault(key, key)  # one text for all objects

    def count(self, counts: Counter[str], values: Iterable[Any]) -> int:
        """Count values, and return how many were not counted."""
        uncounted = 0
        for value, times in Counter(values).items():
            if (key := self.admitted(value)) is not None:
                counts[key] += times
            else:
                uncounted += times
        return uncounted


class RowCounts:
    """
    Counts the rows of one file on their way into the database.

    :param values: of the column by whose values they are counted.
    """

    def __init__(
        self, file: ContainerFile, target: Target, count_by: str | None, values: CountedValues, progress: ImportProgress
    ) -> None:
        self.rows = self.uncounted = 0
        self.counts: Counter[str] = Counter()
        self._file = file
        names = [column.name for column in target.columns]
        self._position = names.index(count_by) if count_by else None
        self._values = values
        self._progress = progress
        progress.begin()

    def passing(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        for batch in batches:
            yield batch
            self.add(batch)

    def add(self, batch: Batch) -> None:
        self.rows += batch.rows
        if self._position is not None:
            self.uncounted += self._values.count(self.counts, batch.columns[self._position])
        self._progress.advance(batch.rows, self._file.position)


def _key(value: Any) -> str:
    """Return ``null`` for None. A text that reads ``null`` is put in quotes, so that the two are counted apart."""
    text = "null" if value is None else str(value)
    return f'"{text}"' if isinstance(value, str) and text.strip('"') == "null" else text
