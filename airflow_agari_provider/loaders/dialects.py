"""The only list of databases: which driver's connections belong to which dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.loaders.base import Dialect
from airflow_agari_provider.loaders.mysql import MySqlDialect
from airflow_agari_provider.loaders.postgres import PostgresDialect
from airflow_agari_provider.loaders.sqlite import SqliteDialect

_DIALECTS: Mapping[str, Callable[[Any], Dialect]] = {
    "psycopg": PostgresDialect,
    "psycopg2": PostgresDialect,
    "sqlite3": SqliteDialect,
    "MySQLdb": MySqlDialect,
    "pymysql": MySqlDialect,
    "mysql.connector": MySqlDialect,
}


class UnknownDatabase(AgariError):
    """
    A connection of a driver that this package does not know.

    :param connection_class: full name of its class.
    """

    def __init__(self, connection_class: str) -> None:
        super().__init__(connection_class)
        self.connection_class = connection_class

    def __str__(self) -> str:
        return (
            f"Cannot load through a {self.connection_class}. "
            f"Use a connection to PostgreSQL, MySQL, MariaDB or SQLite; drivers known: {', '.join(_DIALECTS)}."
        )


def dialect_of(connection: Any) -> Dialect:
    """
    Dialect of a DB-API connection, told by the module of its class or of one that it derives from.

    :raises UnknownDatabase: no dialect for its driver.
    """
    for ancestor in type(connection).__mro__:
        for driver, dialect in _DIALECTS.items():
            if f"{ancestor.__module__}.".startswith(f"{driver}."):
                return dialect(import_module(driver))
    raise UnknownDatabase(f"{type(connection).__module__}.{type(connection).__qualname__}")
