"""
What every database has to offer the import, and the SQL that is the same in all of them.

A :class:`Dialect` has no state: it works on the connection it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.avro.json_text import json_texts
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.loaders.errors import SameColumn, UnstorableValue

# Whose fault a database error is: the rows' (they break a constraint or do not fit), two transactions' in each other's
# way (trying again at once helps), nobody's (trying again later helps), or that of the table, its rights or the SQL.
Fault = Literal["rows", "conflict", "passing", "target"]
PLAIN_INSERT = ("INSERT", "")  # of databases that have no way to insert where nothing is


@dataclass(frozen=True)
class Target:
    """
    Where the rows go.

    :param table: as ``table`` or ``schema.table``.
    :param key_columns: rows with the same values here replace each other, the last one stays; empty just adds rows.
    """

    table: str
    columns: tuple[Column, ...]
    key_columns: tuple[str, ...] = ()


class Dialect(Protocol):
    """
    What one database does in its own way.

    :param driver: the DB-API module of the connections; its exception classes count.
    :param placeholder: of a value in SQL.
    :param insert_if_absent: what stands before and behind ``INTO ... VALUES (...)`` to insert nothing, and count 0,
        where the key is there already; :data:`PLAIN_INSERT` fails there.
    :param for_update: what a SELECT ends with to read the newest row and keep it.
    :param case_matters: whether columns "a" and "A" are two.
    :param ddl_commits: whether a change of a table commits the transaction it is in.
    """

    driver: Any
    placeholder: str
    insert_if_absent: tuple[str, str]
    for_update: str
    case_matters: bool
    ddl_commits: bool

    def prepare(self, connection: Any) -> None:
        """Make a fresh connection ready: transactions of our own, UTF-8, UTC, no silent cutting."""

    def begin(self, connection: Any) -> None:
        """Begin a transaction; where writers exclude each other, wait for the place."""

    def lock_for_create(self, connection: Any) -> None:
        """In a transaction: wait until nobody else creates a table through us."""

    def lock(self, connection: Any, name: str) -> None:
        """In a transaction: wait for the lock of that name; it is given up as that of :meth:`try_lock` is."""

    def try_lock(self, connection: Any, name: str) -> bool:
        """
        In a transaction: take the lock of that name, unless another importer has it, or go without.

        Where importers take turns anyway there is no such lock, and nobody has it. It is given up by :meth:`unlock`,
        or with the transaction or the connection.
        """

    def unlock(self, connection: Any, name: str) -> None:
        """After the transaction: give a lock up, if it was taken."""

    def quote(self, name: str) -> str:
        """The identifier in SQL."""

    def table_exists(self, connection: Any, table: str) -> bool:
        """Whether there is such a table or view."""

    def table_names(self, connection: Any, table: str, beside: str) -> tuple[str, ...]:
        """
        The one name of a table, whether it is there or not, and others that it may have been called by.

        The first is without a schema where that is the schema of a table ``beside``.
        """

    def column_type(self, column: Column, in_key: bool) -> str:
        """:raises UnsupportedAvroType: no type of this database holds every value."""

    def require_lossless(self, connection: Any, target: Target) -> None:
        """:raises UnsupportedAvroType: a column of the table would round or cut values in silence."""

    def add_column(self, connection: Any, table: str, definition: str) -> None:
        """Add a column by its quoted definition, unless another importer has done so just now."""

    def values(self, column: Column, values: Sequence[Any]) -> Sequence[Any]:
        """
        Values as the driver takes them.

        :raises UnstorableValue: the database would not keep one as it is.
        """

    def load(self, connection: Any, target: Target, batches: Iterable[Batch]) -> int:
        """In a transaction: put the rows into the table; how many, as the database counts them."""

    def fault(self, error: Exception) -> Fault:
        """Whose fault an error of the driver is."""


@contextmanager
def transaction(dialect: Dialect, connection: Any) -> Iterator[None]:
    """Commit what happens inside, or on any exception nothing of it."""
    dialect.begin(connection)
    try:
        yield
        connection.commit()
    except BaseException:
        with suppress(dialect.driver.Error):  # a broken connection cannot roll back; the first error tells
            connection.rollback()
        raise


@contextmanager
def savepoint(dialect: Dialect, connection: Any) -> Iterator[None]:
    """In a transaction: keep what happens inside, or on any exception nothing of it, and go on."""
    execute(connection, "SAVEPOINT agari_batch")
    try:
        yield
    except BaseException:
        with suppress(dialect.driver.Error):  # the whole transaction may be gone; the first error tells
            execute(connection, "ROLLBACK TO SAVEPOINT agari_batch")
        raise
    execute(connection, "RELEASE SAVEPOINT agari_batch")


def execute(connection: Any, sql: str, parameters: Sequence[Any] | None = None) -> int:
    """Run a statement; number of rows it changed."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql) if parameters is None else cursor.execute(sql, parameters)
        return int(cursor.rowcount)


def query(connection: Any, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """All rows of a query, also from a connection whose cursors give dicts."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql, parameters)
        return [tuple(row.values() if isinstance(row, dict) else row) for row in cursor.fetchall()]


def quoted_table(dialect: Dialect, table: str) -> str:
    return ".".join(quoted(dialect, name) for name in table.split("."))


def quoted(dialect: Dialect, name: str) -> str:
    """:raises ValueError: a name that drivers would take for a placeholder, or no name at all."""
    if not name or "%" in name or "\0" in name:
        raise ValueError(f"{name!r} cannot be the name of a table or column")
    return dialect.quote(name)


def quoted_list(dialect: Dialect, names: Iterable[str]) -> str:
    return ", ".join(quoted(dialect, name) for name in names)


def names_beside(table: str, schema: str, name: str, schema_beside: str) -> tuple[str, ...]:
    """What :meth:`Dialect.table_names` gives, of a table that is found in a schema by the name ``table``."""
    whole = f"{schema}.{name}"
    names = [name, whole] if schema == schema_beside else [whole]
    return tuple(dict.fromkeys([*names, table]))


@contextmanager
def reading(connection: Any) -> Iterator[None]:
    """Queries that stand alone: the transaction that some drivers begin with them ends behind them."""
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
    """Equal for names of the same column."""
    return name if dialect.case_matters else name.casefold()


def require_own_columns(dialect: Dialect, columns: Iterable[Column]) -> None:
    """:raises SameColumn: two go to the same column of the table."""
    found: dict[str, str] = {}
    for column in columns:
        name = comparable_name(dialect, column.name)
        if name in found:
            raise SameColumn([found[name], column.name])
        found[name] = column.name


def create_table(dialect: Dialect, connection: Any, target: Target) -> None:
    """
    Create the table if it is not there, also where several importers do so at once; in a transaction of its own.

    :raises SameColumn: two columns are the same to the database.
    :raises UnsupportedAvroType: a column that no type of the database holds.
    """
    require_own_columns(dialect, target.columns)
    definitions = [
        f"{quoted(dialect, column.name)} {dialect.column_type(column, column.name in target.key_columns)}"
        + ("" if column.nullable and column.name not in target.key_columns else " NOT NULL")
        for column in target.columns
    ]
    if target.key_columns:
        definitions.append(f"PRIMARY KEY ({quoted_list(dialect, target.key_columns)})")
    with transaction(dialect, connection):
        dialect.lock_for_create(connection)
        table = quoted_table(dialect, target.table)
        execute(connection, f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(definitions)})")


def add_column(dialect: Dialect, connection: Any, table: str, column: Column) -> None:
    """Add a nullable column, unless it is there."""
    definition = f"{quoted(dialect, column.name)} {dialect.column_type(column, False)}"
    dialect.add_column(connection, quoted_table(dialect, table), definition)


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
    Insert every batch by ``executemany``.

    :param rows_at_once: how many rows of some values a call may have; None takes a batch whole.
    :return: rows, as the driver counts them; those given, where it does not count, which PEP 249 allows.
    """
    inserted = 0
    with closing(connection.cursor()) as cursor:
        for batch in filter(lambda batch: batch.rows, batches):
            values = [dialect.values(*pair) for pair in zip(columns, batch.columns, strict=True)]
            rows = list(zip(*values, strict=True))
            step = rows_at_once(columns, values) if rows_at_once else len(rows)
            for start in range(0, len(rows), step):
                part = rows[start : start + step]
                cursor.executemany(sql, part)
                inserted += cursor.rowcount if cursor.rowcount >= 0 else len(part)
    return inserted


def as_json(column: Column, values: Sequence[Any]) -> list[str | None]:
    """
    Values as JSON text; see :func:`airflow_agari_provider.avro.json_text.json_texts`.

    :raises UnstorableValue: one has none.
    """
    try:
        return json_texts(values)
    except (ValueError, RecursionError) as error:  # a number that is none, or nested beyond reason
        row = next(number for number, value in enumerate(values) if not _has_json(value))
        value = "a value" if isinstance(error, RecursionError) else f"{values[row]!r:.100}"
        raise UnstorableValue(column.name, f"{value} has no JSON form ({error})", row) from error


def _has_json(value: Any) -> bool:
    try:
        json_texts([value])
    except (ValueError, RecursionError):
        return False
    return True
