"""Nested Avro values as JSON text."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from functools import partial
from typing import Any, get_args
from uuid import UUID

from airflow_agari_provider.avro.columns import BytesInJson, kind_of
from airflow_agari_provider.avro.schema_shape import parts
from airflow_agari_provider.avro.schemas import AvroSchema


def json_texts(values: Sequence[Any], plain: bool = False, bytes_form: BytesInJson = "base64") -> list[str | None]:
    """
    Return the JSON text of each value, and None for None: times in ISO 8601, decimals and UUIDs as text.

    :param bytes_form: how bytes are written. (Not as in Avro's JSON encoding, a character for each byte: PostgreSQL
        has no text with a zero byte.)
    :param plain: whether :func:`plain_in_json` is true for the type of the values; encoding is then five times as fast.
    :raises ValueError: a number is NaN or infinite.
    :raises RecursionError: a value is nested too deep.
    """
    there = [value for value in values if value is not None]
    texts = iter(_plain_texts(there) if plain else _texts(_ENCODERS[bytes_form].encode, there))
    return [None if value is None else next(texts) for value in values]


def plain_in_json(schema: AvroSchema, kind: Any) -> bool:
    """
    Whether values of a type hold nothing that each JSON library writes in its own way: no bytes and no times.

    :param schema: a schema in which no type holds itself.
    :param kind: the type, as the schema has it.
    """
    return _all_plain(schema, kind, set())


def _all_plain(schema: AvroSchema, kind: Any, seen: set[str]) -> bool:
    """:param seen: names of the types that were already checked."""
    kind = schema.resolved(kind)
    if isinstance(kind, list):
        return all(_all_plain(schema, branch, seen) for branch in kind)
    if kind_of(kind) != "json":
        return kind_of(kind) not in ("bytes", "date", "time", "instant", "local_time")
    if kind.get("name") in seen:
        return True
    seen |= {kind["name"]} if "name" in kind else set()
    return all(_all_plain(schema, part, seen) for part in parts(kind))


def _plain_texts(values: Sequence[Any]) -> list[str]:
    """
    Encode with msgspec, which writes NaN and infinity as null.

    So a value whose text contains null is encoded again by Python's encoder, which refuses such numbers; and one with a
    number that Python writes otherwise, such as 1e-05.
    """
    import msgspec

    texts = _texts(lambda value: msgspec.json.encode(value).decode(), values)
    return [
        _ENCODERS["base64"].encode(value) if _OTHERWISE.search(text) else text
        for value, text in zip(values, texts, strict=True)
    ]


def _texts(encode: Callable[[Any], str], values: Sequence[Any]) -> list[str]:
    """Encode all values in one call, with marks between them: this is twice as fast as one call for each."""
    marked = [_MARK] * (2 * len(values) - 1)
    marked[::2] = values
    texts = encode(marked)[1:-1].split(f',"{_MARK}",')
    # If there are as many parts as values, no value contains the mark.
    return texts if len(texts) == len(values) else [encode(value) for value in values]


def _converted(bytes_form: BytesInJson, value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex() if bytes_form == "hex" else b64encode(value).decode()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


_ENCODERS: Mapping[BytesInJson, json.JSONEncoder] = {
    form: json.JSONEncoder(
        default=partial(_converted, form),
        allow_nan=False,
        ensure_ascii=False,
        separators=(",", ":"),
        check_circular=False,
    )
    for form in get_args(BytesInJson)
}
_OTHERWISE = re.compile(r"null|\de-?\d|0\.0000")
_MARK = "agari-2016-04-28-next-value"
