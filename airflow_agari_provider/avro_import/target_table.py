"""The table that a job loads: created where it is not there, and changed where an object has fields that it lacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.avro_import.ledger import TableLedger
from airflow_agari_provider.avro_import.schema_change import TableChange, add_columns, table_change
from airflow_agari_provider.avro_import.source_object import OpenedObject
from airflow_agari_provider.databases.base import Dialect
from airflow_agari_provider.databases.errors import MissingTable
from airflow_agari_provider.databases.statements import create_table, reading


@dataclass(frozen=True)
class TargetTable:
    """
    :param connection: DB-API connection.
    :param ledger: of the same table.
    """

    dialect: Dialect
    connection: Any
    job: ImportJob
    ledger: TableLedger

    def there(self) -> bool:
        """
        Outside a transaction: whether the table is there, or else may be created.

        :raises MissingTable: neither.
        """
        with reading(self.connection):
            there = self.dialect.table_exists(self.connection, self.job.table)
        if not there and not self.job.create_table:
            raise MissingTable(self.job.table)
        return there

    def prepared(self, opened: OpenedObject) -> TableChange:
        """
        Before the transaction: create the table, and see which columns it lacks.

        They are added here where adding them commits, unless nothing of the object will be loaded.

        :raises MissingTable: and ``create_table`` is not set.
        """
        if not self.there():
            create_table(self.dialect, self.connection, opened.target)
        with reading(self.connection):
            change = self.change(opened)
        if change.added and self.dialect.ddl_commits and not self._passed_over(opened):
            add_columns(self.dialect, self.connection, change, opened.stored.url)
            return TableChange(change.target)
        return change

    def change(self, opened: OpenedObject) -> TableChange:
        """
        What the object makes necessary.

        :raises MissingColumns: and ``schema_change`` does not let them be.
        :raises UnsupportedAvroType: a column of the table would round or cut values in silence.
        """
        needed = [*self.job.key_columns, *([self.job.count_by] if self.job.count_by else [])]
        change = table_change(
            self.dialect, self.connection, opened.target, self.job.schema_change, needed, opened.stored.url
        )
        self.dialect.require_lossless(self.connection, change.target)
        return change

    def _passed_over(self, opened: OpenedObject) -> bool:
        """Whether the object is loaded and stays as it is."""
        if self.job.mode == "replace":  # what a window's objects were loaded with is deleted
            return False
        stored = opened.stored
        with reading(self.connection):
            return self.ledger.is_loaded(stored.bucket, stored.key, stored.etag)
