"""Rows that a trigger, a view or an index refuses count as bad rows, and are quarantined."""

from __future__ import annotations

import pytest

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
