from __future__ import annotations

import pytest

from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.avro.schema_shape import Extent
from airflow_agari_provider.avro.schemas import parse_reader_schema, parse_writer_schema
from tests.avro.container_files import batches, by_hand
from tests.avro.sample_schemas import record, record_of, tree


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


def test_a_small_schema_of_many_types_is_read_without_making_them_all():
    assert batches(by_hand(tree(45, "int", nullable=True), (1, b"\0\0"))) == [Batch(1, ((None,), (None,)))]


NODE = {"type": "record", "name": "node", "fields": [{"name": "next", "type": ["null", "node"]}]}


@pytest.mark.parametrize(
    ("kind", "extent"),
    [
        pytest.param("int", Extent(1), id="number"),
        pytest.param("null", Extent(1, 1, True), id="null"),
        pytest.param({"type": "fixed", "name": "f", "size": 0}, Extent(1, 1, True), id="fixed without bytes"),
        pytest.param(["null", "int"], Extent(2), id="union"),
        pytest.param({"type": "map", "values": {"type": "array", "items": "int"}}, Extent(3), id="map of arrays"),
        pytest.param(record_of("null"), Extent(2, 1, True), id="record of a null"),
        pytest.param(record(), Extent(1, 1, True), id="record without fields"),
        pytest.param(
            record(*({"name": name, "type": kind} for name, kind in zip("abc", ["null", "int", "null"], strict=True))),
            Extent(2, 2, False),
            id="record of nulls and a number",
        ),
        pytest.param(tree(4, "null"), Extent(5, 8, True), id="records of records"),
        pytest.param(NODE, Extent(3), id="recursive"),
    ],
)
def test_depth_and_parts_without_bytes_are_counted(kind, extent):
    assert parse_reader_schema(kind).shape.whole == extent


@pytest.mark.parametrize(
    ("items", "boundless"),
    [("int", False), ("null", True), (record_of("null"), True), (["null", "int"], False)],
    ids=["numbers", "nulls", "records of a null", "nullable numbers"],
)
def test_an_array_of_items_without_bytes_is_boundless(items, boundless):
    assert parse_reader_schema({"type": "array", "items": items}).shape.boundless is boundless
