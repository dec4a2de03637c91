from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_agari_provider.avro.blocks import zigzag
from airflow_agari_provider.avro.columns import columns_of
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.avro.schemas import parse_reader_schema, parse_writer_schema
from airflow_agari_provider.exceptions import BadAvro
from tests.avro.container_files import SYNC, batches, by_hand, written
from tests.avro.sample_schemas import chain, record, tree


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param("no_such_type", id="unknown type"),
        pytest.param({"type": "record", "fields": []}, id="record without name"),
        pytest.param(17, id="number"),
        pytest.param({"name": "x"}, id="no type"),
        pytest.param({"type": "fixed", "name": "x"}, id="fixed without size"),
    ],
)
def test_a_schema_that_is_not_valid_is_told(schema):
    with pytest.raises(BadAvro, match="not valid"):
        parse_writer_schema(schema, "s3://b/k")
    with pytest.raises(ValueError, match="reader_schema"):
        parse_reader_schema(schema)


def test_a_wrong_default_in_the_writers_schema_does_no_harm():
    """Some writers write defaults of another type."""
    schema = record({"name": "a", "type": "int", "default": "none"})
    assert columns_of(parse_writer_schema(schema, ""))[0].kind == "integer"
    with pytest.raises(ValueError, match="Default"):
        parse_reader_schema(schema)


def test_a_java_namespace_with_a_dollar_is_taken():
    schema = record({"name": "a", "type": "int"}) | {"namespace": "com.agari.Outer$"}
    assert columns_of(parse_writer_schema(schema, ""))[0].name == "a"


@pytest.mark.parametrize("parse", [lambda schema: parse_writer_schema(schema, "k"), parse_reader_schema])
def test_types_in_braces_are_those_of_their_names(parse):
    """Avro's C library writes types like this."""
    fields = [{"name": "v", "type": [{"type": "null"}, {"type": {"type": "string"}}]}]
    schema = {"type": {"type": "record", "name": "r", "fields": fields}}
    (column,) = columns_of(parse(schema))
    assert (column.name, column.kind, column.nullable) == ("v", "text", True)


def test_a_decimal_without_a_precision_is_bytes():
    """fastavro does not write it, so its header is put together by hand."""
    schema: Any = {"type": "record", "name": "r", "fields": [{"name": "v", "type": "bytes"}]}
    body = written(schema, [{"v": b"\x05"}])[len(written(schema, [])) :]
    schema["fields"][0]["type"] = {"type": "bytes", "logicalType": "decimal"}
    text = json.dumps(schema).encode()
    header = b"Obj\x01" + zigzag(1) + zigzag(11) + b"avro.schema" + zigzag(len(text)) + text + b"\x00" + SYNC
    assert batches(header + body) == [Batch(1, ([b"\x05"],))]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        pytest.param([{"name": "a", "type": "int"}, {"name": "a", "type": "int"}], "2 .* named 'a'", id="twice"),
        pytest.param([{"name": "", "type": "int"}], "named ''", id="empty"),
        pytest.param([{"name": 5, "type": "int"}], "named 5", id="not text"),
        pytest.param([{"name": "\ud800", "type": "int"}], "surrogates not allowed", id="not UTF-8"),
        pytest.param(
            [{"name": "a", "type": {"type": "enum", "name": "int", "symbols": ["x"]}}],
            "a type is named 'int'",
            id="int",
        ),
    ],
)
@pytest.mark.parametrize("nested", [False, True], ids=["", "nested"])
def test_names_that_stand_for_two_things_or_none_are_refused(fields, problem, nested):
    """Of two fields with one name, Arrow takes the first and fastavro the last."""
    schema: Any = {"type": "record", "name": "r", "fields": fields}
    if nested:
        schema = {"type": "record", "name": "outer", "fields": [{"name": "r", "type": ["null", schema]}]}
    with pytest.raises(BadAvro, match=problem):
        batches(by_hand(schema))


@pytest.mark.parametrize(
    "marks", [{"__fastavro_parsed": True}, {"__fastavro_parsed": True, "__named_schemas": {}}], ids=len
)
def test_a_header_with_marks_of_fastavro_is_read_like_any_other(marks):
    schema = {"type": "record", "name": "r", "fields": [{"name": "a", "type": "int"}]} | marks
    assert batches(by_hand(schema, (1, b"\x02"))) == [Batch(1, ([1],))]
    with pytest.raises(BadAvro, match="not valid"):
        batches(by_hand({"type": "record", "name": "r", "fields": [{"name": "a", "type": "other"}]} | marks))


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        pytest.param(tree(60, "null"), "of 576460752303423488 parts that take no bytes", id="nulls"),
        pytest.param({"type": "array", "items": tree(60, "null")}, "could claim any number", id="an array of these"),
        pytest.param(
            {"type": "array", "items": {"type": "null", "doc": ""}}, "could claim any number", id="nulls in an array"
        ),
        pytest.param(chain(120), "122 types within each other", id="a long chain"),
    ],
)
def test_a_small_schema_that_would_fill_the_memory_is_refused(schema, problem):
    with pytest.raises(BadAvro, match=problem):
        batches(by_hand(schema, (1, b"")))


@pytest.mark.parametrize(
    "items",
    [
        "null",
        {"type": "fixed", "name": "f", "size": 0},
        {"type": "record", "name": "r", "fields": [{"name": "n", "type": "null"}]},
    ],
    ids=["null", "fixed", "record"],
)
def test_arrays_of_items_without_a_byte_are_refused(items):
    """Nine bytes that claim 2**60 of them would fill the memory."""
    schema = {"type": "record", "name": "m", "fields": [{"name": "v", "type": {"type": "array", "items": items}}]}
    data = written(schema, []) + b"\x02" + zigzag(10) + zigzag(2**60) + b"\x00" + SYNC
    with pytest.raises(BadAvro, match="take no bytes"):
        batches(data)
