"""The table that a job loads: created if it does not exist, and changed if an object has fields that it lacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.avro_import.schema_change import TableChange, add_columns, table_change
from airflow_agari_provider.databases.base import Dialect, Target
from airflow_agari_provider.databases.errors import MissingTable
from airflow_agari_provider.databases.statements import create_table, reading


@dataclass(frozen=True)
class TargetTable:
    """
    The table of one job.

    :param connection: DB-API connection.
    """

    dialect: Dialect
    connection: Any
    job: ImportJob

    def there(self) -> bool:
        """
        Outside a transaction: whether the table exists. If it does not, it may be created.

        :raises MissingTable: the table does not exist and may not be created.
        """
        with reading(self.connection):
            there = self.dialect.table_exists(self.connection, self.job.table)
        if not there and not self.job.create_table:
            raise MissingTable(self.job.table)
        return there

    def prepared(self, target: Target, source: str, passed_over: Callable[[], bool] = lambda: False) -> TableChange:
        """
        Before the transaction: create the table if it does not exist, and find out which columns it lacks.

        If adding columns commits in this database, they are added here, unless the source will be skipped.

        :param target: what the source has for the table.
        :param source: name of what is loaded, such as an object's URL.
        :param passed_over: whether it is loaded already and will be skipped.
        :raises MissingTable: the table does not exist, and ``create_table`` is not set.
        """
        if not self.there():
            create_table(self.dialect, self.connection, target)
        with reading(self.connection):
            change = self.change(target, source)
        if change.added and self.dialect.ddl_commits and not passed_over():
            add_columns(self.dialect, self.connection, change, source)
            return TableChange(change.target)
        return change

    def change(self, target: Target, source: str) -> TableChange:
        """
        Return the change of the table that a source needs; see :meth:`prepared`.

        :raises MissingColumns: columns are missing, and ``schema_change`` does not allow that.
        :raises UnsupportedAvroType: a column of the table would silently round or cut values.
        """
        needed = [*self.job.key_columns, *([self.job.count_by] if self.job.count_by else [])]
        if self.job.schema_change != "add_columns":
            needed += self.job.origin_columns.values()
        change = table_change(self.dialect, self.connection, target, self.job.schema_change, needed, source)
        self.dialect.require_lossless(self.connection, change.target)
        return change
