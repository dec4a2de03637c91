from __future__ import annotations

import pickle
from typing import Any

import pytest

from airflow_agari_provider.avro.arrow.schema import NotForArrow, plain_schema
from airflow_agari_provider.avro.schemas import parse_reader_schema
from tests.avro.arrow.decoding import rows
from tests.avro.container_files import written
from tests.avro.sample_schemas import record_of

pytest.importorskip("datafusion", reason="the extra [arrow] is not installed")


def test_types_that_name_each_other_are_left_to_fastavro_before_they_are_too_many(caplog):
    kind: Any = {"type": "record", "name": "r0", "fields": [{"name": "x", "type": "int"}]}
    for number in range(1, 40):
        fields = [{"name": "a", "type": ["null", kind]}, {"name": "b", "type": ["null", f"r{number - 1}"]}]
        kind = {"type": "record", "name": f"r{number}", "fields": fields}
    with caplog.at_level("INFO"):
        assert rows("auto", written(kind, [{"a": None, "b": None}])) == [(None, None)]
    assert "more than 10000 types" in caplog.text


DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}


@pytest.mark.parametrize(
    ("kind", "plain"),
    [
        pytest.param("string", {"type": "string"}, id="text"),
        pytest.param(["null", "int"], ["null", {"type": "int"}], id="nullable"),
        pytest.param({"type": "enum", "name": "e", "symbols": ["x", "y"]}, "int", id="enum"),
        pytest.param({"type": "long", "logicalType": "timestamp-micros"}, {"type": "long"}, id="instant"),
        pytest.param(
            {"type": "string", "logicalType": "uuid"}, {"type": "string", "logicalType": "uuid"}, id="uuid as text"
        ),
        pytest.param(
            {"type": "fixed", "name": "u", "size": 16, "logicalType": "uuid"},
            {"type": "fixed", "name": "n0", "size": 16},
            id="uuid of 16 bytes",
        ),
        pytest.param(DECIMAL, DECIMAL, id="decimal"),
        pytest.param(
            record_of({"type": "array", "items": "double"}),
            {
                "type": "record",
                "name": "n0",
                "fields": [{"name": "f0", "type": {"type": "array", "items": {"type": "double"}}}],
            },
            id="record of an array",
        ),
    ],
)
def test_a_schema_for_arrow_describes_the_same_bytes_under_plain_names(kind, plain):
    schema = parse_reader_schema(kind)
    assert plain_schema(schema, schema.definition) == plain


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        pytest.param(["null", "int", "string"], "the schema has a union of 3 types", id="union"),
        pytest.param(
            {"type": "record", "name": "r", "fields": []}, "the schema has a record without fields", id="empty"
        ),
        pytest.param(
            record_of(["null", "r"]), "the schema has records that hold records of their own type", id="itself"
        ),
        pytest.param(DECIMAL | {"precision": 39}, "the schema has a decimal of 39 digits", id="decimal"),
    ],
)
def test_what_arrow_cannot_decode_is_refused_with_the_reason(kind, problem):
    schema = parse_reader_schema(kind)
    with pytest.raises(NotForArrow) as caught:
        plain_schema(schema, schema.definition)
    assert str(caught.value) == problem


def test_the_problem_survives_the_way_between_processes():
    error = pickle.loads(pickle.dumps(NotForArrow("the schema has a record without fields")))
    assert (error.problem, str(error)) == ("the schema has a record without fields",) * 2
