from __future__ import annotations

from typing import Any

import pytest

from airflow_agari_provider.avro.schemas import parse_reader_schema
from airflow_agari_provider.avro.unions import UnionTags, branch_names

ENUM = {"type": "enum", "name": "e", "symbols": ["a", "b"]}
DATE, TIME = {"type": "int", "logicalType": "date"}, {"type": "int", "logicalType": "time-millis"}
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}
UUID = {"type": "string", "logicalType": "uuid"}


def rec(name: str, **fields: Any) -> Any:
    return {"type": "record", "name": name, "fields": [{"name": key, "type": kind} for key, kind in fields.items()]}


def of_map(kind: Any) -> Any:
    return {"type": "map", "values": kind}


def of_array(kind: Any) -> Any:
    return {"type": "array", "items": kind}


def node(name: str, *others: str) -> Any:
    return rec(name, x=["null", name, *others])


def tags(union: Any, unions: Any = "auto") -> bool:
    schema = parse_reader_schema(rec("outer", v=union))
    return UnionTags(schema, unions).tags(schema.definition["fields"][0]["type"])


@pytest.mark.parametrize(
    "union",
    [
        pytest.param(["string", "bytes"], id="text and bytes"),
        pytest.param(["null", "string", ENUM], id="text and enum"),
        pytest.param(["string", DATE], id="a text may read like a date"),
        pytest.param(["string", DECIMAL], id="or like a decimal"),
        pytest.param(["string", UUID], id="or like a UUID"),
        pytest.param(["bytes", {"type": "fixed", "name": "f", "size": 2}], id="bytes and fixed"),
        pytest.param([ENUM, {"type": "enum", "name": "e2", "symbols": ["b", "c"]}], id="enums with a symbol in common"),
        pytest.param(["int", "long"], id="numbers"),
        pytest.param(["long", "double"], id="1 and 1.0 are one number to JavaScript"),
        pytest.param(["int", {"type": "long", "logicalType": "timestamp-nanos"}], id="nanoseconds are numbers"),
        pytest.param([rec("a", x="int"), rec("b", x="int")], id="equal records"),
        pytest.param([rec("a"), rec("b")], id="empty records"),
        pytest.param([rec("a", x="int", y="string"), rec("b", y="bytes", x="int")], id="fields in another order"),
        pytest.param([rec("a", x=["null", "int"]), rec("b", x=["null", "string"])], id="both may be null"),
        pytest.param([of_map("int"), rec("a", x="long")], id="map and record"),
        pytest.param([of_map("int"), rec("a")], id="map and empty record"),
        pytest.param([rec("a", x=of_map("int")), rec("b", x=of_map("string"))], id="both maps may be empty"),
        pytest.param([rec("a", x=of_array("int")), rec("b", x=of_array("string"))], id="both arrays may be empty"),
        pytest.param([node("a"), node("b")], id="recursive"),
        pytest.param([node("a", "b"), node("b", "a")], id="recursive through each other"),
        pytest.param(
            [rec("a", x=["string", "bytes"]), rec("b", x=rec("c", string="string"))], id="like a tagged union"
        ),
    ],
)
def test_branches_that_may_have_equal_json_are_tagged(union):
    if union[0] == node("a", "b"):
        union = [{"type": "record", "name": "a", "fields": [{"name": "x", "type": ["null", "a", node("b", "a")]}]}, "b"]
    assert tags(union)
    assert not tags(union, "plain")


@pytest.mark.parametrize(
    "union",
    [
        pytest.param(["null", "string"], id="one type besides null"),
        pytest.param(["string"], id="one type"),
        pytest.param(["int", "int"], id="equal types"),
        pytest.param(["null", "boolean", "int", "string", of_array("int"), of_map("int")], id="all differ in JSON"),
        pytest.param([DATE, TIME, UUID, DECIMAL], id="texts that differ in form"),
        pytest.param([ENUM, {"type": "enum", "name": "e2", "symbols": ["c", "d"]}], id="enums of other symbols"),
        pytest.param([rec("a", x="int"), rec("b", y="int")], id="records of other fields"),
        pytest.param([rec("a", x="int"), rec("b", x="string")], id="records of other types"),
        pytest.param([of_map("string"), rec("a", x="int")], id="no map of texts has a number"),
    ],
)
def test_unions_whose_json_tells_the_branch_are_not_tagged(union):
    assert not tags(union)
    assert tags(union, "tagged") is (len([kind for kind in union if kind != "null"]) > 1)


def test_the_name_of_a_branch_is_its_full_name_or_its_type():
    named = {"type": "record", "name": "com.agari.m"}
    assert branch_names(["null", "string", of_map("int"), named]) == ["null", "string", "map", "com.agari.m"]
    assert branch_names(["int", DATE]) == ["int", "int.date"]
