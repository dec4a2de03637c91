"""Schemas as writers write them, in one short form."""

from __future__ import annotations

import pytest

from airflow_agari_provider.avro.sound_schema import short, without_defaults


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, "string"),
        ({"type": {"type": "string"}}, "string"),
        ({"type": "string", "avro.java.string": "String"}, {"type": "string", "avro.java.string": "String"}),
        ([{"type": "null"}, {"type": "Other"}], ["null", "Other"]),
        ({"type": "array", "items": {"type": "long"}, "symbols": []}, {"type": "array", "items": "long"}),
        ({"type": "string", "size": 3}, {"type": "string"}),
        ({"type": "int", "__fastavro_parsed": True}, {"type": "int"}),
        ({"type": "Other", "logicalType": "date"}, "Other"),
        ("string", "string"),
    ],
    ids=str,
)
def test_what_means_nothing_is_left_out(schema, expected):
    assert short(schema) == expected


def decimal(kind="bytes", **more):
    return {"type": kind, "logicalType": "decimal", **more}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "int", "logicalType": "date"},
        {"type": "long", "logicalType": "local-timestamp-nanos"},
        {"type": "string", "logicalType": "uuid"},
        decimal(precision=5, scale=5),
        decimal(precision=5),
        decimal("fixed", name="f", size=5, precision=11),
    ],
    ids=str,
)
def test_a_valid_logical_type_is_kept(schema):
    assert short(schema) == schema


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "logicalType": "date"},
        {"type": "int", "logicalType": "time-micros"},
        {"type": "int", "logicalType": "unheard-of"},
        decimal(),
        decimal(precision=5, scale=6),
        decimal(precision=0),
        decimal(precision=5, scale=-1),
        decimal(precision=True),
        decimal(precision="5"),
        decimal("fixed", name="f", size=5, precision=12),
        decimal("fixed", name="f", size="4", precision=1),
    ],
    ids=str,
)
def test_an_invalid_logical_type_is_ignored(schema):
    assert not {"logicalType", "precision", "scale"} & set(short(schema))


def test_defaults_are_left_out_at_every_depth():
    inner = {"type": "record", "name": "i", "fields": [{"name": "b", "type": "int", "default": 1}]}
    field = {"name": "a", "type": ["null", {"type": "array", "items": inner}], "default": None}
    text = str(without_defaults({"type": "record", "name": "r", "fields": [field]}))
    assert "default" not in text
    assert "'name': 'b'" in text
