"""LOAD DATA LOCAL INFILE stores and refuses what INSERT does, through each driver."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from airflow_agari_provider.databases.dialects import dialect_of
from airflow_agari_provider.databases.statements import execute, query
from tests.avro.container_files import written
from tests.databases.loading import load_file
from tests.databases.test_arrow_texts import ROWS, SCHEMA

pytest.importorskip("datafusion", reason="the extra [arrow] is not installed")

WITH_FILES = ("mysqlclient", "pymysql with files", "mysql.connector with files", "mysql.connector in Python with files")
WITHOUT = ("mysqlclient without files", "pymysql", "mysql.connector")
LOADED = "SHOW SESSION STATUS LIKE 'Com_load'"
one_driver = pytest.mark.parametrize("connect", ["mysqlclient"], indirect=True)


@pytest.fixture
def inserting(mariadb_socket: str, connection: Any) -> Iterator[Any]:
    """Another connection to the same database, which may not send files."""
    import pymysql

    ((name,),) = query(connection, "SELECT DATABASE()")
    with closing(pymysql.connect(unix_socket=mariadb_socket, user="root", database=str(name))) as other:
        dialect_of(other).prepare(other)
        yield other


def loads(connection: Any) -> int:
    """How many files the connection has sent."""
    return int(query(connection, LOADED)[0][1])


@pytest.mark.parametrize("connect", WITH_FILES, indirect=True)
@pytest.mark.parametrize("decoder", ["arrow", "fastavro"])
def test_files_store_what_inserts_store(connection, inserting, decoder):
    data = written(SCHEMA, ROWS, sync_interval=200)
    assert load_file(connection, decoder, data, "sent") == load_file(inserting, decoder, data, "inserted") == len(ROWS)
    assert loads(connection) > 0
    assert loads(inserting) == 0
    names = [column["name"] for column in SCHEMA["fields"]]
    exact = ", ".join(f"HEX(CAST(`{name}` AS BINARY))" for name in names)
    sent, inserted = (query(connection, f"SELECT {exact} FROM {table} ORDER BY i") for table in ("sent", "inserted"))
    assert sent == inserted
    assert len(sent) == len(ROWS)


@pytest.mark.parametrize("connect", WITHOUT, indirect=True)
def test_without_files_rows_are_inserted_and_the_log_says_why_once(connection, caplog):
    caplog.set_level(logging.INFO, "airflow_agari_provider")
    load_file(connection, "arrow", written(SCHEMA, ROWS), "t")
    assert query(connection, "SELECT COUNT(*) FROM t") == [(len(ROWS),)]
    told = [line for line in caplog.messages if "Rows go by INSERT" in line]
    assert len(told) == 1
    assert "LOAD DATA LOCAL INFILE" in told[0]


@one_driver
def test_a_server_that_takes_no_files_gets_inserts(connection, caplog):
    caplog.set_level(logging.INFO, "airflow_agari_provider")
    execute(connection, "SET GLOBAL local_infile = 0")
    try:
        load_file(connection, "arrow", written(SCHEMA, ROWS), "t")
    finally:
        execute(connection, "SET GLOBAL local_infile = 1")
    assert query(connection, "SELECT COUNT(*) FROM t") == [(len(ROWS),)]
    assert "LOAD DATA LOCAL INFILE is not allowed" in caplog.text


def of(kind: str) -> Any:
    return {"type": "record", "name": "r", "fields": [{"name": "v", "type": ["null", kind]}]}


@one_driver
@pytest.mark.parametrize(
    ("table", "kind", "why"),
    [
        pytest.param("(v BIT(8))", "boolean", "column 'v' of the table is bit", id="bits"),
        pytest.param("(v INT) ENGINE=MyISAM", "int", "not one of InnoDB", id="another engine"),
    ],
)
def test_a_table_that_would_take_a_file_otherwise_gets_inserts(connection, table, kind, why, caplog):
    caplog.set_level(logging.INFO, "airflow_agari_provider")
    execute(connection, f"CREATE TABLE t {table}")
    load_file(connection, "arrow", written(of(kind), [{"v": kind == "boolean" or 1}]), "t")
    assert query(connection, "SELECT v + 0 FROM t") == [(1,)]
    assert why in caplog.text


REFUSED: dict[str, tuple[str, list[Any], list[str]]] = {
    "a key twice": ("int", [1, 2, 2], ["(v INT PRIMARY KEY)"]),
    "a number that is too large": ("int", [1, 300], ["(v TINYINT)"]),
    "no value where one has to be": ("int", [1, None], ["(v INT NOT NULL)"]),
    "a CHECK": ("int", [1, 7], ["(v INT, CHECK (v < 5))"]),
    "a foreign key": ("int", [None, 7], ["(v INT, w INT UNIQUE, FOREIGN KEY (v) REFERENCES {t} (w))"]),
    "another column without a default": ("int", [1], ["(v INT, w INT NOT NULL)"]),
    "a symbol that is none": ("string", ["a", "c"], ["(v ENUM('a', 'b'))"]),
    "a text whose letters the column lacks": ("string", ["a", "😀"], ["(v TEXT CHARACTER SET latin1)"]),
    "a trigger that refuses": (
        "int",
        [1, 2],
        ["(v INT)", "IF NEW.v = 2 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END IF"],
    ),
    "a trigger whose own work is refused": ("int", [1, 1], ["(v INT)", "INSERT INTO {t}_log VALUES (NEW.v)"]),
}


@one_driver
@pytest.mark.parametrize("name", REFUSED)
def test_files_are_refused_as_inserts_are(connection, inserting, name):
    kind, values, (columns, *trigger) = REFUSED[name]
    data = written(of(kind), [{"v": value} for value in values])
    outcomes = []
    for one, table in ((connection, "sent"), (inserting, "inserted")):
        execute(one, f"CREATE TABLE {table} {columns}".format(t=table))
        execute(one, f"CREATE TABLE {table}_log (v INT PRIMARY KEY)")
        for work in trigger:
            execute(one, f"CREATE TRIGGER {table}_r BEFORE INSERT ON {table} FOR EACH ROW {work}".format(t=table))
        dialect = dialect_of(one)
        with pytest.raises(dialect.driver.Error) as caught:
            load_file(one, "arrow", data, table)
        outcomes.append((caught.value.args[0], dialect.fault(caught.value)))
        assert query(one, f"SELECT COUNT(*) FROM {table}") == query(one, f"SELECT COUNT(*) FROM {table}_log") == [(0,)]
    assert outcomes[0] == outcomes[1]
    assert loads(connection) > 0


@one_driver
def test_texts_that_look_like_marks_of_a_file_stay_texts(connection, inserting):
    texts = ["", "NULL", "\\N", " a ", "\t\n\r\0\x1a\\", "😀" * 50]
    data = written(of("string"), [{"v": text} for text in texts])
    for one, table in ((connection, "sent"), (inserting, "inserted")):
        execute(one, f"CREATE TABLE {table} (n INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(200))")
        load_file(one, "arrow", data, table)
    sent, inserted = (query(connection, f"SELECT v FROM {table} ORDER BY n") for table in ("sent", "inserted"))
    assert sent == inserted == [(text,) for text in texts]
