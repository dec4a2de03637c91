"""Rows that a database refuses, or would change without a word: always told as the rows' fault, and quarantined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import pytest

from airflow_agari_provider.avro_import.importer import Importer
from airflow_agari_provider.avro_import.job import ImportedObject, ImportJob
from airflow_agari_provider.databases.errors import NoUniqueKey, OtherUniqueKey, UnstorableValue
from airflow_agari_provider.databases.statements import execute, query
from tests.avro.scored_messages import avro_file
from tests.fix_databases import DATABASES, WITHOUT_ARROW

QUARANTINE = {"on_bad_block": "quarantine", "quarantine_url": "s3://agari/quarantine"}
TEXT = {"k": "string"}
MYSQL = ("mysqlclient", "pymysql", "mysql.connector")


@pytest.fixture
def imported(connect: Callable[[], Any], s3: Any, bucket: str) -> Callable[..., ImportedObject]:
    """Imports rows into the table that some statements make."""

    def imported(
        statements: Sequence[str], fields: dict[str, Any], rows: list[dict[str, Any]], **job: Any
    ) -> ImportedObject:
        with closing(connect()) as connection:
            for statement in statements:
                execute(connection, statement)
            connection.commit()
        schema = {"type": "record", "name": "r", "fields": [{"name": n, "type": t} for n, t in fields.items()]}
        s3.put_object(Bucket=bucket, Key="a.avro", Body=avro_file(rows, schema))
        with closing(Importer(connect(), s3, ImportJob("scored", "r", **job))) as importer:
            return importer.import_object(bucket, "a.avro")

    return imported


@pytest.fixture
def found(connect: Callable[[], Any]) -> Callable[..., list[Any]]:
    def found(sql: str = "SELECT * FROM scored ORDER BY 1") -> list[Any]:
        with closing(connect()) as connection:
            return query(connection, sql)

    return found


@pytest.mark.parametrize("connect", [*DATABASES, WITHOUT_ARROW, "pymysql", "mysql.connector"], indirect=True)
def test_a_key_without_a_value_is_no_key(imported, found):
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


@pytest.mark.parametrize("connect", ["sqlite"], indirect=True)
def test_a_key_that_sqlite_would_make_up_is_not_made_up(imported, found):
    with pytest.raises(UnstorableValue, match="'k': a value is missing"):
        imported([], {"k": ["null", "int"]}, [{"k": None}], mode="upsert", key_columns=("k",), create_table=True)


USERS = {"id": "int", "email": "string", "v": "int"}
USER = [{"id": 2, "email": "a@x", "v": 5}]


@pytest.mark.parametrize("connect", [MYSQL[0]], indirect=True)
def test_a_row_is_not_upserted_over_one_that_has_another_key_in_common(imported, found):
    table = ["CREATE TABLE scored (id INT PRIMARY KEY, email VARCHAR(20), v INT, UNIQUE mails (email))"]
    before = ["INSERT INTO scored VALUES (1, 'a@x', 1)"]
    with pytest.raises(OtherUniqueKey, match="other unique keys than id: mails"):
        imported([*table, *before], USERS, USER, mode="upsert", key_columns=("id",))
    assert found() == [(1, "a@x", 1)]


@pytest.mark.parametrize("connect", MYSQL, indirect=True)
def test_keys_that_cannot_take_a_row_for_another_do_no_harm(imported, found):
    columns = "n INT AUTO_INCREMENT PRIMARY KEY, id INT UNIQUE, email VARCHAR(20), v INT, UNIQUE (id, v)"
    assert imported([f"CREATE TABLE scored ({columns})"], USERS, USER, mode="upsert", key_columns=("id",)).rows == 1
    assert found("SELECT id, email, v FROM scored") == [(2, "a@x", 5)]


@pytest.mark.parametrize("connect", [MYSQL[0]], indirect=True)
def test_a_key_of_the_first_characters_is_none_of_the_text(imported):
    table = "CREATE TABLE scored (id INT, email VARCHAR(20), v INT, UNIQUE (email(2)))"
    with pytest.raises(NoUniqueKey):
        imported([table], USERS, USER, mode="upsert", key_columns=("email",))


@pytest.mark.parametrize(
    "connect", ["psycopg", "psycopg2", WITHOUT_ARROW, "mysqlclient", "pymysql", "mysql.connector"], indirect=True
)
def test_a_text_that_is_too_long_only_by_spaces_is_not_cut(imported, found):
    table = ["CREATE TABLE scored (k VARCHAR(3))"]
    rows = [{"k": "ab "}, {"k": "äöü"}, {"k": "ab     "}]
    with pytest.raises(UnstorableValue, match="'k': a text of 7 characters, for which the table has 3"):
        imported(table, TEXT, rows)
    assert imported([], TEXT, rows, **QUARANTINE).quarantined_rows == 1
    assert found("SELECT k FROM scored ORDER BY 1") == [("ab ",), ("äöü",)]


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
