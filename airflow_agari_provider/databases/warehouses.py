"""
Redshift and Snowflake, which fetch an object from S3 themselves: COPY, in the transaction of its row in the ledger.

Written from their documentation (Redshift: "COPY", "COPY from Avro"; Snowflake: "COPY INTO <table>"). No such server
was available, so only the statements are tested. Neither database enforces primary keys: the ledger is locked in
Redshift instead, and Snowflake itself refuses to load a file twice within 64 days.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import Any

from airflow_agari_provider.avro.columns import Column, UnsupportedAvroType
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.databases.base import Target
from airflow_agari_provider.databases.generic import GenericDialect
from airflow_agari_provider.databases.statements import execute, query, quoted_list, quoted_table
from airflow_agari_provider.exceptions import UnimportableObject
from airflow_agari_provider.s3.content import is_current
from airflow_agari_provider.s3.errors import ObjectOverwritten
from airflow_agari_provider.s3.objects import StoredObject


class NotByCopy(UnimportableObject):
    """
    Something that is not possible in a database that fetches objects itself.

    :param problem: what is not possible, as a clause.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return (
            f"This database fetches objects from S3 itself, therefore {self.problem}. Nothing was loaded; change that "
            "setting of the import."
        )


class RedshiftDialect(GenericDialect):
    """COPY finds columns by the names of the fields. Timestamps are in milliseconds: COPY takes one unit for all."""

    ledger_lock = "LOCK TABLE agari_import_ledger"

    def load(self, connection: Any, target: Target, batches: Iterable[Batch]) -> int:
        raise NotByCopy("single rows cannot be quarantined")

    def copy(self, connection: Any, target: Target, stored: StoredObject, access: str) -> int:
        """
        Load an object.

        :param access: ARN of an IAM role that may read the bucket, or ``default`` for the cluster's own.
        :return: rows, as the database counts them.
        """
        execute(connection, self.copy_sql(target, stored, access))
        return int(query(connection, "SELECT pg_last_copy_count()")[0][0])

    def copy_sql(self, target: Target, stored: StoredObject, access: str) -> str:
        _require_copyable(target)
        for column in target.columns:
            if column.kind in ("time", "local_time") or (column.kind == "instant" and column.precision != 3):
                raise UnsupportedAvroType(column.name, "the only times that Redshift's COPY takes are timestamp-millis")
        role = "default" if access == "default" else _literal(access)
        return (
            f"COPY {quoted_table(self, target.table)} ({quoted_list(self, [one.name for one in target.columns])}) "
            f"FROM {_literal(stored.url)} IAM_ROLE {role} FORMAT AS AVRO 'auto' TIMEFORMAT 'epochmillisecs' MAXERROR 0"
        )


class SnowflakeDialect(GenericDialect):
    """COPY finds columns by the names of the fields, in upper or lower case."""

    def begin(self, connection: Any) -> None:
        execute(connection, "BEGIN")

    def load(self, connection: Any, target: Target, batches: Iterable[Batch]) -> int:
        raise NotByCopy("single rows cannot be quarantined")

    def copy(self, connection: Any, target: Target, stored: StoredObject, access: str) -> int:
        """
        Load an object.

        :param access: name of an external stage whose URL is the bucket.
        :return: rows, as the database counts them.
        """
        with closing(connection.cursor()) as cursor:
            cursor.execute(self.copy_sql(target, stored, access))
            names = [entry[0].lower() for entry in cursor.description]
            rows = cursor.fetchall()
        # If the file was loaded before, the answer is one row that only says so.
        return sum(int(row[names.index("rows_loaded")]) for row in rows) if "rows_loaded" in names else 0

    def copy_sql(self, target: Target, stored: StoredObject, access: str) -> str:
        _require_copyable(target)
        return (
            f"COPY INTO {quoted_table(self, target.table)} FROM @{quoted_table(self, access)} "
            f"FILES = ({_literal(stored.key)}) FILE_FORMAT = (TYPE = AVRO) "
            "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE ON_ERROR = ABORT_STATEMENT"
        )


def require_unchanged(s3: Any, stored: StoredObject) -> None:
    """
    After the copy: check that the database has read the content that the ledger records.

    :param s3: boto3 client of S3.
    :raises ObjectOverwritten: the database may have read other content, or the object is gone.
    """
    if not is_current(s3, stored):
        raise ObjectOverwritten(stored.url)


def _require_copyable(target: Target) -> None:
    if target.key_columns:
        raise NotByCopy("an upsert is not possible")
    if renamed := [column.name for column in target.columns if not _by_name(column)]:
        raise NotByCopy(f"a column cannot have another name than its field: {', '.join(renamed)}")


def _by_name(column: Column) -> bool:
    return column.field is not None and column.field == column.name and not column.inside


def _literal(text: str) -> str:
    """Return a text as an SQL literal that neither quotes nor backslashes in it can end."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
