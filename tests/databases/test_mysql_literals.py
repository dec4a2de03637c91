"""Rows of Arrow arrays as text of a statement, by hand; ``test_arrow_texts.py`` loads them into real servers."""

from __future__ import annotations

from decimal import Decimal

import pytest

from airflow_agari_provider.avro.arrow.batches import arrow_batch
from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.databases import mysql_literals
from airflow_agari_provider.databases.errors import UnstorableValue
from airflow_agari_provider.databases.mysql_literals import in_parts, insert_parts

pa = pytest.importorskip("pyarrow", reason="the extra [arrow] is not installed")
HEAD = "INSERT INTO t VALUES "


def statements(kind, array, room=10**6):
    column = Column("v", "v", kind)
    batch = arrow_batch(len(array), (column,), (array,))
    return [bytes(part).decode() for part in insert_parts(HEAD, (column,), [batch], room, lambda batch: [])]


@pytest.mark.parametrize(
    ("kind", "array", "values"),
    [
        ("text", ["", "a'b\\c", "'\\'", None, "ü😀\n"], "('')|('a''b\\\\c')|('''\\\\''')|(NULL)|('ü😀\n')"),
        ("bytes", [b"", b"\x00'\\\xff", None], "(x'')|(x'0027" + "5cff')|(NULL)"),
        ("boolean", [True, False, None], "(1)|(0)|(NULL)"),
        ("long", [-(2**63), 2**63 - 1, None], "(-9223372036854775808)|(9223372036854775807)|(NULL)"),
        ("double", [1.5, -0.0, 5e-324, None], "(1.5e0)|(-0e0)|(5e-324)|(NULL)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_value_is_a_literal_that_the_server_reads_as_the_same_value(kind, array, values):
    assert statements(kind, pa.array(array)) == [HEAD + values.replace("|", ",")]


def test_a_float_has_the_digits_of_a_double():
    assert statements("float", pa.array([0.1], "float32")) == [HEAD + "(0.10000000149011612e0)"]


def test_a_decimal_keeps_its_zeros():
    assert statements("decimal", pa.array([Decimal("-123.4500")])) == [HEAD + "('-123.4500')"]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_none_is_refused(number):
    with pytest.raises(UnstorableValue, match="'v': MySQL cannot hold NaN or infinity"):
        statements("double", pa.array([1.0, None, number]))


def test_a_slice_of_an_array_has_only_its_own_rows():
    assert statements("text", pa.array(["no", "a'", None, "no"])[1:3]) == [HEAD + "('a'''),(NULL)"]


@pytest.mark.parametrize(("room", "count"), [(10**6, 1), (12, 2), (11, 4), (5, 4)])
def test_statements_hold_as_many_rows_as_the_server_accepts(room, count):
    """Each row takes six bytes with the comma after it, which the last one of a statement does not have."""
    found = statements("text", pa.array(["a"] * 4), room)
    assert len(found) == count
    assert ",".join(one.removeprefix(HEAD) for one in found) == "('a'),('a'),('a'),('a')"


def test_a_row_that_alone_is_too_large_is_named_by_its_largest_column():
    columns = (Column("small", "small", "text"), Column("large", "large", "text"))
    batch = arrow_batch(2, columns, (pa.array(["a", "b"]), pa.array(["a", "b" * 90])))
    with pytest.raises(UnstorableValue, match="'large': its row takes 98 bytes, more than"):
        list(insert_parts(HEAD, columns, [batch], 97, lambda batch: []))
    assert len(list(insert_parts(HEAD, columns, [batch], 98, lambda batch: []))) == 2


def test_a_batch_without_rows_is_no_statement_and_other_batches_are_rows_of_the_driver():
    column = Column("v", "v", "integer")
    batches = [arrow_batch(0, (column,), (pa.array([], "int32"),)), Batch(0, ((),)), Batch(2, ((1, 2),))]
    assert list(insert_parts(HEAD, (column,), batches, 99, lambda batch: [list(batch.columns)])) == [[(1, 2)]]


def test_a_large_batch_is_parted_without_losing_a_row(monkeypatch):
    monkeypatch.setattr(mysql_literals, "PART_BYTES", 16)
    column = Column("v", "v", "long")
    parts = list(in_parts((column,), arrow_batch(7, (column,), (pa.array(range(7)),))))
    assert sum(part.rows for part in parts) == 7
    assert [value for part in parts for value in part.arrays[0].to_pylist()] == list(range(7))
    assert max(part.arrays[0].nbytes for part in parts) <= 16
