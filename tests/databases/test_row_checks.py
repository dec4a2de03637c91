"""Values that a database would silently change are found before they are sent, in batches of both kinds."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.databases.base import Target
from airflow_agari_provider.databases.errors import UnstorableValue
from airflow_agari_provider.databases.row_checks import checked, rows_at_once
from tests.avro_import.importers import QUARANTINE
from tests.databases.loading import MYSQL
from tests.fix_databases import DATABASES, WITHOUT_ARROW

KEY, WORD = Column("k", "k", "integer"), Column("w", "w", "text")
TARGET = Target("t", (KEY, WORD), ("k",))
TEXT = {"k": "string"}  # fields of an object


def plain(keys: list[Any], words: list[Any]) -> Batch:
    return Batch(len(keys), (tuple(keys), tuple(words)))


def arrow(keys: list[Any], words: list[Any]) -> Batch:
    pyarrow = pytest.importorskip("pyarrow", reason="the extra [arrow] is not installed")
    from airflow_agari_provider.avro.arrow.batches import ArrowBatch

    return ArrowBatch(len(keys), (), (pyarrow.array(keys, "int32"), pyarrow.array(words, "string")))


both_kinds = pytest.mark.parametrize("batch", [plain, arrow])


@both_kinds
def test_sound_batches_pass_as_they_are(batch):
    batches = [batch([1, 2], ["äöü", None]), batch([3], [None])]
    passed = list(checked(TARGET, batches, {"w": 3}))
    assert all(one is other for one, other in zip(passed, batches, strict=True))


@both_kinds
@pytest.mark.parametrize(
    ("keys", "words", "problem"),
    [
        ([1, None], ["a", "b"], "'k': a value is missing, although the column is part of the key"),
        ([1, 2], ["abc", "abcd"], "'w': a text has 4 characters, but the column can hold 3"),
    ],
    ids=["key", "text"],
)
def test_a_value_that_would_be_changed_is_refused(batch, keys, words, problem):
    with pytest.raises(UnstorableValue, match=problem):
        list(checked(TARGET, [batch(keys, words)], {"w": 3}))


@both_kinds
def test_a_text_may_be_long_where_the_column_has_no_limit(batch):
    assert len(list(checked(TARGET, [batch([1], ["x" * 9999])], {}))) == 1


BYTES = Column("b", "b", "bytes")


@pytest.mark.parametrize(
    ("columns", "values", "statement_bytes", "rows"),
    [
        ([KEY], [[1, 2, 3]], 1010, 10),  # 101 bytes for each row
        ([WORD], [["x" * 100, None]], 5010, 10),  # 4 * 100 + 101
        ([WORD, BYTES], [["x" * 50], [b"x" * 50]], 4006, 6),  # 4 * 100 + 201
        ([WORD], [["x" * 100]], 250, 1),
    ],
    ids=["numbers", "texts", "texts and bytes", "one row that is smaller than feared"],
)
def test_as_many_rows_go_into_a_statement_as_surely_fit(columns, values, statement_bytes, rows):
    assert rows_at_once(columns, values, statement_bytes) == rows


def test_a_row_that_does_not_fit_alone_is_refused_by_its_largest_column():
    with pytest.raises(
        UnstorableValue, match="'w': its row takes 210 bytes, more than the server's max_allowed_packet"
    ):
        rows_at_once([WORD, BYTES], [["'" * 100], [b"x" * 10]], 300)


@pytest.mark.parametrize("connect", [*DATABASES, WITHOUT_ARROW, "pymysql", "mysql.connector"], indirect=True)
def test_a_key_without_a_value_is_not_a_key(imported, found):
    table = ["CREATE TABLE scored (k VARCHAR(20) UNIQUE, v INTEGER)"]
    fields = {"k": ["null", "string"], "v": "int"}
    rows = [{"k": None, "v": 1}, {"k": "a", "v": 2}, {"k": None, "v": 3}]
    upsert: dict[str, Any] = {"mode": "upsert", "key_columns": ("k",)}
    with pytest.raises(UnstorableValue, match="'k': a value is missing"):
        imported(table, fields, rows, **upsert)
    assert found() == []
    one = imported([], fields, rows, **upsert, **QUARANTINE)
    assert (one.rows, one.quarantined_rows) == (1, 2)
    assert found() == [("a", 2)]


@pytest.mark.parametrize(
    "connect", ["psycopg", "psycopg2", WITHOUT_ARROW, "mysqlclient", "pymysql", "mysql.connector"], indirect=True
)
def test_a_text_that_is_too_long_only_by_spaces_is_not_cut(imported, found):
    table = ["CREATE TABLE scored (k VARCHAR(3))"]
    rows = [{"k": "ab "}, {"k": "äöü"}, {"k": "ab     "}]
    with pytest.raises(UnstorableValue, match="'k': a text has 7 characters, but the column can hold 3"):
        imported(table, TEXT, rows)
    assert imported([], TEXT, rows, **QUARANTINE).quarantined_rows == 1
    assert found("SELECT k FROM scored ORDER BY 1") == [("ab ",), ("äöü",)]


@pytest.mark.parametrize("connect", MYSQL, indirect=True)
def test_a_row_that_is_too_large_for_a_statement_is_quarantined(imported, found):
    """MySQL hangs up on it, which would else look like a connection that broke."""
    ((packet,),) = found("SELECT @@max_allowed_packet")
    rows = [{"k": "x" * (int(packet) + 1)}, {"k": "good"}, {"k": "'" * (int(packet) // 2 + 1)}]
    table = ["CREATE TABLE scored (k LONGTEXT)"]
    with pytest.raises(
        UnstorableValue, match=r"'k': its row takes .* bytes, more than the server's max_allowed_packet"
    ):
        imported(table, TEXT, rows)
    one = imported([], TEXT, rows, **QUARANTINE)
    assert (one.rows, one.quarantined_rows) == (1, 2)
    assert found() == [("good",)]


@pytest.mark.parametrize("connect", MYSQL, indirect=True)
def test_rows_that_are_too_large_together_go_one_by_one(imported, found):
    ((packet,),) = found("SELECT @@max_allowed_packet")
    rows = [{"k": "x" * (int(packet) // 5)} for _ in range(7)]
    assert imported(["CREATE TABLE scored (k LONGTEXT)"], TEXT, rows).rows == 7
    assert found("SELECT COUNT(*) FROM scored") == [(7,)]
