"""
Any other database, by batched INSERT in standard SQL.

What is not standard is not supported: no upsert, no bytes in tables that are created here, and no lock that can be
tried without waiting. The database must have transactions, which is tested; only a quarantine of rows needs savepoints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from importlib import import_module
from math import isfinite
from typing import Any

from airflow_agari_provider.avro.columns import Column, Kind, UnsupportedAvroType
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.databases.arrow_texts import listed
from airflow_agari_provider.databases.base import PLAIN_INSERT, Fault, RowByRow, Target
from airflow_agari_provider.databases.errors import UnstorableValue
from airflow_agari_provider.databases.single_rows import RowInserts, insert_rows
from airflow_agari_provider.databases.statements import (
    as_json,
    execute,
    insert_batches,
    insert_sql,
    query,
    quoted_table,
    transaction,
)
from airflow_agari_provider.exceptions import AgariError, UnimportableObject

TEXT_LENGTH, KEY_LENGTH = 4000, 255  # characters; the smallest limits of databases without an unbounded type
MAX_PRECISION = 38  # digits; the limit of NUMERIC in most databases
PLACEHOLDERS = {"qmark": "?", "format": "%s", "pyformat": "%s"}  # by PEP 249's paramstyle

_TYPES: Mapping[Kind, str] = {
    "null": f"VARCHAR({TEXT_LENGTH})", "boolean": "BOOLEAN", "integer": "INTEGER", "long": "BIGINT", "float": "REAL",
    "double": "DOUBLE PRECISION", "text": f"VARCHAR({TEXT_LENGTH})", "uuid": "VARCHAR(36)", "date": "DATE",
    "time": "TIME", "instant": "TIMESTAMP", "local_time": "TIMESTAMP", "json": f"VARCHAR({TEXT_LENGTH})",
}  # fmt: skip


class NoTransactions(AgariError):
    """
    A connection that commits each statement by itself.

    :param connection_class: full name of its class.
    """

    def __init__(self, connection_class: str) -> None:
        super().__init__(connection_class)
        self.connection_class = connection_class

    def __str__(self) -> str:
        return (
            f"{self.connection_class} keeps what was rolled back, so an import could load half of an object, or "
            "load it twice. Turn autocommit off in the connection, or use a database with transactions."
        )


class NoUpsert(UnimportableObject):
    """
    An upsert into a database for which this package has no upsert.

    :param table: the table.
    """

    def __init__(self, table: str) -> None:
        super().__init__(table)
        self.table = table

    def __str__(self) -> str:
        return (
            f"Cannot upsert into {self.table}: this database is loaded by plain INSERT. "
            'Use mode="append" or mode="replace".'
        )


class GenericDialect:
    """
    Standard SQL. Times are stored in UTC, without a time zone; JSON and UUIDs are text.

    :param driver: a DB-API module.
    :param placeholder: of a value in SQL; None takes that of the driver.
    """

    insert_if_absent = PLAIN_INSERT
    text_equals = "{column} = {value}"
    text_key = "{text}"
    joined = "STRING_AGG(CAST({number} AS TEXT), ',')"
    for_update = ""
    case_matters = True
    ddl_commits = True  # not known, and True is safe
    ledger_lock: str | None = None
    """Statement that keeps other importers out of the ledger, for a database that does not enforce its key."""

    def __init__(self, driver: Any, placeholder: str | None = None) -> None:
        self.driver = driver
        self.placeholder: str = placeholder or PLACEHOLDERS[driver.paramstyle]

    def prepare(self, connection: Any) -> None:
        if callable(autocommit := getattr(connection, "autocommit", None)):
            autocommit(False)
        elif autocommit is True:
            connection.autocommit = False
        connection.rollback()

    def begin(self, connection: Any) -> None:
        """A driver that does not begin a transaction by itself has a method for it."""
        if callable(begin := getattr(connection, "begin", None)):
            begin()

    def lock_for_create(self, connection: Any) -> None:
        """Nothing: the standard has no such lock."""

    def lock(self, connection: Any, name: str) -> None:
        """Nothing: the standard has no such lock."""

    def try_lock(self, connection: Any, name: str) -> bool:
        return True

    def try_locks(self, connection: Any, names: Sequence[str]) -> list[bool]:
        return [True] * len(names)

    def unlock(self, connection: Any, name: str) -> None:
        """Nothing: there is no lock."""

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def table_exists(self, connection: Any, table: str) -> bool:
        try:
            query(connection, f"SELECT * FROM {quoted_table(self, table)} WHERE 1 = 0")  # noqa: S608 - quoted
        except self.driver.Error:
            connection.rollback()
            return False
        return True

    def table_names(self, connection: Any, table: str, beside: str) -> tuple[str, ...]:
        """Return the name as it is spelled: the standard has no way to ask for another one."""
        return (table,)

    def column_type(self, column: Column, in_key: bool) -> str:
        if column.kind == "bytes":
            raise UnsupportedAvroType(column.name, "standard SQL has no type for bytes of any length")
        if column.kind == "decimal":
            if column.precision > MAX_PRECISION:
                raise UnsupportedAvroType(column.name, f"it is a decimal of {column.precision} digits, more than 38")
            return f"NUMERIC({column.precision}, {column.scale})"
        return f"VARCHAR({KEY_LENGTH})" if in_key and column.kind == "text" else _TYPES[column.kind]

    def require_lossless(self, connection: Any, target: Target) -> None:
        """Check only texts in columns of numbers, as the driver tells: databases spell types too differently."""
        with closing(connection.cursor()) as cursor:
            cursor.execute(f"SELECT * FROM {quoted_table(self, target.table)} WHERE 1 = 0")  # noqa: S608 - quoted
            types = {str(entry[0]).casefold(): entry[1] for entry in cursor.description}
            cursor.fetchall()
        number = getattr(self.driver, "NUMBER", None)  # by PEP 249 equal to the type of any column of numbers
        for column in target.columns:
            kind = types.get(column.name.casefold())
            if column.kind == "text" and kind is not None and kind == number:
                raise UnsupportedAvroType(column.name, "the table has it as numbers, which drop leading zeros of texts")

    def add_column(self, connection: Any, table: str, definition: str) -> None:
        execute(connection, f"ALTER TABLE {table} ADD {definition}")
        connection.commit()

    def values(self, column: Column, values: Sequence[Any]) -> Sequence[Any]:
        convert = _CONVERSIONS.get(column.kind)
        return convert(column, values) if convert else values

    def array_values(self, column: Column, array: Any) -> Sequence[Any]:
        values = listed(array, column.kind)
        return values if column.kind == "json" else self.values(column, values)

    def arrow_refusal(self, connection: Any, target: Target) -> str | None:
        return None

    def load(self, connection: Any, target: Target, batches: Iterable[Batch]) -> int:
        if target.key_columns:
            raise NoUpsert(target.table)
        sql = insert_sql(self, target.table, [column.name for column in target.columns])
        return insert_batches(self, connection, sql, target.columns, batches)

    def load_each(self, connection: Any, target: Target, batch: Batch) -> RowByRow:
        how = RowInserts(insert_sql(self, target.table, [column.name for column in target.columns]), savepoints=True)
        return insert_rows(self, connection, target, batch, how)

    def fault(self, error: Exception) -> Fault:
        if isinstance(error, self.driver.IntegrityError | self.driver.DataError):
            return "rows"
        return "passing" if isinstance(error, self.driver.OperationalError | self.driver.InterfaceError) else "target"

    def refuses_columns(self, error: Exception) -> bool:
        return False


def generic_dialect(connection: Any, placeholder: str | None) -> GenericDialect | None:
    """Return the dialect of a connection whose driver is a DB-API module of a known parameter style; else None."""
    for ancestor in type(connection).__mro__:
        name = ancestor.__module__
        while name and name != "builtins":
            module = import_module(name)
            if hasattr(module, "Error") and (placeholder or getattr(module, "paramstyle", None) in PLACEHOLDERS):
                return GenericDialect(module, placeholder)
            name = name.rpartition(".")[0]
    return None


def require_transactions(dialect: GenericDialect, connection: Any, table: str, row: Mapping[str, Any]) -> None:
    """
    Test that a row is gone after it was rolled back.

    :param table: table for the row.
    :raises NoTransactions: the row stays; it is deleted.
    """

    class _RollBack(Exception):
        pass

    (key, value), *_ = row.items()
    where = f"FROM {quoted_table(dialect, table)} WHERE {dialect.quote(key)} = {dialect.placeholder}"
    try:
        with transaction(dialect, connection):
            execute(connection, insert_sql(dialect, table, list(row)), list(row.values()))
            raise _RollBack
    except _RollBack:
        pass
    stayed = query(connection, f"SELECT 1 {where}", [value])
    connection.rollback()
    if stayed:
        with transaction(dialect, connection):
            execute(connection, f"DELETE {where}", [value])
        raise NoTransactions(f"{type(connection).__module__}.{type(connection).__qualname__}")


def _numbers(column: Column, values: Sequence[Any]) -> Sequence[Any]:
    if not all(map(isfinite, filter(None, values))):
        raise UnstorableValue(column.name, "not every database can hold NaN or infinity")
    return values


def _texts(column: Column, values: Sequence[Any]) -> Sequence[Any]:
    return [None if value is None else str(value) for value in values]


def _instants(column: Column, values: Sequence[Any]) -> Sequence[Any]:
    return [None if value is None else value.replace(tzinfo=None) for value in values]


_CONVERSIONS: Mapping[Kind, Callable[[Column, Sequence[Any]], Sequence[Any]]] = {
    "float": _numbers, "double": _numbers, "uuid": _texts, "instant": _instants, "json": as_json,
}  # fmt: skip
