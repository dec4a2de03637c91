"""
A DB-API driver that the package has no dialect for: SQLite through PEP 249 only, like other drivers.

Its connections begin transactions with the first statement and have no attributes beyond the standard's.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlite3 import (  # isort: skip
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Warning,  # noqa: A004
)

__all__ = ["DataError", "DatabaseError", "Error", "IntegrityError", "InterfaceError", "InternalError"]
__all__ += ["NotSupportedError", "OperationalError", "ProgrammingError", "Warning", "connect"]

apilevel, threadsafety, paramstyle = "2.0", 1, "qmark"


class Connection:
    def __init__(self, path: Any, autocommits: bool) -> None:
        self._connection = sqlite3.connect(path, timeout=30, check_same_thread=False)
        self._connection.isolation_level = None if autocommits else "IMMEDIATE"

    def cursor(self) -> Cursor:
        return Cursor(self._connection.cursor())

    def commit(self) -> None:
        self._connection.commit()

    def rollback(self) -> None:
        self._connection.rollback()

    def close(self) -> None:
        self._connection.close()


class Cursor:
    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    def execute(self, sql: str, parameters: Any = ()) -> None:
        self._cursor.execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any) -> None:
        self._cursor.executemany(sql, parameters)

    def fetchall(self) -> list[Any]:
        return self._cursor.fetchall()

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    @property
    def description(self) -> Any:
        return self._cursor.description

    def close(self) -> None:
        self._cursor.close()


def connect(path: Any, autocommits: bool = False) -> Connection:
    return Connection(path, autocommits)
