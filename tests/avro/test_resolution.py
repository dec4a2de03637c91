from __future__ import annotations

import pickle
from typing import Any

import pytest

from airflow_agari_provider.avro.resolution import ReaderSchemaMismatch, require_resolvable, sources
from airflow_agari_provider.avro.schemas import parse_reader_schema, parse_writer_schema


def mismatch(written: Any, wanted: Any) -> str | None:
    """Return why records of one schema cannot be read as another, or None if they can."""
    try:
        require_resolvable(parse_writer_schema(written, "s3://b/k"), parse_reader_schema(wanted), "s3://b/k")
    except ReaderSchemaMismatch as error:
        return error.problem
    return None


def record(*fields: Any, name: str = "r") -> Any:
    return {"type": "record", "name": name, "fields": list(fields)}


def field(kind: Any, name: str = "v", **more: Any) -> Any:
    return {"name": name, "type": kind, **more}


def fixed(size: int) -> Any:
    return {"type": "fixed", "name": "f", "size": size}


def decimal(precision: int, scale: int) -> Any:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


def array(items: Any) -> Any:
    return {"type": "array", "items": items}


NODE = record(field("int"), field(["null", "node"], "next"), name="node")


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        pytest.param("int", "double", id="promotion"),
        pytest.param("string", "bytes", id="text to bytes"),
        pytest.param(["int", "string"], "long", id="one branch of the file fits"),
        pytest.param("int", ["null", "long"], id="one branch of the reader fits"),
        pytest.param(array("int"), array("long"), id="items"),
        pytest.param(fixed(4), fixed(4), id="fixed of the same size"),
        pytest.param(decimal(6, 2), decimal(8, 4), id="decimal with more digits"),
        pytest.param("bytes", decimal(6, 2), id="bytes to decimal"),
        pytest.param(record(field("int")), record(), id="a field that is not wanted"),
        pytest.param(record(), record(field("int", default=0)), id="default"),
        pytest.param(record(field("int", "old")), record(field("int", aliases=["old"])), id="alias of a field"),
        pytest.param(record(name="a"), record(name="b") | {"aliases": ["a"]}, id="alias of a record"),
        pytest.param(record(name="com.agari.r"), record(name="org.r"), id="another namespace"),
        pytest.param(NODE, NODE, id="recursive"),
    ],
)
def test_a_schema_that_avro_resolves_is_accepted(written, wanted):
    assert mismatch(written, wanted) is None


@pytest.mark.parametrize(
    ("written", "wanted", "problem"),
    [
        pytest.param("long", "int", "the record is long in the file and int in reader_schema", id="no promotion"),
        pytest.param(
            record(field("string")),
            record(field(["null", "int"])),
            "field 'v' is string in the file, which is not one of its types in reader_schema",
            id="no branch of the reader fits",
        ),
        pytest.param(
            ["null", "string"], "int", "the record is string in the file and int in reader_schema", id="no branch fits"
        ),
        pytest.param(
            record(name="a"),
            record(name="b"),
            "the record is named 'a' in the file and 'b' in reader_schema",
            id="another name",
        ),
        pytest.param(
            record(),
            record(field("int")),
            "the file has no field 'v', which has no default in reader_schema",
            id="no default",
        ),
        pytest.param(
            fixed(4), fixed(5), "the record has 4 bytes in the file and 5 in reader_schema", id="fixed of another size"
        ),
        pytest.param(
            decimal(6, 2),
            decimal(6, 4),
            "the record is a decimal(6, 2) in the file, which does not fit into decimal(6, 4) in reader_schema",
            id="fewer digits before the point",
        ),
        pytest.param(
            {"type": "int", "logicalType": "date"},
            {"type": "long", "logicalType": "timestamp-millis"},
            "the record is date in the file and timestamp-millis in reader_schema",
            id="date to timestamp",
        ),
        pytest.param(
            decimal(6, 2), "string", "the record is a decimal in the file and a string in reader_schema", id="to text"
        ),
    ],
)
def test_a_schema_that_no_record_resolves_to_is_refused_with_the_reason(written, wanted, problem):
    assert mismatch(written, wanted) == problem


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param([field("int", "b", aliases=["a"])], {"b": "b"}, id="the name before the alias"),
        pytest.param([field("int", "c", aliases=["x", "b", "a"])], {"c": "b"}, id="the first alias that is there"),
        pytest.param(
            [field("int", "c", aliases=["a"]), field("int", "a")], {"a": "a"}, id="not the field of another name"
        ),
        pytest.param(
            [field("int", "c", aliases=["a"]), field("int", "d", aliases=["a", "b"])],
            {"c": "a", "d": "b"},
            id="not one field twice",
        ),
    ],
)
def test_each_field_of_the_reader_has_one_of_the_file(wanted, found):
    assert sources(record(field("int", "a"), field("int", "b")), record(*wanted)) == found


def test_the_error_names_the_file_and_survives_pickling():
    error = ReaderSchemaMismatch("s3://b/k", "the file has no field 'v'")
    assert str(error).startswith("The records of s3://b/k cannot be resolved to reader_schema: the file has no field")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
