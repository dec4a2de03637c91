"""The SQL that is the same in every database, on the connection that is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any

from airflow_agari_provider.avro.arrow.batches import ArrowBatch
from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.avro.json_text import json_texts
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.databases.base import Dialect, Target
from airflow_agari_provider.databases.errors import ColumnsRefused, SameColumn, UnstorableValue
from airflow_agari_provider.exceptions import cut
from airflow_agari_provider.s3.read_ahead import ReadAhead

VALUES_IN_A_QUERY = 900  # Oracle takes 1,000 in a list, SQLite before 3.32 takes 999 in a statement


@contextmanager
def transaction(dialect: Dialect, connection: Any) -> Iterator[None]:
    """Commit what happens inside; on any exception, roll all of it back."""
    dialect.begin(connection)
    try:
        yield
        connection.commit()
    except BaseException:
        with suppress(dialect.driver.Error):  # a broken connection cannot roll back; the first error matters
            connection.rollback()
        raise


@contextmanager
def savepoint(dialect: Dialect, connection: Any) -> Iterator[None]:
    """In a transaction: keep what happens inside; on any exception, undo only that, and the transaction can go on."""
    execute(connection, "SAVEPOINT agari_batch")
    try:
        yield
    except BaseException:
        with suppress(dialect.driver.Error):  # the whole transaction may be gone; the first error matters
            execute(connection, "ROLLBACK TO SAVEPOINT agari_batch")
        raise
    execute(connection, "RELEASE SAVEPOINT agari_batch")


def execute(connection: Any, sql: str, parameters: Sequence[Any] | None = None) -> int:
    """Run a statement and return how many rows it changed."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql) if parameters is None else cursor.execute(sql, parameters)
        return int(cursor.rowcount)


def query(connection: Any, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Return all rows of a query, also from a connection whose cursors return dicts."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql, parameters)
        return [tuple(row.values() if isinstance(row, dict) else row) for row in cursor.fetchall()]


def with_placeholders(sql: str, placeholder: str) -> str:
    """
    Return a statement on a table of our own, in which each ``?`` stands for a value, as a driver takes it.

    :param placeholder: the driver's, ``%s`` or ``?``.
    """
    return sql.replace("?", placeholder)


def quoted_table(dialect: Dialect, table: str) -> str:
    return ".".join(quoted(dialect, name) for name in table.split("."))


def quoted(dialect: Dialect, name: str) -> str:
    """:raises ValueError: the name is empty, or drivers would take it for a placeholder."""
    if not name or "%" in name or "\0" in name:
        raise ValueError(f"{name!r} cannot be the name of a table or column: it is empty, or has a % or a zero byte")
    return dialect.quote(name)


def quoted_list(dialect: Dialect, names: Iterable[str]) -> str:
    return ", ".join(quoted(dialect, name) for name in names)


def names_beside(table: str, schema: str, name: str, schema_beside: str) -> tuple[str, ...]:
    """Return what :meth:`Dialect.table_names` returns, for a table that is found in a schema by the name ``table``."""
    whole = f"{schema}.{name}"
    names = [name, whole] if schema == schema_beside else [whole]
    return tuple(dict.fromkeys([*names, table]))


@contextmanager
def reading(connection: Any) -> Iterator[None]:
    """Run queries on their own: the transaction that some drivers begin for them ends after them."""
    try:
        yield
    finally:
        connection.rollback()


def table_columns(dialect: Dialect, connection: Any, table: str) -> list[str]:
    with closing(connection.cursor()) as cursor:
        cursor.execute(f"SELECT * FROM {quoted_table(dialect, table)} WHERE 1 = 0")  # noqa: S608 - quoted
        names = [entry[0] for entry in cursor.description]
        cursor.fetchall()
    return names


def comparable_name(dialect: Dialect, name: str) -> str:
    """Return a text that is equal for names of the same column."""
    return name if dialect.case_matters else name.casefold()


def require_own_columns(dialect: Dialect, columns: Iterable[Column]) -> None:
    """:raises SameColumn: two fields go to the same column of the table."""
    found: dict[str, str] = {}
    for column in columns:
        name = comparable_name(dialect, column.name)
        if name in found:
            raise SameColumn([found[name], column.name])
        found[name] = column.name


def create_table(dialect: Dialect, connection: Any, target: Target) -> None:
    """
    Create the table if it does not exist, in a transaction of its own. Several importers may do so at the same time.

    :raises SameColumn: two columns are the same to the database.
    :raises ColumnsRefused: the database does not allow a column.
    :raises UnsupportedAvroType: no type of the database holds every value of a column.
    """
    require_own_columns(dialect, target.columns)
    definitions = [
        f"{quoted(dialect, column.name)} {dialect.column_type(column, column.name in target.key_columns)}"
        + ("" if column.nullable and column.name not in target.key_columns else " NOT NULL")
        for column in target.columns
    ]
    if target.key_columns:
        definitions.append(f"PRIMARY KEY ({quoted_list(dialect, target.key_columns)})")
    with _columns_allowed(dialect, target.table, target.columns), transaction(dialect, connection):
        dialect.lock_for_create(connection)
        table = quoted_table(dialect, target.table)
        execute(connection, f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(definitions)})")


def add_column(dialect: Dialect, connection: Any, table: str, column: Column) -> None:
    """
    Add a nullable column, unless it exists.

    :raises ColumnsRefused: the database does not allow the column.
    """
    definition = f"{quoted(dialect, column.name)} {dialect.column_type(column, False)}"
    with _columns_allowed(dialect, table, [column]):
        dialect.add_column(connection, quoted_table(dialect, table), definition)


@contextmanager
def _columns_allowed(dialect: Dialect, table: str, columns: Iterable[Column]) -> Iterator[None]:
    try:
        yield
    except dialect.driver.Error as error:
        if dialect.refuses_columns(error):
            raise ColumnsRefused(table, [column.name for column in columns], str(error)) from error
        raise


def insert_sql(dialect: Dialect, table: str, names: Sequence[str], verb: str = "INSERT") -> str:
    places = ", ".join([dialect.placeholder] * len(names))
    return f"{verb} INTO {quoted_table(dialect, table)} ({quoted_list(dialect, names)}) VALUES ({places})"


def insert_batches(
    dialect: Dialect,
    connection: Any,
    sql: str,
    columns: Sequence[Column],
    batches: Iterable[Batch],
    rows_at_once: Callable[[Sequence[Column], Sequence[Sequence[Any]]], int] | None = None,
) -> int:
    """
    Insert every batch by ``executemany``. The next rows are made while the database works on these.

    :param rows_at_once: tells how many rows of some values one call may have; None: a whole batch.
    :return: rows, as the driver counts them; the rows given, if the driver does not count, which PEP 249 allows.
    """
    parts = (part for batch in batches if batch.rows for part in row_parts(dialect, columns, batch, rows_at_once))
    inserted = 0
    with closing(connection.cursor()) as cursor, closing(ReadAhead(parts, 1)) as ready:
        for part in ready:
            cursor.executemany(sql, part)
            inserted += cursor.rowcount if cursor.rowcount >= 0 else len(part)
    return inserted


def row_parts(
    dialect: Dialect,
    columns: Sequence[Column],
    batch: Batch,
    rows_at_once: Callable[[Sequence[Column], Sequence[Sequence[Any]]], int] | None = None,
) -> Iterator[list[tuple[Any, ...]]]:
    """
    Yield the rows of a batch as the driver takes them, in parts; see :func:`insert_batches`.

    :raises UnstorableValue: the database would not keep a value unchanged.
    """
    if isinstance(batch, ArrowBatch):
        values = [dialect.array_values(*pair) for pair in zip(columns, batch.arrays, strict=True)]
    else:
        values = [dialect.values(*pair) for pair in zip(columns, batch.columns, strict=True)]
    rows = list(zip(*values, strict=True))
    step = rows_at_once(columns, values) if rows_at_once else len(rows)
    for start in range(0, len(rows), step):
        yield rows[start : start + step]


def as_json(column: Column, values: Sequence[Any]) -> list[str | None]:
    """
    Return values as JSON text; see :func:`airflow_agari_provider.avro.json_text.json_texts`.

    :raises UnstorableValue: a value has no JSON form.
    """
    try:
        return json_texts(values, bytes_form=column.bytes_in_json)
    except (ValueError, RecursionError) as error:  # NaN or infinity, or nested too deeply
        row = next(number for number, value in enumerate(values) if not _has_json(value))
        value = "a value" if isinstance(error, RecursionError) else cut(repr(values[row]), 100)
        raise UnstorableValue(column.name, f"{value} has no JSON form ({error})", row) from error


def _has_json(value: Any) -> bool:
    try:
        json_texts([value])
    except (ValueError, RecursionError):
        return False
    return True
