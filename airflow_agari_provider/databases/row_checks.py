"""
Finds values that a database would silently change. A whole batch is checked at once, before it is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from airflow_agari_provider.avro.arrow.batches import ArrowBatch
from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.databases.base import Target
from airflow_agari_provider.databases.errors import UnstorableValue

ESCAPED = b"\0\n\r\x1a\"'\\"  # bytes that take two bytes each in a MySQL statement


def checked(target: Target, batches: Iterable[Batch], lengths: Mapping[str, int]) -> Iterator[Batch]:
    """
    Yield the batches, after checking that every key has its values and every text fits.

    Two keys that lack a value are neither the same nor different: each database has its own rule. From the end of a
    text that is too long, a column with a length silently drops spaces.

    :param lengths: how many characters a column can hold, for the columns that have a limit.
    :raises UnstorableValue: a key lacks a value, or a text is too long.
    """
    for batch in batches:
        for position, column in enumerate(target.columns):
            if column.name in target.key_columns and _lacks_values(batch, position):
                raise UnstorableValue(column.name, "a value is missing, although the column is part of the key")
            room = lengths.get(column.name) if column.kind == "text" else None
            if room is not None and (length := _longest(batch, position)) > room:
                raise UnstorableValue(column.name, f"a text has {length} characters, but the column can hold {room}")
        yield batch


def _lacks_values(batch: Batch, position: int) -> bool:
    if isinstance(batch, ArrowBatch):
        return bool(batch.arrays[position].null_count)
    return None in batch.columns[position]


def _longest(batch: Batch, position: int) -> int:
    if isinstance(batch, ArrowBatch):
        from pyarrow import compute

        return compute.max(compute.utf8_length(batch.arrays[position])).as_py() or 0
    return max(map(len, filter(None, batch.columns[position])), default=0)


def rows_at_once(columns: Sequence[Column], values: Sequence[Sequence[Any]], statement_bytes: int) -> int:
    """
    Return how many rows surely fit into a statement: at least one.

    :param values: by column, as the driver takes them.
    :param statement_bytes: how many bytes of values the server accepts in a statement.
    :raises UnstorableValue: one row alone does not fit.
    """
    sized = [
        (column, of_column)
        for column, of_column in zip(columns, values, strict=True)
        if column.kind in ("text", "bytes", "json")
    ]
    longest = sum(max(map(len, filter(None, of_column)), default=0) for _, of_column in sized)
    # A character takes up to four bytes; one of a single byte takes two if escaped. Other values are below 100 bytes.
    if (fitting := statement_bytes // (4 * longest + 100 * len(columns) + 1)) < 1:
        _require_room(sized, statement_bytes - 100 * len(columns))
    return max(fitting, 1)


def _require_room(sized: Sequence[tuple[Column, Sequence[Any]]], room: int) -> None:
    for row in zip(*(values for _, values in sized), strict=True):
        sizes = [_escaped_bytes(value) for value in row]
        if sum(sizes) > room:
            column = sized[sizes.index(max(sizes))][0]
            problem = f"its row takes {sum(sizes)} bytes, more than the server's max_allowed_packet allows"
            raise UnstorableValue(column.name, problem)


def _escaped_bytes(value: str | bytes | None) -> int:
    data = value.encode() if isinstance(value, str) else value or b""
    return len(data) + sum(map(data.count, ESCAPED))
