"""What only SQLite does."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.databases import sqlite
from airflow_agari_provider.databases.errors import UnstorableValue
from airflow_agari_provider.databases.sqlite import SqliteDialect
from airflow_agari_provider.databases.statements import execute, query, transaction

DIALECT = SqliteDialect()


@pytest.fixture
def writer(sqlite_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(sqlite_path)) as connection:
        DIALECT.prepare(connection)
        yield connection


def test_a_writer_waits_for_its_turn_until_the_other_one_counts_as_stuck(writer, sqlite_path, monkeypatch):
    monkeypatch.setattr(sqlite, "TURN_WAIT", 1)
    monkeypatch.setattr(sqlite, "TURN_TIMEOUT", 0)
    with closing(sqlite3.connect(sqlite_path)) as other, transaction(DIALECT, writer):
        DIALECT.prepare(other)
        with pytest.raises(sqlite3.OperationalError, match="locked") as caught:
            DIALECT.begin(other)
    assert DIALECT.fault(caught.value) == "passing"


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("INSERT INTO t VALUES (NULL)", "rows"),
        ("INSERT INTO t VALUES (1), (1)", "rows"),
        ("INSERT INTO nowhere VALUES (1)", "target"),
        ("no SQL", "target"),
    ],
)
def test_an_error_is_the_fault_of_the_rows_or_of_the_table(writer, sql, fault):
    execute(writer, "CREATE TABLE t (id INTEGER NOT NULL UNIQUE)")
    with pytest.raises(sqlite3.Error) as caught:
        execute(writer, sql)
    assert DIALECT.fault(caught.value) == fault


AT = datetime(2016, 4, 28, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("column", "value", "stored"),
    [
        (Column("v", None, "instant"), AT, "2016-04-28T05:00:00.000000+00:00"),
        (Column("v", None, "local_time"), AT.replace(tzinfo=None), "2016-04-28T05:00:00.000000"),
        (Column("v", None, "time"), time(5), "05:00:00.000000"),
        (Column("v", None, "date"), date(2016, 4, 28), "2016-04-28"),
        (Column("v", None, "decimal", precision=9, scale=4), Decimal("1.5000"), "1.5000"),
        (Column("v", None, "uuid"), UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (Column("v", None, "json"), {"a": 1}, '{"a":1}'),
        (Column("v", None, "double"), float("inf"), float("inf")),
        (Column("v", None, "long"), 5, 5),
    ],
    ids=lambda value: value.kind if isinstance(value, Column) else "",
)
def test_what_sqlite_has_no_type_for_is_stored_as_text_that_sorts(column, value, stored):
    assert DIALECT.values(column, [value, None]) in ([stored, None], (stored, None))


def test_nan_is_refused_because_sqlite_would_store_null():
    with pytest.raises(UnstorableValue, match="'v': SQLite cannot hold NaN"):
        DIALECT.values(Column("v", None, "double"), [1.0, None, float("nan")])


def test_a_column_that_is_there_is_not_added_again(writer):
    execute(writer, "CREATE TABLE t (id INTEGER)")
    for _ in range(2):
        DIALECT.add_column(writer, "t", '"more" TEXT')
    assert query(writer, "SELECT name FROM pragma_table_info('t')") == [("id",), ("more",)]


@pytest.mark.parametrize("connect", ["sqlite"], indirect=True)
def test_a_key_that_sqlite_would_make_up_is_not_made_up(imported, found):
    with pytest.raises(UnstorableValue, match="'k': a value is missing"):
        imported([], {"k": ["null", "int"]}, [{"k": None}], mode="upsert", key_columns=("k",), create_table=True)
