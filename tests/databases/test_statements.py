"""The SQL that is the same in every database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.databases.base import Target
from airflow_agari_provider.databases.dialects import dialect_of
from airflow_agari_provider.databases.errors import SameColumn, UnstorableValue
from airflow_agari_provider.databases.sqlite import SqliteDialect
from airflow_agari_provider.databases.statements import (
    as_json,
    create_table,
    execute,
    insert_batches,
    names_beside,
    query,
    savepoint,
    table_columns,
    transaction,
    with_placeholders,
)
from tests.databases.loading import ID, KEYED, every_way, loaded

MARK = "agari-2016-04-28-next-value"  # stands between values while they are encoded


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([], []),
        ([None, None], [None, None]),
        ([None, {"a": 1}, None, [1.5]], [None, '{"a":1}', None, "[1.5]"]),
        ([[1, MARK, 2], 3], [f'[1,"{MARK}",2]', "3"]),
        ([MARK, MARK], [f'"{MARK}"', f'"{MARK}"']),
        ([1, MARK, 2], ["1", f'"{MARK}"', "2"]),
    ],
    ids=["none", "nulls", "between nulls", "a mark inside", "marks alone", "a mark between"],
)
def test_each_value_becomes_a_json_text_of_its_own(values, texts):
    assert as_json(Column("v", None, "json"), values) == texts


def test_a_long_value_without_a_json_form_is_told_in_part():
    with pytest.raises(UnstorableValue, match=r"Column 'v': \['x{91}… \(cut\) has no JSON form"):
        as_json(Column("v", None, "json"), [["x" * 200, float("nan")]])


@every_way
def test_names_are_quoted(connection):
    target = Target(
        "order", (Column('a"b', None, "integer"), Column("c`d", None, "text"), Column("SELECT", None, "text"))
    )
    assert loaded(connection, target, [(1, "x", "y")]) == 1
    assert table_columns(dialect_of(connection), connection, "order") == ['a"b', "c`d", "SELECT"]


@pytest.mark.parametrize("name", ["", "a%b", "a\0b"])
def test_a_name_that_no_driver_takes_is_refused(connection, name):
    with pytest.raises(ValueError, match="cannot be the name"):
        loaded(connection, Target("t", (Column(name, None, "integer"),)))


def test_a_connection_whose_cursors_give_dicts_is_as_good(cleared_postgres_uri):
    """As the hook's extra ``{"cursor": "dictcursor"}`` makes them."""
    psycopg = pytest.importorskip("psycopg")
    with closing(psycopg.connect(cleared_postgres_uri, row_factory=psycopg.rows.dict_row)) as connection:
        assert loaded(connection, KEYED, [(1, "a", 1)]) == 1
        assert query(connection, "SELECT id, name FROM t") == [(1, "a")]


@pytest.fixture
def table(connection: Any) -> Any:
    """A connection to a database with an empty table ``t``."""
    create_table(dialect_of(connection), connection, Target("t", (ID,)))
    return connection


def insert(table: Any, *numbers: int | None) -> None:
    """Insert rows one by one; the database refuses None."""
    for number in numbers:
        execute(table, f"INSERT INTO t VALUES ({'NULL' if number is None else number})")


def test_a_transaction_keeps_all_or_on_an_exception_nothing(table):
    dialect = dialect_of(table)
    with transaction(dialect, table):
        insert(table, 1)
    with pytest.raises(dialect.driver.Error), transaction(dialect, table):
        insert(table, 2, None)
    assert query(table, "SELECT id FROM t") == [(1,)]


def test_a_savepoint_undoes_what_failed_and_the_transaction_goes_on(table):
    dialect = dialect_of(table)
    with transaction(dialect, table):
        with savepoint(dialect, table):
            insert(table, 1)
        with pytest.raises(dialect.driver.Error), savepoint(dialect, table):
            insert(table, 2, None)
        insert(table, 3)
    assert query(table, "SELECT id FROM t ORDER BY id") == [(1,), (3,)]


def test_a_statement_tells_how_many_rows_it_changed(table):
    with transaction(dialect_of(table), table):
        assert execute(table, "INSERT INTO t VALUES (1), (2), (3)") == 3
        assert execute(table, "DELETE FROM t WHERE id > 1") == 2


@pytest.mark.parametrize(
    ("placeholder", "sql"),
    [("?", "SELECT a FROM t WHERE b = ? AND c = ?"), ("%s", "SELECT a FROM t WHERE b = %s AND c = %s")],
)
def test_a_statement_has_the_placeholders_of_the_driver(placeholder, sql):
    assert with_placeholders("SELECT a FROM t WHERE b = ? AND c = ?", placeholder) == sql


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("scored", "public", "scored", "public"), ("scored", "public.scored")),
        (("public.scored", "public", "scored", "public"), ("scored", "public.scored")),
        (("scored", "app", "scored", "public"), ("app.scored", "scored")),
        (("app.scored", "app", "scored", "public"), ("app.scored",)),
        (("SCORED", "main", "scored", "main"), ("scored", "main.scored", "SCORED")),
    ],
    ids=["short", "whole", "another schema, short", "another schema, whole", "another case"],
)
def test_a_table_is_known_by_one_name_first(arguments, names):
    assert names_beside(*arguments) == names


def test_two_fields_for_one_column_are_refused_before_the_table_is_created(sqlite_path):
    target = Target("t", (Column("id", "id", "integer"), Column("ID", "other", "integer")))
    with closing(sqlite3.connect(sqlite_path)) as connection:
        dialect = dialect_of(connection)
        with pytest.raises(SameColumn, match="'id' and 'ID'"):
            create_table(dialect, connection, target)
        assert not dialect.table_exists(connection, "t")


def test_a_batch_is_inserted_in_parts_where_that_is_asked_for(sqlite_path):
    asked: list[tuple[list[Column], list[Any]]] = []

    def two_at_once(columns: Any, values: Any) -> int:
        asked.append((list(columns), list(values)))
        return 2

    with closing(sqlite3.connect(sqlite_path)) as connection:
        execute(connection, "CREATE TABLE t (id INTEGER)")
        batches = [Batch(3, ((1, 2, 3),)), Batch(0, ((),)), Batch(1, ((4,),))]
        sql = "INSERT INTO t VALUES (?)"
        assert insert_batches(SqliteDialect(), connection, sql, KEYED.columns[:1], batches, two_at_once) == 4
        assert query(connection, "SELECT id FROM t") == [(1,), (2,), (3,), (4,)]
    assert asked == [([ID], [(1, 2, 3)]), ([ID], [(4,)])]
