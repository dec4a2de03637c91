"""SQLite: one writer at a time, so a transaction begins by waiting for its turn."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import eq
from typing import Any

from airflow_agari_provider.avro.columns import Column, Kind, UnsupportedAvroType
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.databases.arrow_texts import TEXT_KINDS, listed, text_array
from airflow_agari_provider.databases.base import Fault, RowByRow, Target
from airflow_agari_provider.databases.errors import UnstorableValue
from airflow_agari_provider.databases.lossless import require_lossless
from airflow_agari_provider.databases.row_checks import checked
from airflow_agari_provider.databases.single_rows import RowInserts, insert_rows
from airflow_agari_provider.databases.statements import (
    as_json,
    execute,
    insert_batches,
    insert_sql,
    names_beside,
    query,
    quoted,
    quoted_list,
)

TURN_TIMEOUT = 600  # seconds after which another writer's transaction counts as stuck
# Milliseconds that SQLite waits by itself. A writer waits for its turn in short pieces, so that Python can handle
# signals in between. A commit waits for readers, and cannot be tried again.
TURN_WAIT, COMMIT_WAIT = 1000, 60_000

_TYPES: Mapping[Kind, str] = {
    "boolean": "INTEGER", "integer": "INTEGER", "long": "INTEGER", "float": "REAL", "double": "REAL", "bytes": "BLOB",
}  # fmt: skip
_PASSING = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM}
)


class SqliteDialect:
    """Times are ISO 8601 text with microseconds, which sorts by time; decimals, UUIDs and JSON are text."""

    placeholder = "?"
    insert_if_absent = ("INSERT", "ON CONFLICT DO NOTHING")
    text_equals = "{column} = {value}"
    text_key = "{text}"
    joined = "GROUP_CONCAT({number})"
    for_update = ""
    case_matters = False
    ddl_commits = False

    def __init__(self, driver: Any = sqlite3) -> None:
        self.driver = driver

    def prepare(self, connection: sqlite3.Connection) -> None:
        connection.rollback()
        connection.isolation_level = None  # so that the driver sends no BEGIN of its own

    def begin(self, connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA busy_timeout = {TURN_WAIT}")
        give_up = time.monotonic() + TURN_TIMEOUT
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if self.fault(error) != "passing" or time.monotonic() > give_up:
                    raise
            else:
                connection.execute(f"PRAGMA busy_timeout = {COMMIT_WAIT}")
                return

    def lock_for_create(self, connection: sqlite3.Connection) -> None:
        """Nothing: BEGIN IMMEDIATE excludes every other writer."""

    def lock(self, connection: sqlite3.Connection, name: str) -> None:
        """Nothing: BEGIN IMMEDIATE excludes every other writer."""

    def try_lock(self, connection: sqlite3.Connection, name: str) -> bool:
        return True

    def try_locks(self, connection: sqlite3.Connection, names: Sequence[str]) -> list[bool]:
        return [True] * len(names)

    def unlock(self, connection: sqlite3.Connection, name: str) -> None:
        """Nothing: BEGIN IMMEDIATE excludes every other writer."""

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def table_exists(self, connection: sqlite3.Connection, table: str) -> bool:
        schema, _, name = table.rpartition(".")
        master = f"{self.quote(schema or 'main')}.sqlite_master"
        sql = f"SELECT 1 FROM {master} WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE"  # noqa: S608
        return bool(query(connection, sql, (name,)))

    def table_names(self, connection: sqlite3.Connection, table: str, beside: str) -> tuple[str, ...]:
        schema, _, name = table.rpartition(".")
        master = f"{self.quote(schema or 'main')}.sqlite_master"
        found = query(connection, f"SELECT name FROM {master} WHERE name = ? COLLATE NOCASE", (name,))  # noqa: S608
        return names_beside(table, schema.lower() or "main", str(found[0][0]) if found else name, "main")

    def column_type(self, column: Column, in_key: bool) -> str:
        if column.kind == "json" and in_key:
            raise UnsupportedAvroType(column.name, "JSON cannot be a key: equal values may be written differently")
        return _TYPES.get(column.kind, "TEXT")

    def require_lossless(self, connection: sqlite3.Connection, target: Target) -> None:
        schema, _, name = target.table.rpartition(".")
        found = query(connection, f"PRAGMA {self.quote(schema or 'main')}.table_info({self.quote(name)})")
        declared = {str(row[1]): str(row[2]).lower() for row in found}
        require_lossless(target, declared, microseconds=6, affinities=True)

    def add_column(self, connection: sqlite3.Connection, table: str, definition: str) -> None:
        try:
            execute(connection, f"ALTER TABLE {table} ADD COLUMN {definition}")
        except sqlite3.OperationalError as error:
            if "duplicate column name" not in str(error):
                raise

    def values(self, column: Column, values: Sequence[Any]) -> Sequence[Any]:
        convert = _CONVERSIONS.get(column.kind)
        return convert(column, values) if convert else values

    def array_values(self, column: Column, array: Any) -> Sequence[Any]:
        if column.kind in TEXT_KINDS:
            values: list[Any] = text_array(array, column.kind).to_pylist()
            return values if column.kind != "instant" else [value and f"{value}+00:00" for value in values]
        return self.values(column, listed(array, column.kind))

    def arrow_refusal(self, connection: sqlite3.Connection, target: Target) -> str | None:
        return None

    def load(self, connection: sqlite3.Connection, target: Target, batches: Iterable[Batch]) -> int:
        return insert_batches(self, connection, self._row_sql(target), target.columns, checked(target, batches, {}))

    def load_each(self, connection: sqlite3.Connection, target: Target, batch: Batch) -> RowByRow:
        return insert_rows(self, connection, target, batch, RowInserts(self._row_sql(target)))

    def _row_sql(self, target: Target) -> str:
        names = [column.name for column in target.columns]
        sql = insert_sql(self, target.table, names)
        if target.key_columns:
            others = [
                name for name in names if name not in target.key_columns
            ] or names  # if all columns are keys, a row is still counted
            changes = ", ".join(f"{quoted(self, name)} = excluded.{quoted(self, name)}" for name in others)
            sql += f" ON CONFLICT ({quoted_list(self, target.key_columns)}) DO UPDATE SET {changes}"
        return sql

    def fault(self, error: Exception) -> Fault:
        if isinstance(error, sqlite3.IntegrityError | sqlite3.DataError):
            return "rows"
        code = getattr(error, "sqlite_errorcode", 0)
        return "passing" if code & 0xFF in _PASSING else "target"  # the low byte is the primary code

    def refuses_columns(self, error: Exception) -> bool:
        """SQLite has one code for all errors of SQL, so its text has to tell."""
        return str(error).startswith(("duplicate column", "too many columns")) or "syntax error" in str(error)


def _numbers(column: Column, values: Sequence[Any]) -> Sequence[Any]:
    if not all(map(eq, values, values)):  # only NaN differs from itself; SQLite would store NULL
        raise UnstorableValue(column.name, "SQLite cannot hold NaN")
    return values


def _texts(column: Column, values: Sequence[Any]) -> Sequence[Any]:
    return [None if value is None else str(value) for value in values]


def _dates(column: Column, values: Sequence[Any]) -> Sequence[Any]:
    return [None if value is None else value.isoformat() for value in values]


def _times(column: Column, values: Sequence[Any]) -> Sequence[Any]:
    return [None if value is None else value.isoformat(timespec="microseconds") for value in values]


_CONVERSIONS: Mapping[Kind, Callable[[Column, Sequence[Any]], Sequence[Any]]] = {
    "float": _numbers, "double": _numbers, "decimal": _texts, "uuid": _texts, "date": _dates, "time": _times,
    "instant": _times, "local_time": _times, "json": as_json,
}  # fmt: skip
