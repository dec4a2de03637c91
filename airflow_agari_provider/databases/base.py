"""
What every database has to offer the import.

A :class:`Dialect` has no state: it works on the connection it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.avro.records import Batch

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
