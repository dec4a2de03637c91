from __future__ import annotations

import io
import re
from typing import Any

import pytest

from airflow_agari_provider.avro.blocks import ContainerFile
from airflow_agari_provider.avro.columns import UnsupportedAvroType, columns_of
from airflow_agari_provider.avro.records import decode
from airflow_agari_provider.avro.schemas import parse_reader_schema, parse_writer_schema
from airflow_agari_provider.avro.union_branches import require_told_apart, with_branches
from tests.avro.container_files import written
from tests.avro.sample_schemas import record_of

ENUM = {"type": "enum", "name": "e", "symbols": ["a", "b"]}


def rec(name: str, kind: Any = "int", field: str = "x") -> Any:
    return {"type": "record", "name": name, "fields": [{"name": field, "type": kind}]}


def values(kind: Any, given: list[Any], reader: Any = None, unions: Any = "auto") -> list[Any]:
    """The values of a file's only field, as they become JSON."""
    file = ContainerFile(io.BytesIO(written(record_of(kind), [{"v": value} for value in given])))
    writer = parse_writer_schema(file.schema, "k")
    wanted = parse_reader_schema(record_of(reader)) if reader else None
    columns = columns_of(wanted or writer)
    return [v for batch in decode(file, *with_branches(writer, wanted, unions), columns) for v in batch.columns[0]]


@pytest.mark.parametrize(
    ("kind", "given", "found"),
    [
        pytest.param(
            ["null", "string", "bytes", ENUM],
            ["a", b"a", ("e", "a"), None],
            [{"string": "a"}, {"bytes": b"a"}, {"e": "a"}, None],
            id="texts",
        ),
        pytest.param(
            [rec("a.A"), rec("b.A")],
            [("a.A", {"x": 1}), ("b.A", {"x": 1})],
            [{"a.A": {"x": 1}}, {"b.A": {"x": 1}}],
            id="equal records of two namespaces",
        ),
        pytest.param(
            {"type": "array", "items": ["long", "double"]},
            [[1, 1.0]],
            [[{"long": 1}, {"double": 1.0}]],
            id="inside of an array",
        ),
        pytest.param(
            [rec("a.A"), rec("b.A", field="y")],
            [("b.A", {"y": 1}), ("a.A", {"x": 1})],
            [{"y": 1}, {"x": 1}],
            id="not where the records' fields tell",
        ),
        pytest.param(["null", "int", "string"], [1, "1", None], [1, "1", None], id="not where the value tells"),
        pytest.param(
            rec("n", ["null", "n", rec("m", ["null", "n", "m"])]),
            [{"x": ("m", {"x": ("n", {"x": None})})}],
            [{"x": {"m": {"x": {"n": {"x": None}}}}}],
            id="recursive",
        ),
        pytest.param(
            rec("outer", ["string", rec("named", ["string", "bytes"])]),
            [{"x": ("named", {"x": b"a"})}],
            [{"x": {"x": {"bytes": b"a"}}}],
            id="only the inner union",
        ),
    ],
)
@pytest.mark.parametrize("resolved", [False, True], ids=["as written", "to its own schema"])
def test_auto_keeps_the_branch_where_it_decides(kind, given, found, resolved):
    assert values(kind, given, kind if resolved else None) == found


def test_tagged_and_plain_do_so_everywhere_and_nowhere():
    assert values(["null", "int", "string"], [1, None], unions="tagged") == [{"int": 1}, None]
    assert values(["null", "string"], ["a", None], unions="tagged") == ["a", None]
    assert values(["string", "bytes"], ["a", b"a"], unions="plain") == ["a", b"a"]


@pytest.mark.parametrize(
    ("kind", "given", "reader", "found"),
    [
        pytest.param("string", ["a"], ["null", "string", "bytes"], [{"string": "a"}], id="no union in the file"),
        pytest.param(["int", "long"], [5, 2**40], "long", [5, 2**40], id="no union in reader_schema"),
        pytest.param(
            ["int", "string"],
            [5, "a"],
            ["string", "long", "double"],
            [{"long": 5}, {"string": "a"}],
            id="the reader's branch counts",
        ),
        pytest.param(
            [rec("p.A"), rec("p.B")],
            [("p.A", {"x": 1}), ("p.B", {"x": 2})],
            [rec("q.B", "long"), rec("q.A", "long")],
            [{"q.A": {"x": 1}}, {"q.B": {"x": 2}}],
            id="records in another order",
        ),
        pytest.param(
            {"type": "map", "values": rec("A")},
            [{"k": {"x": 1}}],
            {"type": "map", "values": [rec("A"), rec("B")]},
            [{"k": {"A": {"x": 1}}}],
            id="inside of a map",
        ),
    ],
)
def test_with_reader_schema_its_unions_decide(kind, given, reader, found):
    assert values(kind, given, reader) == found


def test_a_record_of_the_file_may_be_two_of_the_reader():
    def both(first: Any, second: Any) -> Any:
        return {
            "type": "record",
            "name": "two",
            "fields": [{"name": "a", "type": first}, {"name": "b", "type": second}],
        }

    wanted = both(rec("p.A", ["string", "bytes"]), rec("q.A", ["null", "string", ENUM]))
    found = values(both(rec("A", "string"), "A"), [{"a": {"x": "1"}, "b": {"x": "2"}}], wanted)
    assert found == [{"a": {"x": {"string": "1"}}, "b": {"x": {"string": "2"}}}]


def test_a_record_that_is_not_wanted_may_hold_itself():
    again = {"name": "again", "type": ["null", "a.b.r", "int"]}
    fields = [{"name": "v", "type": ["string", "bytes"]}]
    whole = {"type": "record", "name": "r", "namespace": "a.b", "fields": [*fields, again]}
    data = written(whole, [{"v": "x", "again": {"v": b"y", "again": None}}])
    file = ContainerFile(io.BytesIO(data))
    writer, reader = parse_writer_schema(file.schema, "k"), parse_reader_schema(whole | {"fields": fields})
    (batch,) = decode(file, *with_branches(writer, reader, "auto"), columns_of(reader))
    assert list(batch.columns[0]) == [{"string": "x"}]


def test_defaults_of_reader_schema_say_their_branch():
    fields = [
        {"name": "text", "type": ["string", "bytes"], "default": "q"},
        {"name": "none", "type": ["null", "string", "bytes"], "default": None},
        {"name": "texts", "type": {"type": "array", "items": ["bytes", "string"]}, "default": ["é"]},
        {"name": "inner", "type": rec("i", ["int", "long"]), "default": {"x": 2**40}},
    ]
    wanted = {"type": "record", "name": "w", "fields": fields}
    (found,) = values({"type": "record", "name": "w", "fields": []}, [{}], wanted)
    assert found == {
        "text": {"string": "q"}, "none": None, "texts": [{"bytes": b"\xe9"}], "inner": {"x": {"long": 2**40}},
    }  # fmt: skip


def test_plain_refuses_columns_whose_branch_would_be_lost_and_only_these():
    inner = {"type": "array", "items": rec("i", ["null", "string", "bytes"])}
    fields = [{"name": "id", "type": ["int", "string"]}, {"name": "v", "type": inner}]
    schema = parse_reader_schema({"type": "record", "name": "r", "fields": fields})
    require_told_apart(schema, columns_of(schema), "auto")
    require_told_apart(schema, columns_of(schema, ["id"]), "plain")
    with pytest.raises(UnsupportedAvroType, match=re.escape("'v': a union has the types string and bytes")):
        require_told_apart(schema, columns_of(schema), "plain")
    whole = parse_reader_schema(["string", "bytes"])
    with pytest.raises(UnsupportedAvroType, match="equal JSON"):
        require_told_apart(whole, columns_of(whole), "plain")
