"""
Every type of a file read as every type of a reader's schema, with and without logical types, in every database.

The expected values were written down by hand, from Avro 1.12, "Schema Resolution" and "Logical Types". Where Java's
library differs, it takes the plain number as one of the reader's unit: time-millis 5000 as time-micros is 5 ms there.
"""

from __future__ import annotations

import json
from contextlib import nullcontext
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from airflow_agari_provider.avro.resolution import ReaderSchemaMismatch, require_resolvable
from airflow_agari_provider.avro.schemas import parse_reader_schema, parse_writer_schema
from airflow_agari_provider.exceptions import BadAvro
from tests.avro.container_files import by_hand, written

UNIX = "1970-01-01T00:00:00.000000"
NEW_YEAR = "2020-01-01T00:00:00.000000"
TEXT = "550e8400-e29b-41d4-a716-446655440000"
SIXTEEN = bytes.fromhex(TEXT.replace("-", ""))


def logical(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "logicalType": name, **more}


def fixed(size: int, **more: Any) -> dict[str, Any]:
    return {"type": "fixed", "name": "named", "size": size, **more}


TYPES: dict[str, Any] = {
    "int": "int",
    "date": logical("int", "date"),
    "time_ms": logical("int", "time-millis"),
    "long": "long",
    "time_us": logical("long", "time-micros"),
    "ts_ms": logical("long", "timestamp-millis"),
    "ts_us": logical("long", "timestamp-micros"),
    "ts_ns": logical("long", "timestamp-nanos"),
    "local_ms": logical("long", "local-timestamp-millis"),
    "local_us": logical("long", "local-timestamp-micros"),
    "local_ns": logical("long", "local-timestamp-nanos"),
    "float": "float",
    "double": "double",
    "string": "string",
    "uuid": logical("string", "uuid"),
    "bytes": "bytes",
    "dec_4_2": logical("bytes", "decimal", precision=4, scale=2),
    "dec_6_3": logical("bytes", "decimal", precision=6, scale=3),
    "fixed16": fixed(16),
    "uuid16": fixed(16, logicalType="uuid"),
    "fixed2": fixed(2),
    "dec_fixed2": fixed(2, logicalType="decimal", precision=4, scale=2),
}
MS, US, NS = 1577836800000, 1577836800000000, 1577836800000000000
AS_TIMES = dict.fromkeys(("ts_ms", "ts_us", "local_ms", "local_us"), NEW_YEAR) | {"ts_ns": NS, "local_ns": NS}
# By type in the file: a plain value, and what it is in the database by type of the reader. Other readers are refused.
MATRIX: dict[str, tuple[Any, dict[str, Any]]] = {
    "int": (
        5000,
        {
            "int": 5000, "long": 5000, "double": 5000.0, "date": "1983-09-10", "time_ms": "00:00:05.000000",
            "time_us": "00:00:00.005000", "ts_ms": "1970-01-01T00:00:05.000000", "ts_us": "1970-01-01T00:00:00.005000",
            "ts_ns": 5000, "local_ms": "1970-01-01T00:00:05.000000", "local_us": "1970-01-01T00:00:00.005000",
            "local_ns": 5000,
        },
    ),
    "date": (-141427, {"int": -141427, "long": -141427, "double": -141427.0, "date": "1582-10-15"}),
    "time_ms": (
        5000,
        {"int": 5000, "long": 5000, "double": 5000.0, "time_ms": "00:00:05.000000", "time_us": "00:00:05.000000"},
    ),
    "long": (
        86399999,
        {
            "long": 86399999, "double": 86399999.0, "time_us": "00:01:26.399999", "ts_ms": "1970-01-01T23:59:59.999000",
            "ts_us": "1970-01-01T00:01:26.399999", "ts_ns": 86399999, "local_ms": "1970-01-01T23:59:59.999000",
            "local_us": "1970-01-01T00:01:26.399999", "local_ns": 86399999,
        },
    ),
    "time_us": (5000001, {"long": 5000001, "double": 5000001.0, "time_us": "00:00:05.000001"}),
    "ts_ms": (MS, AS_TIMES | {"long": MS, "double": float(MS)}),
    "ts_us": (US, AS_TIMES | {"long": US, "double": float(US)}),
    "ts_ns": (NS, AS_TIMES | {"long": NS, "double": float(NS)}),
    "local_ms": (MS, AS_TIMES | {"long": MS, "double": float(MS)}),
    "local_us": (US, AS_TIMES | {"long": US, "double": float(US)}),
    "local_ns": (NS, AS_TIMES | {"long": NS, "double": float(NS)}),
    "double": (0.5, {"double": 0.5}),
    "string": (TEXT, {"string": TEXT, "uuid": TEXT, "bytes": TEXT.encode()}),
    "uuid": (TEXT, {"string": TEXT, "uuid": TEXT, "bytes": TEXT.encode()}),
    "bytes": (b"\x02a", {"bytes": b"\x02a", "string": "\x02a", "dec_4_2": "6.09", "dec_6_3": "0.609"}),
    "dec_4_2": (b"\x04\xd2", {"bytes": b"\x04\xd2", "dec_4_2": "12.34", "dec_6_3": "12.340"}),
    "dec_6_3": (b"\x04\xd2", {"bytes": b"\x04\xd2", "dec_6_3": "1.234"}),
    "fixed16": (SIXTEEN, {"fixed16": SIXTEEN, "uuid16": TEXT}),
    "uuid16": (SIXTEEN, {"fixed16": SIXTEEN, "uuid16": TEXT}),
    "fixed2": (b"\xff\xff", {"fixed2": b"\xff\xff", "dec_fixed2": "-0.01"}),
    "dec_fixed2": (b"\xff\xff", {"fixed2": b"\xff\xff", "dec_fixed2": "-0.01"}),
}  # fmt: skip
# Also resolvable, but not a value that can be written down for all of them. (Each database shows a float its own way.)
BY_VALUE = {("string", "dec_4_2"), ("string", "dec_6_3"), ("bytes", "uuid")} | {
    (name, "float") for name, (_, readers) in MATRIX.items() if name != "double" and "double" in readers
}
DEFAULTS: dict[str, tuple[Any, Any]] = {
    "int": (5, 5),
    "date": (-1, "1969-12-31"),
    "time_ms": (1, "00:00:00.001000"),
    "long": (5, 5),
    "time_us": (1, "00:00:00.000001"),
    "ts_ms": (1000, "1970-01-01T00:00:01.000000"),
    "ts_us": (1000, "1970-01-01T00:00:00.001000"),
    "ts_ns": (1000, 1000),
    "local_ms": (0, UNIX),
    "local_us": (0, UNIX),
    "local_ns": (0, 0),
    "double": (0.5, 0.5),
    "string": ("ÿ", "ÿ"),
    "uuid": (TEXT, TEXT),
    "bytes": ("\u00ff\u0000", b"\xff\x00"),
    "dec_4_2": ("\u0004\u00d2", "12.34"),
    "dec_6_3": ("\u00ff", "-0.001"),
    "fixed16": ("\u00ff" * 16, b"\xff" * 16),
    "uuid16": (SIXTEEN.decode("latin-1"), TEXT),
    "fixed2": ("\u00ff\u0080", b"\xff\x80"),
    "dec_fixed2": ("\u00ff\u00ff", "-0.01"),
}


def record(*fields: tuple[str, Any], **more: Any) -> dict[str, Any]:
    """A record with a field of each type; named types get the names of their fields."""
    named = [(name, kind | {"name": f"n_{name}"} if "size" in kind else kind) for name, kind in fields]
    return {"type": "record", "name": "r", "fields": [{"name": name, "type": kind} | more for name, kind in named]}


def plain(kind: Any) -> Any:
    return {key: value for key, value in kind.items() if key != "logicalType"} if isinstance(kind, dict) else kind


def of_database(value: Any) -> Any:
    """The value in a form that is the same for every database; numbers, texts and bytes stay."""
    if isinstance(value, timedelta):
        value = (datetime.min + value).time()
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(timespec="microseconds")
    if isinstance(value, time):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, str):
        return value.removesuffix("+00:00")
    return str(value) if isinstance(value, date | Decimal | UUID) else value


@pytest.mark.parametrize("name", MATRIX)
def test_a_value_is_what_the_readers_type_makes_of_it(name, importer, put, rows):
    value, expected = MATRIX[name]
    schema = record(*((reader, TYPES[name]) for reader in expected))
    data = written(record(*((reader, plain(TYPES[name])) for reader in expected)), [dict.fromkeys(expected, value)])
    payload = data[len(written(record(*((reader, plain(TYPES[name])) for reader in expected)), [])) :]
    put("a.avro", by_hand(schema, (1, block_payload(payload))))
    reader_schema = record(*((reader, TYPES[reader]) for reader in expected))
    importer(reader_schema=reader_schema).import_object("agari", "a.avro")
    found = [of_database(one) for one in as_row(rows("SELECT * FROM scored"))]
    assert dict(zip(expected, found, strict=True)) == expected


def as_row(found: list[Any]) -> tuple[Any, ...]:
    return found[0] if isinstance(found[0], tuple) else (found[0],)


def block_payload(block: bytes) -> bytes:
    """The payload of the only block of one record: after the count and the size, before the marker."""
    size_bytes = 1 if block[1] < 0x80 else 2
    return block[1 + size_bytes : -16]


@pytest.mark.parametrize("name", MATRIX)
def test_other_types_are_refused(name):
    for reader in TYPES:
        allowed = reader in MATRIX[name][1] or (name, reader) in BY_VALUE
        writer_schema, reader_schema = (record(("v", TYPES[one])) for one in (name, reader))
        with nullcontext() if allowed else pytest.raises(ReaderSchemaMismatch, match="field 'v' "):
            require_resolvable(parse_writer_schema(writer_schema, "f"), parse_reader_schema(reader_schema), "f")


def test_defaults_are_values_of_their_types(importer, put, rows):
    put("a.avro", written(record(("id", "int")), [{"id": 1}]))
    reader = record(*((name, TYPES[name]) for name in DEFAULTS))
    for field in reader["fields"]:
        field["default"] = DEFAULTS[field["name"]][0]
    importer(reader_schema=reader).import_object("agari", "a.avro")
    ((*found,),) = rows("SELECT * FROM scored")
    assert dict(zip(DEFAULTS, map(of_database, found), strict=True)) == {
        name: value for name, (_, value) in DEFAULTS.items()
    }


@pytest.mark.parametrize("connect", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("kind", "default"),
    [
        (TYPES["dec_4_2"], "\u0004\u00d2\u0000"),
        (TYPES["fixed2"], "\u00ff"),
        (TYPES["uuid"], "no uuid"),
        (TYPES["time_ms"], 86_400_000),
        (TYPES["bytes"], "\u0100"),
        (["double", {"type": "array", "items": "string"}], [1]),
        ("float", 1e39),
    ],
)
def test_a_default_that_is_not_of_its_type_is_told_before_anything_is_read(kind, default, importer):
    with pytest.raises(ValueError, match=r"default .* of field 'v' is not a value of its type"):
        importer(reader_schema=record(("v", kind), default=default))


def test_values_inside_of_others_are_converted_too(importer, put, rows):
    inner = {"type": "array", "items": ["null", "long"]}
    put("a.avro", written(record(("v", inner)), [{"v": [MS, None]}]))
    wanted = {"type": "array", "items": ["null", TYPES["ts_ms"]]}
    reader = record(("v", wanted), ("w", {"type": "map", "values": TYPES["date"]}))
    reader["fields"][1]["default"] = {"a": 1}
    importer(reader_schema=reader).import_object("agari", "a.avro")
    found = [json.loads(one) if isinstance(one, str) else one for one in rows("SELECT * FROM scored")[0]]
    assert found == [["2020-01-01T00:00:00+00:00", None], {"a": "1970-01-02"}]


@pytest.mark.parametrize("connect", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("kind", "wanted", "value", "problem"),
    [
        ("ts_ns", "ts_ms", NS + 1, "cannot be a timestamp-millis without rounding"),
        ("ts_ms", "ts_ns", 10**18, "is too large for a timestamp-nanos"),
        ("long", "time_us", -1, "not within a day"),
        ("int", "date", -800_000, "not in the years 1 to 9999"),
        ("bytes", "dec_4_2", b"\x7f\xff", "more than the 4 digits"),
    ],
)
def test_a_value_that_the_readers_type_cannot_hold_is_told(kind, wanted, value, problem, importer, put):
    data = written(record(("v", plain(TYPES[kind]))), [{"v": value}])
    block = data[len(written(record(("v", plain(TYPES[kind]))), [])) :]
    put("a.avro", by_hand(record(("v", TYPES[kind])), (1, block_payload(block))))
    with pytest.raises(BadAvro, match=problem):
        importer(reader_schema=record(("v", TYPES[wanted]))).import_object("agari", "a.avro")
