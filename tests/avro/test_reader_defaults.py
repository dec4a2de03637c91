"""Defaults of a reader's schema are the values that they mean."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from airflow_agari_provider.avro.reader_defaults import default_value, parsed_reader

RECORD = {"type": "record", "name": "inner", "fields": [{"name": "n", "type": "int", "default": 7}]}
FIXED = {"type": "fixed", "name": "two", "size": 2}
ENUM = {"type": "enum", "name": "colour", "symbols": ["RED", "BLUE"]}


def reader_with(kind, default):
    return parsed_reader({"type": "record", "name": "r", "fields": [{"name": "f", "type": kind, "default": default}]})


def default_of(kind, default):
    reader = reader_with(kind, default)
    return default_value(reader, reader.definition["fields"][0]["type"], default)


@pytest.mark.parametrize(
    ("kind", "default", "value"),
    [
        ("bytes", "\u00ff\u0000", b"\xff\x00"),
        (FIXED, "ab", b"ab"),
        (ENUM, "BLUE", "BLUE"),
        ("double", 1, 1.0),
        ("long", 2**40, 2**40),
        (["null", "string"], None, None),
        (["null", "string"], "x", "x"),  # since Avro 1.12, of any branch
        ({"type": "array", "items": "bytes"}, ["a"], [b"a"]),
        ({"type": "map", "values": "float"}, {"k": 1}, {"k": 1.0}),
        (RECORD, {}, {"n": 7}),
        ({"type": "int", "logicalType": "date"}, 1, date(1970, 1, 2)),
        ({"type": "long", "logicalType": "timestamp-millis"}, 1000, datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
        ({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}, "\u0001", Decimal("0.01")),
    ],
    ids=str,
)
def test_json_becomes_the_value_that_it_means(kind, default, value):
    found = default_of(kind, default)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("kind", "default"),
    [
        ("int", 2**31),
        ("int", -(2**31) - 1),
        ("int", True),
        ("long", "1"),
        ("boolean", 1),
        ("null", 0),
        ("string", 1),
        (FIXED, "abc"),
        (ENUM, "GREEN"),
        ({"type": "array", "items": "int"}, {"a": 1}),
        (["null", "int"], "x"),
        ("bytes", "\u0100"),
    ],
    ids=str,
)
def test_a_default_that_is_not_a_value_of_its_field_is_refused(kind, default):
    with pytest.raises(ValueError, match=r"reader_schema is not a valid Avro schema: .*[Dd]efault"):
        reader_with(kind, default)


def test_a_record_s_default_has_each_field_without_one():
    needed = {"type": "record", "name": "inner", "fields": [{"name": "n", "type": "int"}]}
    with pytest.raises(ValueError, match=r"reader_schema is not a valid Avro schema: .*[Dd]efault"):
        reader_with(needed, {})
