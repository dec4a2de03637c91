"""The only list of databases: which dialect belongs to the connections of which driver."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from airflow_agari_provider.databases.base import Dialect
from airflow_agari_provider.databases.generic import generic_dialect
from airflow_agari_provider.databases.mysql import MySqlDialect
from airflow_agari_provider.databases.postgres import PostgresDialect
from airflow_agari_provider.databases.sqlite import SqliteDialect
from airflow_agari_provider.databases.warehouses import RedshiftDialect, SnowflakeDialect
from airflow_agari_provider.exceptions import AgariError

_DIALECTS: Mapping[str, Callable[[Any], Dialect]] = {
    "psycopg": PostgresDialect,
    "psycopg2": PostgresDialect,
    "sqlite3": SqliteDialect,
    "MySQLdb": MySqlDialect,
    "pymysql": MySqlDialect,
    "mysql.connector": MySqlDialect,
}
_WAREHOUSES: Mapping[str, Callable[[Any], Dialect]] = {
    "redshift_connector": RedshiftDialect,
    "snowflake.connector": SnowflakeDialect,
}


class UnknownDatabase(AgariError):
    """
    A connection of a driver that this package does not know.

    :param connection_class: full name of the connection's class.
    """

    def __init__(self, connection_class: str) -> None:
        super().__init__(connection_class)
        self.connection_class = connection_class

    def __str__(self) -> str:
        return (
            f"Cannot load through a connection of class {self.connection_class}, whose driver is not known. "
            "Use a connection to PostgreSQL, MySQL, MariaDB or SQLite; an import also takes any other database with a "
            f"DB-API driver. Known drivers: {', '.join(_DIALECTS)}."
        )


def dialect_of(connection: Any) -> Dialect:
    """
    Return the dialect of a DB-API connection, found by the module of its class or of a class that it derives from.

    :raises UnknownDatabase: there is no dialect for its driver.
    """
    return _of(connection, _DIALECTS)


def any_dialect_of(connection: Any, placeholder: str | None = None) -> Dialect:
    """
    Return the dialect for an import: also Redshift and Snowflake, and standard SQL for a driver without a dialect.

    :param placeholder: of a value in SQL, as the connection's hook has it; None takes what the driver says.
    :raises UnknownDatabase: the connection is not one of a DB-API driver.
    """
    try:
        return _of(connection, {**_DIALECTS, **_WAREHOUSES})
    except UnknownDatabase:
        if dialect := generic_dialect(connection, placeholder):
            return dialect
        raise


def _of(connection: Any, dialects: Mapping[str, Callable[[Any], Dialect]]) -> Dialect:
    for ancestor in type(connection).__mro__:
        for driver, dialect in dialects.items():
            if f"{ancestor.__module__}.".startswith(f"{driver}."):
                return dialect(import_module(driver))
    raise UnknownDatabase(f"{type(connection).__module__}.{type(connection).__qualname__}")
