from __future__ import annotations

import pickle

import pytest

from airflow_agari_provider.avro.columns import Column, MissingFields, UnsupportedAvroType, columns_of
from airflow_agari_provider.avro.schemas import parse_writer_schema
from tests.avro.sample_schemas import record


def column_of(kind: object) -> Column:
    (column,) = columns_of(parse_writer_schema(record({"name": "f", "type": kind}), "s3://b/k"))
    return column


def logical(kind: str, name: str, **more: object) -> dict[str, object]:
    return {"type": kind, "logicalType": name, **more}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        pytest.param("null", ("null", True), id="null"),
        pytest.param("boolean", ("boolean", False), id="boolean"),
        pytest.param("int", ("integer", False), id="int"),
        pytest.param("long", ("long", False), id="long"),
        pytest.param("float", ("float", False), id="float"),
        pytest.param("double", ("double", False), id="double"),
        pytest.param("bytes", ("bytes", False), id="bytes"),
        pytest.param("string", ("text", False), id="string"),
        pytest.param({"type": "string", "avro.java.string": "String"}, ("text", False), id="string with properties"),
        pytest.param(["null", "string"], ("text", True), id="nullable"),
        pytest.param(["string", "null"], ("text", True), id="null as second branch"),
        pytest.param(["string"], ("text", False), id="union of one"),
        pytest.param(["null"], ("null", True), id="union of null"),
        pytest.param(["int", "string"], ("json", False), id="union of two"),
        pytest.param(["null", "int", "string"], ("json", True), id="nullable union of two"),
        pytest.param({"type": "array", "items": "int"}, ("json", False), id="array"),
        pytest.param({"type": "map", "values": "int"}, ("json", False), id="map"),
        pytest.param({"type": "record", "name": "r", "fields": []}, ("json", False), id="record"),
        pytest.param(["null", {"type": "record", "name": "r", "fields": []}], ("json", True), id="nullable record"),
        pytest.param(logical("int", "date"), ("date", False), id="date"),
        pytest.param(logical("int", "time-millis"), ("time", False), id="time-millis"),
        pytest.param(logical("long", "time-micros"), ("time", False), id="time-micros"),
        pytest.param(logical("long", "timestamp-millis"), ("instant", False), id="timestamp-millis"),
        pytest.param(["null", logical("long", "timestamp-micros")], ("instant", True), id="nullable timestamp-micros"),
        pytest.param(logical("long", "local-timestamp-micros"), ("local_time", False), id="local-timestamp-micros"),
        pytest.param(logical("long", "timestamp-nanos"), ("long", False), id="timestamp-nanos stays a number"),
        pytest.param(logical("string", "uuid"), ("uuid", False), id="uuid"),
        pytest.param(logical("string", "made-up"), ("text", False), id="unknown logical type"),
        pytest.param(logical("int", "timestamp-millis"), ("integer", False), id="logical type of another type"),
    ],
)
def test_each_type_becomes_a_kind_of_column(kind, expected):
    column = column_of(kind)
    assert (column.kind, column.nullable) == expected


def test_lengths_and_digits_are_kept():
    assert column_of({"type": "fixed", "name": "x", "size": 16}) == Column("f", "f", "bytes", False, 16)
    assert column_of({"type": "enum", "name": "x", "symbols": ["a", "long"]}) == Column("f", "f", "text", False, 4)
    duration = {"type": "fixed", "name": "x", "size": 12, "logicalType": "duration"}
    assert column_of(duration) == Column("f", "f", "bytes", False, 12)
    decimal = logical("bytes", "decimal", precision=12, scale=4)
    assert column_of(["null", decimal]) == Column("f", "f", "decimal", True, None, 12, 4)
    wide = {"type": "fixed", "name": "x", "size": 40, "logicalType": "decimal", "precision": 90}
    assert column_of(wide) == Column("f", "f", "decimal", False, None, 90, 0)


def test_a_type_named_before_is_found_again():
    verdict = {"type": "enum", "name": "verdict", "symbols": ["good", "bad"]}
    schema = record({"name": "a", "type": verdict}, {"name": "b", "type": ["null", "verdict"]})
    kinds = [(column.name, column.kind, column.nullable) for column in columns_of(parse_writer_schema(schema, ""))]
    assert kinds == [("a", "text", False), ("b", "text", True)]


def test_a_recursive_type_becomes_json():
    schema = record({"name": "text", "type": "string"}, {"name": "reply", "type": ["null", "com.agari.message"]})
    assert [column.kind for column in columns_of(parse_writer_schema(schema, ""))] == ["text", "json"]


def test_a_file_of_values_has_one_column():
    assert columns_of(parse_writer_schema("long", "")) == (Column("value", None, "long", False),)


SCHEMA = parse_writer_schema(record({"name": "a", "type": "int"}, {"name": "b", "type": "string"}), "")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (None, [("a", "a"), ("b", "b")]),
        (["b"], [("b", "b")]),
        ({"b": "text", "a": "number"}, [("b", "text"), ("a", "number")]),
    ],
    ids=["all", "selected", "renamed"],
)
def test_fields_are_selected_and_renamed(wanted, expected):
    assert [(column.field, column.name) for column in columns_of(SCHEMA, wanted)] == expected


def test_a_field_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(MissingFields, match="no field 'c'; it has 'a', 'b'") as caught:
        columns_of(SCHEMA, ["a", "c"])
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_record_without_fields_is_refused():
    with pytest.raises(UnsupportedAvroType, match="no fields"):
        columns_of(parse_writer_schema(record(), ""))


DAY = {"type": "int", "logicalType": "date"}
GEO = {"type": "record", "name": "g", "fields": [
    {"name": "city", "type": "string"},
    {"name": "in", "type": ["null", {"type": "record", "name": "h", "fields": [{"name": "day", "type": DAY}]}]},
]}  # fmt: skip
PLACES = record({"name": "id", "type": "int"}, {"name": "geo", "type": ["null", GEO]}, {"name": "a.b", "type": "long"})


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"geo.city": "city"}, [("city", "geo", ("city",), "text", True)]),
        (["geo.in.day", "id"], [("day", "geo", ("in", "day"), "date", True), ("id", "id", (), "integer", False)]),
        ({"geo.*": "g_*"}, [("g_city", "geo", ("city",), "text", True), ("g_in", "geo", ("in",), "json", True)]),
        (["geo.*"], [("city", "geo", ("city",), "text", True), ("in", "geo", ("in",), "json", True)]),
        (["a.b"], [("a.b", "a.b", (), "long", False)]),
    ],
)
def test_fields_within_records_may_be_columns(wanted, expected):
    found = columns_of(parse_writer_schema(PLACES, "k"), wanted)
    assert [(one.name, one.field, one.inside, one.kind, one.nullable) for one in found] == expected


@pytest.mark.parametrize("path", ["geo.zip", "id.x", "nowhere.city", "geo.city.x", "id.*"])
def test_a_field_that_is_within_no_record_is_missing(path):
    with pytest.raises(MissingFields, match="columns="):
        columns_of(parse_writer_schema(PLACES, "k"), [path])
