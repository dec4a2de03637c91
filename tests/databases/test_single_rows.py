"""Rows that a trigger, a view, an index or a check refuses are found one by one; an import quarantines them."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.databases.base import Target
from airflow_agari_provider.databases.single_rows import RowInserts, insert_rows
from airflow_agari_provider.databases.sqlite import SqliteDialect
from tests.avro_import.importers import QUARANTINE
from tests.databases.loading import MYSQL

TEXT = {"k": "string"}  # fields of an object

RAISE = "BEGIN IF NEW.k = 'bad' THEN RAISE EXCEPTION 'not this'; END IF; RETURN NEW; END"
POSTGRES_TRIGGER = [
    "CREATE TABLE scored (k text)",
    f"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ {RAISE} $$",
    "CREATE TRIGGER t BEFORE INSERT ON scored FOR EACH ROW EXECUTE FUNCTION f()",
]
SIGNAL = "BEGIN IF NEW.k = 'bad' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not this'; END IF; END"
MYSQL_TRIGGER = [
    "CREATE TABLE scored (k VARCHAR(20))",
    f"CREATE TRIGGER t BEFORE INSERT ON scored FOR EACH ROW {SIGNAL}",
]
SQLITE_TRIGGER = [
    "CREATE TABLE scored (k TEXT)",
    "CREATE TRIGGER t BEFORE INSERT ON scored WHEN NEW.k = 'bad' BEGIN SELECT RAISE(ABORT, 'not this'); END",
]
VIEW = [
    "CREATE TABLE stored (k VARCHAR(20))",
    "CREATE VIEW scored AS SELECT k FROM stored WHERE k <> 'bad' WITH CHECK OPTION",
]


@pytest.mark.parametrize(
    ("connect", "statements"),
    [
        ("psycopg", POSTGRES_TRIGGER),
        ("psycopg2", POSTGRES_TRIGGER),
        *[(driver, MYSQL_TRIGGER) for driver in MYSQL],
        ("sqlite", SQLITE_TRIGGER),
        ("mysqlclient", VIEW),
    ],
    indirect=["connect"],
)
def test_a_row_that_a_trigger_or_a_view_refuses_is_quarantined(imported, found, statements):
    one = imported(statements, TEXT, [{"k": "bad"}, {"k": "good"}], **QUARANTINE)
    assert (one.rows, one.quarantined_rows) == (1, 1)
    assert found() == [("good",)]


@pytest.mark.parametrize("connect", ["psycopg", "psycopg2"], indirect=True)
def test_a_value_that_is_too_long_for_an_index_is_quarantined(imported, found):
    long = "".join(chr(33 + number * number % 90) + str(number) for number in range(9000))
    one = imported(["CREATE TABLE scored (k text PRIMARY KEY)"], TEXT, [{"k": long}, {"k": "good"}], **QUARANTINE)
    assert (one.rows, one.quarantined_rows) == (1, 1)
    assert found() == [("good",)]


@pytest.fixture
def inserted(sqlite_path):
    """What becomes of rows that are inserted into ``t (k INTEGER CHECK (k < 3), v TEXT)`` one by one, and the table."""

    def insert(keys, values=None, **how):
        target = Target("t", (Column("k", "k", "integer"), Column("v", "v", "text")), tuple(how.pop("key_columns", ())))
        with closing(sqlite3.connect(sqlite_path)) as connection:
            connection.execute("CREATE TABLE t (k INTEGER CHECK (k < 3), v TEXT)")
            batch = Batch(len(keys), (keys, values or ["x"] * len(keys)))
            statement = RowInserts("INSERT INTO t VALUES (?, ?)", **how)
            done = insert_rows(SqliteDialect(sqlite3), connection, target, batch, statement)
            return done, connection.execute("SELECT k FROM t").fetchall()

    return insert


@pytest.mark.parametrize("savepoints", [True, False])
@pytest.mark.parametrize(
    ("keys", "rows", "refused"),
    [
        ([], 0, []),
        ([1], 1, []),
        ([9], 0, [0]),
        ([1, 9, 2, 9, 9, 0], 3, [1, 3, 4]),
        ([9, 9], 0, [0, 1]),
        ([None, 1, 1], 3, []),
    ],
    ids=str,
)
def test_every_row_is_inserted_or_refused_by_its_position(inserted, savepoints, keys, rows, refused):
    done, found = inserted(keys, savepoints=savepoints)
    assert (done.rows, [position for position, _ in done.refused]) == (rows, refused)
    assert [key for (key,) in found] == [key for position, key in enumerate(keys) if position not in refused]


def test_what_the_database_would_cut_is_refused_before_it_is_sent(inserted):
    done, found = inserted([0, 1, 2], ["ü😀", "abc", None], lengths={"v": 2})
    assert (done.rows, [position for position, _ in done.refused], found) == (2, [1], [(0,), (2,)])
    assert done.refused[0][1].args == ("v", "a text has 3 characters, but the column can hold 2", None)


def test_an_error_that_is_not_of_the_row_ends_the_import(sqlite_path):
    target, how = Target("t", (Column("k", "k", "integer"),)), RowInserts("INSERT INTO t VALUES (?)")
    with closing(sqlite3.connect(sqlite_path)) as connection, pytest.raises(sqlite3.OperationalError, match="no such"):
        insert_rows(SqliteDialect(sqlite3), connection, target, Batch(1, ((1,),)), how)
