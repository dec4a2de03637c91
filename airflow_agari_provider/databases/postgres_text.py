"""
Values in the text format of PostgreSQL's COPY, which the server converts to the types of the table.

Source: PostgreSQL 15 documentation, "COPY", section "Text Format".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any

from airflow_agari_provider.avro.columns import Column, Kind
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.databases.statements import as_json

_SPECIAL = re.compile(r"[\\\n\r\t]")
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"})
NULL = r"\N"


def texts(column: Column, values: Sequence[Any]) -> Sequence[str | None]:
    """Return values in PostgreSQL's own text form."""
    return _TEXTS.get(column.kind, _plain)(column, values)


def text_copy(columns: Sequence[Column], batches: Iterable[Batch]) -> Generator[bytes]:
    """Yield what COPY takes, one batch at a time."""
    for batch in batches:
        if batch.rows:
            pairs = zip(columns, batch.columns, strict=True)
            fields = [_field(column, texts(column, values)) for column, values in pairs]
            yield ("\n".join(map("\t".join, zip(*fields, strict=True))) + "\n").encode()


def _field(column: Column, values: Sequence[str | None]) -> list[str]:
    if column.kind == "bytes":  # hexadecimal digits after one backslash, which COPY needs twice
        return [NULL if value is None else "\\" + value for value in values]
    if column.kind in ("text", "json"):
        return _escaped(values)
    return [NULL if value is None else value for value in values]


def _escaped(values: Sequence[str | None]) -> list[str]:
    if _SPECIAL.search("".join(filter(None, values))):
        return [NULL if value is None else value.translate(_ESCAPES) for value in values]
    return [NULL if value is None else value for value in values]


def _plain(column: Column, values: Sequence[Any]) -> Sequence[str | None]:
    return [None if value is None else str(value) for value in values]


def _as_they_are(column: Column, values: Sequence[Any]) -> Sequence[str | None]:
    return values


def _bytes(column: Column, values: Sequence[Any]) -> Sequence[str | None]:
    return [None if value is None else rf"\x{value.hex()}" for value in values]


_TEXTS: Mapping[Kind, Callable[[Column, Sequence[Any]], Sequence[str | None]]] = {
    "text": _as_they_are,
    "bytes": _bytes,
    "json": as_json,
}
