"""Why objects could not be loaded: a table next to the ledger, for people and for the report of dead letters."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from airflow_agari_provider.avro_import.errors import UnexpectedFailure, is_failure, unexpected
from airflow_agari_provider.avro_import.ledger_tables import FAILURES, FAILURES_TABLE, now
from airflow_agari_provider.databases.base import Dialect
from airflow_agari_provider.databases.dialects import any_dialect_of
from airflow_agari_provider.databases.statements import (
    VALUES_IN_A_QUERY,
    execute,
    insert_sql,
    query,
    quoted_table,
    transaction,
    with_placeholders,
)
from airflow_agari_provider.exceptions import AgariError, UnimportableObject, cut
from airflow_agari_provider.s3.errors import ObjectOverwritten

logger = logging.getLogger(__name__)

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


def record_error(dialect: Dialect, connection: Any, bucket: str, key: str, error: Exception, run: str) -> None:
    """Record an error as the reason; see :func:`record_failure`."""
    text = f"{error}\n{error.trace}" if isinstance(error, UnexpectedFailure) else str(error)
    record_failure(dialect, connection, bucket, key, text, run)


@contextmanager
def failures_recorded(
    dialect: Dialect, connection: Any, bucket: str, key: str, run: str, source: str
) -> Iterator[None]:
    """
    Record a failure of what is inside that is the source's own; other parameters as for :func:`record_failure`.

    :param source: name of what is imported, for errors.
    :raises UnexpectedFailure: for an error that no code expects.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (UnimportableObject, ObjectOverwritten) as error:
        record_error(dialect, connection, bucket, key, error, run)
        raise
    except (AgariError, BotoCoreError, ClientError, dialect.driver.Error):
        raise
    except BaseException as error:
        if not is_failure(error):
            raise
        failure = unexpected(source, error)
        logger.exception("%s", failure)
        record_error(dialect, connection, bucket, key, failure, run)
        raise failure from error


def failed_objects(dialect: Dialect, connection: Any, objects: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """
    Return those of the objects that an import has ever failed on.

    :param objects: their buckets and keys; any number, because one query asks for hundreds of them.
    """
    if not objects or not dialect.table_exists(connection, FAILURES):
        return set()
    failed: set[tuple[str, str]] = set()
    keys = list(dict.fromkeys(key for _, key in objects))
    for start in range(0, len(keys), VALUES_IN_A_QUERY):
        part = keys[start : start + VALUES_IN_A_QUERY]
        table, places = quoted_table(dialect, FAILURES), ", ".join("?" * len(part))
        sql = f"SELECT bucket, object_key FROM {table} WHERE object_key IN ({places})"  # noqa: S608 - quoted
        rows = query(connection, with_placeholders(sql, dialect.placeholder), part)
        failed |= {(str(bucket), str(key)) for bucket, key in rows}
    return failed & set(objects)  # to some databases "a" and "A" are the same text


def failure_reason(connection: Any, bucket: str, key: str, dialect: Dialect | None = None) -> str | None:
    """
    Return why an object could not be loaded the last time; None if no import has recorded a failure of it.

    :param connection: DB-API connection to the database that the import loads into.
    :param bucket: empty for a message that names no object.
    :param key: of the object, or the id of such a message.
    :param dialect: of the connection; None: it is found out.
    """
    dialect = dialect or any_dialect_of(connection)
    if not dialect.table_exists(connection, FAILURES):
        return None
    # Names are compared again below, because to some databases "a" and "A" are the same text.
    table = quoted_table(dialect, FAILURES)
    sql = f"SELECT bucket, object_key, reason FROM {table} WHERE bucket = ? AND object_key = ? ORDER BY failed_at DESC"  # noqa: S608 - quoted
    rows = query(connection, with_placeholders(sql, dialect.placeholder), (bucket, key))
    return next(
        (str(reason) for found_bucket, found_key, reason in rows if (found_bucket, found_key) == (bucket, key)), None
    )
