"""A table of the alerts: how it is made and brought up to date, and the few statements that read and change it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_agari_provider.avro.columns import Column
    from airflow_agari_provider.databases.base import Dialect

logger = logging.getLogger(__name__)

INDEXED_CHARACTERS = 191  # of a text in MySQL, whose index takes 767 bytes: 4 for each character


@dataclass(frozen=True)
class AlertTable:
    """
    A table as this package makes it.

    :param kinds: kind of each column; the first is the key. Columns that a table of an older version lacks are added,
        and are NULL in its rows.
    :param indexes: columns of each index.
    """

    name: str
    kinds: Mapping[str, str]
    indexes: Sequence[Sequence[str]] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        from airflow_agari_provider.avro.columns import Column

        return tuple(Column(name, None, kind) for name, kind in self.kinds.items())  # type: ignore[arg-type]

    @property
    def key(self) -> str:
        return next(iter(self.kinds))


@dataclass
class TableRows:
    """
    A table on one connection.

    :param connection: DB-API connection, prepared by its dialect.
    :param is_wanted: whether anybody still waits for what is changed; if not, it is not committed.
    """

    table: AlertTable
    dialect: Dialect
    connection: Any
    is_wanted: Callable[[], bool] = lambda: True

    def exists(self) -> bool:
        from airflow_agari_provider.databases.statements import reading

        with reading(self.connection):
            return self.dialect.table_exists(self.connection, self.table.name)

    def create(self) -> None:
        """Create the table, or add the columns that it lacks."""
        from airflow_agari_provider.databases.base import Target
        from airflow_agari_provider.databases.statements import add_column, create_table, reading, table_columns

        if not self.exists():
            create_table(self.dialect, self.connection, Target(self.table.name, self.table.columns, (self.table.key,)))
            self.add_indexes()
            return
        with reading(self.connection):
            present = table_columns(self.dialect, self.connection, self.table.name)
        for column in self.table.columns:
            if column.name not in present:
                add_column(self.dialect, self.connection, self.table.name, column)
                self.connection.commit()

    def add_indexes(self) -> None:
        """
        Create the indexes that are missing. On a large table this takes a while, so no alert should wait for it.

        Without them everything works, and takes longer. So what forbids them is no error.
        """
        for columns in self.table.indexes:
            name = f"{self.table.name}_{'_'.join(columns)}"
            on = ", ".join(self._indexed(column) for column in self.table.columns if column.name in columns)
            try:
                self._create_index("IF NOT EXISTS ", f"{name} ON {self.table.name} ({on})")
            except self.dialect.driver.Error:  # MySQL knows no IF NOT EXISTS here
                try:
                    self._create_index("", f"{name} ON {self.table.name} ({on})")
                except self.dialect.driver.Error as error:
                    logger.debug("Index %s is there already, or cannot be made: %s", name, error)

    def insert(self, row: Mapping[str, Any]) -> int:
        """
        Insert a row if there is none with its key. Return how many were inserted.

        It has a transaction of its own: if it went on to an UPDATE, two such transactions could deadlock in MySQL.
        """
        verb, suffix = self.dialect.insert_if_absent
        places = ", ".join("?" * len(row))
        into = f"INTO {self.table.name} ({', '.join(row)})"
        return self.change(f"{verb} {into} VALUES ({places}) {suffix}", tuple(row.values()))

    def change(self, sql: str, values: Sequence[Any]) -> int:
        """Run a statement in a transaction of its own. Return how many rows it changed."""
        from airflow_agari_provider.databases.statements import execute, transaction, with_placeholders

        with transaction(self.dialect, self.connection):
            changed = execute(self.connection, with_placeholders(sql, self.dialect.placeholder), values)
            if not self.is_wanted():
                raise TimeoutError("nobody waits for this change any more")
            return changed

    def rows(self, select: str, where: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self.query(f"{select} FROM {self.table.name} {where}", values)

    def query(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Return the rows of a whole statement."""
        from airflow_agari_provider.databases.statements import query, reading, with_placeholders

        with reading(self.connection):
            return query(self.connection, with_placeholders(sql, self.dialect.placeholder), values)

    def _create_index(self, if_absent: str, what: str) -> None:
        from airflow_agari_provider.databases.statements import execute, transaction

        with transaction(self.dialect, self.connection):
            self.dialect.lock_for_create(self.connection)
            execute(self.connection, f"CREATE INDEX {if_absent}{what}")

    def _indexed(self, column: Column) -> str:
        """Return a column of an index: of a text only the beginning, in a database that cannot take all of it."""
        is_whole = self.dialect.column_type(column, True) == self.dialect.column_type(column, False)
        return column.name if is_whole else f"{column.name}({INDEXED_CHARACTERS})"
