"""
What the import needs from every database.

A :class:`Dialect` has no state: it works on the connection that it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.avro.records import Batch

# What causes a database error. rows: they break a constraint or do not fit. conflict: with another transaction; trying
# again at once helps. passing: trying again later helps. target: the table, its permissions or the SQL is wrong.
Fault = Literal["rows", "conflict", "passing", "target"]
PLAIN_INSERT = ("INSERT", "")  # of databases that cannot insert only if the key is new


@dataclass(frozen=True)
class Target:
    """
    Where the rows go.

    :param table: as ``table`` or ``schema.table``.
    :param key_columns: rows with the same values in these columns replace each other, and the last one stays; empty:
        rows are only added.
    """

    table: str
    columns: tuple[Column, ...]
    key_columns: tuple[str, ...] = ()


@dataclass
class RowByRow:
    """
    The outcome of rows that were inserted one at a time.

    :param rows: how many the database counted.
    :param refused: positions of the rows that it refused, and why.
    """

    rows: int = 0
    refused: list[tuple[int, Exception]] = field(default_factory=list)


class Dialect(Protocol):
    """
    What is different in each database.

    :param driver: the DB-API module of the connections; it defines their exception classes.
    :param placeholder: of a value in SQL.
    :param insert_if_absent: SQL before and after ``INTO ... VALUES (...)`` that inserts nothing, and counts 0, if the
        key exists already. :data:`PLAIN_INSERT` fails in that case.
    :param text_equals: SQL that is true if ``{column}`` has exactly the text ``{value}``, in upper and lower case.
    :param text_key: SQL that is equal only for the same text ``{text}``, in upper and lower case; for GROUP BY.
    :param joined: SQL that joins the numbers ``{number}`` of a group with commas; NULL if there are none.
    :param for_update: SQL at the end of a SELECT that reads the newest row and locks it.
    :param case_matters: whether "a" and "A" are two columns.
    :param ddl_commits: whether changing a table commits the current transaction.
    """

    driver: Any
    placeholder: str
    insert_if_absent: tuple[str, str]
    text_equals: str
    text_key: str
    joined: str
    for_update: str
    case_matters: bool
    ddl_commits: bool

    def prepare(self, connection: Any) -> None:
        """Prepare a new connection: transactions under our control, UTF-8, UTC, no silent cutting of values."""

    def begin(self, connection: Any) -> None:
        """Begin a transaction. In a database that allows one writer at a time, wait for our turn."""

    def lock_for_create(self, connection: Any) -> None:
        """In a transaction: wait until no other importer is creating a table."""

    def lock(self, connection: Any, name: str) -> None:
        """In a transaction: wait for the lock of that name. It is released like that of :meth:`try_lock`."""

    def try_lock(self, connection: Any, name: str) -> bool:
        """
        In a transaction: take the lock of that name, if no other importer has it. Do not wait for it.

        A database without such locks always answers True: its importers take turns anyway, or it has no way to ask.
        The lock is released by :meth:`unlock`, or at the end of the transaction or of the connection.

        :return: False if another importer has the lock.
        """

    def try_locks(self, connection: Any, names: Sequence[str]) -> list[bool]:
        """Take several locks as :meth:`try_lock` does, and return for each whether it was taken."""

    def unlock(self, connection: Any, name: str) -> None:
        """After the transaction: release a lock, if it was taken."""

    def quote(self, name: str) -> str:
        """Return the name as a quoted identifier in SQL."""

    def table_exists(self, connection: Any, table: str) -> bool:
        """Whether a table or view of that name exists."""

    def table_names(self, connection: Any, table: str, beside: str) -> tuple[str, ...]:
        """
        Return the one name by which a table is known, and then other names that it may have been recorded under.

        The table need not exist. The first name has no schema if the table ``beside`` is in the same schema.
        """

    def column_type(self, column: Column, in_key: bool) -> str:
        """
        Return the SQL type for a column.

        :raises UnsupportedAvroType: no type of this database holds every value of the column.
        """

    def require_lossless(self, connection: Any, target: Target) -> None:
        """:raises UnsupportedAvroType: a column of the table would silently round or cut values."""

    def add_column(self, connection: Any, table: str, definition: str) -> None:
        """Add a column by its quoted definition, unless another importer has just added it."""

    def values(self, column: Column, values: Sequence[Any]) -> Sequence[Any]:
        """
        Return values as the driver takes them.

        :raises UnstorableValue: the database would not keep a value unchanged.
        """

    def array_values(self, column: Column, array: Any) -> Sequence[Any]:
        """
        Return the values of an Arrow array as the driver takes them; JSON is text there.

        :raises UnstorableValue: the database would not keep a value unchanged.
        """

    def arrow_refusal(self, connection: Any, target: Target) -> str | None:
        """Return why the target does not take Arrow arrays, as a clause; None if it does."""

    def load(self, connection: Any, target: Target, batches: Iterable[Batch]) -> int:
        """In a transaction: put the rows into the table, and return how many the database counted."""

    def load_each(self, connection: Any, target: Target, batch: Batch) -> RowByRow:
        """In a transaction: put the rows into the table one by one, in their order, without those that are refused."""

    def fault(self, error: Exception) -> Fault:
        """What caused an error of the driver."""

    def refuses_columns(self, error: Exception) -> bool:
        """Of an error while a table is created or changed: whether the names, types or number of columns caused it."""
