"""Why objects could not be loaded: a table next to the ledger, for people and for the report of dead letters."""

from __future__ import annotations

from typing import Any

from airflow_agari_provider.avro_import.ledger_tables import FAILURES, FAILURES_TABLE, now
from airflow_agari_provider.databases.base import Dialect
from airflow_agari_provider.databases.dialects import any_dialect_of
from airflow_agari_provider.databases.statements import (
    execute,
    insert_sql,
    query,
    quoted_table,
    transaction,
    with_placeholders,
)
from airflow_agari_provider.exceptions import cut

REASON_LENGTH = 4000  # characters


def record_failure(dialect: Dialect, connection: Any, bucket: str, key: str, reason: str, run: str) -> None:
    """
    Record why an object could not be loaded, in a transaction of its own.

    :param bucket: empty for a message that names no object.
    :param key: of the object, or the id of such a message.
    :param reason: any text. It may quote the object, so characters that no database takes in a text are escaped.
    """
    text = reason.replace("\0", "\\0").encode(errors="backslashreplace").decode()
    names = [column.name for column in FAILURES_TABLE.columns]
    with transaction(dialect, connection):
        values = (bucket, key, cut(text, REASON_LENGTH), now(dialect), run)
        execute(connection, insert_sql(dialect, FAILURES, names), values)


def failure_reason(connection: Any, bucket: str, key: str) -> str | None:
    """
    Return why an object could not be loaded the last time; None if no import has recorded a failure of it.

    :param connection: DB-API connection to the database that the import loads into.
    :param bucket: empty for a message that names no object.
    :param key: of the object, or the id of such a message.
    """
    dialect = any_dialect_of(connection)
    if not dialect.table_exists(connection, FAILURES):
        return None
    # Names are compared again below, because to some databases "a" and "A" are the same text.
    table = quoted_table(dialect, FAILURES)
    sql = f"SELECT bucket, object_key, reason FROM {table} WHERE bucket = ? AND object_key = ? ORDER BY failed_at DESC"  # noqa: S608 - quoted
    rows = query(connection, with_placeholders(sql, dialect.placeholder), (bucket, key))
    return next(
        (str(reason) for found_bucket, found_key, reason in rows if (found_bucket, found_key) == (bucket, key)), None
    )
