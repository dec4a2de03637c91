"""The only list of databases: which driver's connections belong to which dialect."""

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

    :param connection_class: full name of its class.
    """

    def __init__(self, connection_class: str) -> None:
        super().__init__(connection_class)
        self.connection_class = connection_class

    def __str__(self) -> str:
        return (
            f"Cannot load through a {self.connection_class}. "
            "Use a connection to PostgreSQL, MySQL, MariaDB or SQLite, or for an import to any database with a DB-API "
            f"driver; drivers known: {', '.join(_DIALECTS)}."
        )


def dialect_of(connection: Any) -> Dialect:
    """
    Dialect of a DB-API connection, told by the module of its class or of one that it derives from.

    :raises UnknownDatabase: no dialect for its driver.
    """
    return _of(connection, _DIALECTS)


def any_dialect_of(connection: Any, placeholder: str | None = None) -> Dialect:
    """
    The same for imports: also Redshift and Snowflake, and standard SQL for a driver that has no dialect of its own.

    :param placeholder: of a value in SQL, as the connection's hook has it; None takes what the driver says.
    :raises UnknownDatabase: no connection of a DB-API driver.
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
