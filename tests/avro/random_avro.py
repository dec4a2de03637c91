"""Hypothesis strategies for random Avro schemas, with values that every decoder has to hold."""

from __future__ import annotations

import io
import itertools
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import fastavro
from hypothesis import strategies as st

from airflow_agari_provider.avro.codecs import CODECS

# Without zero bytes, which PostgreSQL accepts neither in text nor in JSON.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
DOUBLES = st.floats(allow_nan=False, allow_infinity=False)
MICROS = st.datetimes(timezones=st.just(UTC))
MILLIS = MICROS.map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000))


def _logical(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "logicalType": name, **more}


def _naive(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)


PLAIN: list[tuple[Any, st.SearchStrategy[Any]]] = [
    ("boolean", st.booleans()),
    ("int", st.integers(-(2**31), 2**31 - 1)),
    ("long", st.integers(-(2**63), 2**63 - 1)),
    ("float", FLOATS),
    ("double", DOUBLES),
    ("string", TEXT),
    ("bytes", st.binary(max_size=12).map(lambda data: data.replace(b"\0", b"\1"))),
    (_logical("int", "date"), st.dates(date(1, 1, 1), date(9999, 12, 31))),
    (_logical("int", "time-millis"), st.integers(0, 86_399_999).map(lambda ms: _time(ms * 1000))),
    (_logical("long", "time-micros"), st.integers(0, 86_399_999_999).map(lambda us: _time(us))),
    (_logical("long", "timestamp-millis"), MILLIS),
    (_logical("long", "timestamp-micros"), MICROS),
    (_logical("long", "local-timestamp-millis"), MILLIS.map(_naive)),
    (_logical("long", "local-timestamp-micros"), MICROS.map(_naive)),
    (_logical("long", "timestamp-nanos"), st.integers(-(2**63), 2**63 - 1)),
    (_logical("string", "uuid"), st.uuids()),
]


def _time(micros: int) -> time:
    seconds, micros = divmod(micros, 1_000_000)
    return time(seconds // 3600, seconds // 60 % 60, seconds % 60, micros)


@st.composite
def _decimals(draw: Any) -> tuple[Any, st.SearchStrategy[Any]]:
    precision = draw(st.integers(1, 38))
    scale = draw(st.integers(0, precision))
    most = 10**precision - 1
    kind = _logical("bytes", "decimal", precision=precision, scale=scale)
    return kind, st.integers(-most, most).map(lambda number: _decimal(number, scale))


def _decimal(number: int, scale: int) -> Decimal:
    return Decimal((int(number < 0), tuple(map(int, str(abs(number)))), -scale))


@st.composite
def types(draw: Any, names: Any, depth: int = 2) -> tuple[Any, st.SearchStrategy[Any]]:
    """(schema, its values)"""
    shapes = ["plain", "plain", "decimal", "enum", "fixed", "nullable"]
    shape = draw(st.sampled_from(shapes + (["array", "map", "record"] if depth else [])))
    if shape == "plain":
        return draw(st.sampled_from(PLAIN))
    if shape == "decimal":
        return draw(_decimals())
    if shape == "enum":
        symbols = [f"S{number}" for number in range(draw(st.integers(1, 4)))]
        return {"type": "enum", "name": f"E{next(names)}", "symbols": symbols}, st.sampled_from(symbols)
    if shape == "fixed":
        size = draw(st.integers(1, 20))
        values = st.binary(min_size=size, max_size=size).map(lambda data: data.replace(b"\0", b"\1"))
        return {"type": "fixed", "name": f"F{next(names)}", "size": size}, values
    if shape == "record":
        return draw(records(names, depth - 1))
    kind, values = draw(types(names, depth - 1 if depth else 0))
    if shape == "nullable":
        if isinstance(kind, list):
            return kind, values
        return draw(st.sampled_from([["null", kind], [kind, "null"]])), st.none() | values
    if shape == "array":
        return {"type": "array", "items": kind}, st.lists(values, max_size=3)
    return {"type": "map", "values": kind}, st.dictionaries(TEXT, values, max_size=3)


@st.composite
def records(draw: Any, names: Any, depth: int = 2) -> tuple[Any, st.SearchStrategy[Any]]:
    fields = [draw(types(names, depth)) for _ in range(draw(st.integers(1, 5)))]
    schema = {
        "type": "record",
        "name": f"R{next(names)}",
        "fields": [{"name": f"c{number}", "type": kind} for number, (kind, _) in enumerate(fields)],
    }
    return schema, st.fixed_dictionaries({f"c{number}": values for number, (_, values) in enumerate(fields)})


@st.composite
def files(draw: Any) -> bytes:
    """Avro object container files of records."""
    schema, values = draw(records(itertools.count()))
    rows = draw(st.lists(values, max_size=20))
    stream = io.BytesIO()
    codec, interval = draw(st.sampled_from(CODECS)), draw(st.sampled_from([1, 50, 16_000]))
    fastavro.writer(stream, schema, rows, codec=codec, sync_interval=interval)
    return stream.getvalue()
