from __future__ import annotations

import pickle

import pytest

from airflow_agari_provider.avro.columns import Column, MissingFields, UnsupportedAvroType, columns_of
from airflow_agari_provider.avro.schemas import parse_reader_schema, parse_writer_schema
from airflow_agari_provider.exceptions import BadAvro


def record(*fields: dict[str, object]) -> dict[str, object]:
    return {"type": "record", "name": "message", "namespace": "com.agari", "fields": list(fields)}


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


@pytest.mark.parametrize(
    ("kind", "recursive"),
    [
        pytest.param("int", False, id="plain"),
        pytest.param(["null", "com.agari.message"], True, id="itself"),
        pytest.param({"type": "array", "items": "com.agari.message"}, True, id="in an array"),
        pytest.param(
            {"type": "record", "name": "n", "fields": [{"name": "m", "type": {"type": "map", "values": "message"}}]},
            True,
            id="by way of another",
        ),
        pytest.param(
            {"type": "record", "name": "n", "fields": [{"name": "x", "type": ["null", "n"]}]}, True, id="inside"
        ),
        pytest.param({"type": "record", "name": "n", "fields": [{"name": "x", "type": "int"}]}, False, id="nested"),
    ],
)
def test_a_type_that_holds_itself_is_known(kind, recursive):
    assert parse_writer_schema(record({"name": "f", "type": kind}), "").recursive is recursive


def test_a_type_used_twice_is_not_recursive():
    empty = {"type": "record", "name": "n", "fields": [{"name": "v", "type": "int"}]}
    schema = record({"name": "a", "type": empty}, {"name": "b", "type": {"type": "array", "items": "n"}})
    assert parse_writer_schema(schema, "").recursive is False


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


def test_two_fields_for_one_column_are_refused():
    with pytest.raises(ValueError, match="column 'x'"):
        columns_of(SCHEMA, {"a": "x", "b": "x"})


def test_a_record_without_fields_is_refused():
    with pytest.raises(UnsupportedAvroType, match="no fields"):
        columns_of(parse_writer_schema(record(), ""))


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
    """Some writers put down defaults of another type."""
    schema = record({"name": "a", "type": "int", "default": "none"})
    assert columns_of(parse_writer_schema(schema, ""))[0].kind == "integer"
    with pytest.raises(ValueError, match="Default"):
        parse_reader_schema(schema)


def test_a_java_namespace_with_a_dollar_is_taken():
    schema = record({"name": "a", "type": "int"}) | {"namespace": "com.agari.Outer$"}
    assert columns_of(parse_writer_schema(schema, ""))[0].name == "a"
