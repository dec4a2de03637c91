"""Which dialect belongs to a connection."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from airflow_agari_provider.databases.dialects import UnknownDatabase, any_dialect_of, dialect_of
from airflow_agari_provider.databases.generic import GenericDialect
from airflow_agari_provider.databases.mysql import MySqlDialect
from airflow_agari_provider.databases.postgres import PostgresDialect
from airflow_agari_provider.databases.sqlite import SqliteDialect
from tests.databases import other_driver


@pytest.mark.parametrize(
    ("connect", "dialect", "driver"),
    [
        ("sqlite", SqliteDialect, "sqlite3"),
        ("psycopg", PostgresDialect, "psycopg"),
        ("psycopg2", PostgresDialect, "psycopg2"),
        ("mysqlclient", MySqlDialect, "MySQLdb"),
        ("pymysql", MySqlDialect, "pymysql"),
        ("mysql.connector", MySqlDialect, "mysql.connector"),
    ],
    indirect=["connect"],
)
def test_each_driver_has_the_dialect_of_its_database(connection, dialect, driver):
    for found in (dialect_of(connection), any_dialect_of(connection)):
        assert (type(found), found.driver.__name__) == (dialect, driver)


def test_a_class_that_derives_from_a_drivers_connection_has_the_drivers_dialect(sqlite_path):
    class Connection(sqlite3.Connection):
        pass

    with closing(sqlite3.connect(sqlite_path, factory=Connection)) as connection:
        assert isinstance(dialect_of(connection), SqliteDialect)


def test_an_unknown_driver_gets_standard_sql(sqlite_path):
    dialect = any_dialect_of(other_driver.connect(sqlite_path))
    assert isinstance(dialect, GenericDialect)
    assert (dialect.driver, dialect.placeholder) == (other_driver, "?")
    assert any_dialect_of(other_driver.connect(sqlite_path), "%s").placeholder == "%s"
    with pytest.raises(UnknownDatabase):
        any_dialect_of(object())


def test_a_connection_of_another_kind_is_refused():
    with pytest.raises(UnknownDatabase, match=r"io\.BytesIO|_io\.BytesIO"):
        dialect_of(__import__("io").BytesIO())


def test_an_unknown_driver_has_a_dialect_for_imports_only(sqlite_path):
    with pytest.raises(UnknownDatabase, match=r"other_driver\.Connection, whose driver is not known"):
        dialect_of(other_driver.connect(sqlite_path))
