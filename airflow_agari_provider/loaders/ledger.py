"""
Which objects are in the database: a table beside the rows, written in the same transaction as they.

One row for each object and table it was loaded into; no row without its data, no data without its row, and no expiry.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal

from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.avro.objects import StoredObject
from airflow_agari_provider.exceptions import AgariError, UnimportableObject
from airflow_agari_provider.loaders.base import (
    PLAIN_INSERT,
    Dialect,
    Target,
    create_table,
    execute,
    insert_sql,
    query,
    quoted,
    quoted_table,
    reading,
    transaction,
)
from airflow_agari_provider.loaders.dialects import any_dialect_of
from airflow_agari_provider.loaders.generic import GenericDialect, require_transactions

logger = logging.getLogger(__name__)

LEDGER = "agari_import_ledger"
FAILURES = "agari_import_failures"
REASON_LENGTH = 4000  # characters

PROBE = "agari-transaction-probe"

OnChangedObject = Literal["fail", "replace", "skip"]
# Load it; it is in the table; or it has changed since, and is passed over as told.
Claim = Literal["load", "there", "changed"]

# ``id`` is a hash, because a key of S3 (1024 bytes) is too long for a key of a table, and many collations would take
# two of them for the same. ``modified_at`` is text in one format, to compare by.
_LEDGER_TABLE = Target(
    LEDGER,
    (
        Column("id", None, "text"),
        Column("table_name", None, "text"),
        Column("bucket", None, "text"),
        Column("object_key", None, "text"),
        Column("etag", None, "text"),
        Column("version_id", None, "text"),
        Column("size_bytes", None, "long"),
        Column("modified_at", None, "text"),
        Column("loaded_rows", None, "long"),
        Column("quarantined_rows", None, "long"),
        Column("quarantined_blocks", None, "long"),
        Column("counts", None, "json"),
        Column("run", None, "text"),
        Column("loaded_at", None, "instant"),
    ),
    ("id",),
)
_FAILURES_TABLE = Target(
    FAILURES,
    (
        Column("bucket", None, "text"),
        Column("object_key", None, "text"),
        Column("reason", None, "text"),
        Column("failed_at", None, "instant"),
        Column("run", None, "text"),
    ),
)


class ObjectChanged(UnimportableObject):
    """
    An object whose key was loaded before, with other content.

    :param url: its S3 URL.
    :param table: the table it was loaded into.
    :param loaded_at: when, as the ledger has it.
    """

    def __init__(self, url: str, table: str, loaded_at: str) -> None:
        super().__init__(url, table, loaded_at)
        self.url, self.table, self.loaded_at = url, table, loaded_at

    def __str__(self) -> str:
        return (
            f"{self.url} was loaded into {self.table} at {self.loaded_at} and has other content now, which was not "
            "loaded. Write new data under new keys, or choose with on_changed_object what a changed object means."
        )


class ClaimedMeanwhile(AgariError):
    """
    Another importer claimed the same object at the same moment; the transaction has to begin again.

    :param cause: what the database says.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause

    def __str__(self) -> str:
        return f"Another importer claimed the same object at the same moment: {self.cause}"


def create_tables(dialect: Dialect, connection: Any) -> None:
    """Create ledger and failures table where they are not there; each in a transaction of its own."""
    for target in (_LEDGER_TABLE, _FAILURES_TABLE):
        with reading(connection):
            there = dialect.table_exists(connection, target.table)
        if not there:
            create_table(dialect, connection, target)
    if isinstance(dialect, GenericDialect):
        require_transactions(dialect, connection, LEDGER, {"id": PROBE, "table_name": PROBE, "bucket": PROBE})


def is_loaded(dialect: Dialect, connection: Any, table: str, bucket: str, key: str, etag: str) -> bool:
    """Whether this content of the object is in the table."""
    ids = _ids(dialect, connection, table, bucket, key)
    return (etag,) in query(connection, _select(dialect, "etag", of=len(ids)), ids)


def claim(
    dialect: Dialect,
    connection: Any,
    table: str,
    stored: StoredObject,
    run: str,
    on_changed_object: OnChangedObject,
    again: bool = False,
    is_current: Callable[[StoredObject], bool] = lambda stored: False,
) -> Claim:
    """
    In the transaction that loads an object, before its rows: whether to load them.

    Waits for another importer that is loading the same object, and answers by what became of it.

    :param table: that the rows go to.
    :param run: who loads, in words.
    :param again: load it even though it was loaded: its rows were deleted in this transaction.
    :param is_current: whether S3 has this content under the key now; asked where times do not tell which content is the
        newer one, because S3 gives them in whole seconds.
    :raises ObjectChanged: other content was loaded, and ``on_changed_object`` is ``fail``.
    """
    row = {
        "id": _own_id(dialect, connection, table, stored.bucket, stored.key),
        "table_name": table,
        "bucket": stored.bucket,
        "object_key": stored.key,
        "etag": stored.etag,
        "version_id": stored.version_id,
        "size_bytes": stored.size_bytes,
        "modified_at": _modified_at(stored),
        "run": run,
    }
    if _inserted(dialect, connection, row):
        return "load"
    ((etag, modified_at, loaded_at),) = query(
        connection, _select(dialect, "etag", "modified_at", "loaded_at") + dialect.for_update, (row["id"],)
    )
    if not again:
        answer = _compared(stored, etag, loaded_at, table, on_changed_object)
        if answer == "load" and not _newer(stored, str(modified_at), is_current):  # SQS keeps no order
            logger.info("%s: a newer version than this one was loaded at %s", stored.url, loaded_at)
            return "there"
        if answer != "load":
            return answer
    changes = ", ".join(f"{quoted(dialect, name)} = {dialect.placeholder}" for name in row)
    sql = f"UPDATE {quoted_table(dialect, LEDGER)} SET {changes} WHERE id = {dialect.placeholder}"  # noqa: S608
    execute(connection, sql, [*row.values(), row["id"]])
    return "load"


def hold(dialect: Dialect, connection: Any, table: str, bucket: str, key: str, run: str) -> None:
    """
    In a transaction: wait for whoever is loading an object, and keep others from it until the end.

    For what has to happen between the claims of several objects and their rows; each is still to be claimed ``again``.
    """
    own = _own_id(dialect, connection, table, bucket, key)
    row = {"id": own, "table_name": table, "bucket": bucket, "object_key": key, "run": run}
    if not _inserted(dialect, connection, row):
        sql = f"UPDATE {quoted_table(dialect, LEDGER)} SET run = {dialect.placeholder} "  # noqa: S608 - quoted
        execute(connection, f"{sql} WHERE id = {dialect.placeholder}", (run, row["id"]))


def _inserted(dialect: Dialect, connection: Any, row: Mapping[str, Any]) -> bool:
    """Whether the row is new; another importer that is inserting the same is waited for."""
    verb, behind = dialect.insert_if_absent
    sql = f"{insert_sql(dialect, LEDGER, list(row), verb)} {behind}"
    if dialect.insert_if_absent != PLAIN_INSERT:
        return bool(execute(connection, sql, list(row.values())))
    if isinstance(dialect, GenericDialect) and dialect.ledger_lock:
        execute(connection, dialect.ledger_lock)
    if query(connection, _select(dialect, "id"), (row["id"],)):
        return False
    try:
        execute(connection, sql, list(row.values()))
    except dialect.driver.IntegrityError as error:
        raise ClaimedMeanwhile(str(error)) from error
    return True


def _compared(stored: StoredObject, etag: str, loaded_at: Any, table: str, on_changed_object: OnChangedObject) -> Claim:
    if etag == stored.etag:
        logger.info("%s is in %s since %s", stored.url, table, loaded_at)
        return "there"
    if on_changed_object == "fail":
        raise ObjectChanged(stored.url, table, str(loaded_at))
    if on_changed_object == "skip":
        logger.warning("%s has changed since it was loaded at %s; its new content is skipped", stored.url, loaded_at)
        return "changed"
    return "load"


def _newer(stored: StoredObject, modified_at: str, is_current: Callable[[StoredObject], bool]) -> bool:
    """Whether an object's content is newer than one that was written at a time."""
    own = _modified_at(stored)
    return own > modified_at or (own == modified_at and is_current(stored))


def _modified_at(stored: StoredObject) -> str:
    return stored.modified_at.astimezone(UTC).isoformat(timespec="seconds")


def is_current(s3: Any, stored: StoredObject) -> bool:
    """
    Whether S3 has this content under the key now, and no newer one.

    :param s3: boto3 client of S3.
    """
    from botocore.exceptions import ClientError

    try:
        found = s3.head_object(Bucket=stored.bucket, Key=stored.key)
    except ClientError as error:  # without the right to list, S3 forbids to see that an object is gone
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404):
            return False
        raise
    return (found["ETag"].strip('"'), found.get("VersionId")) == (stored.etag, stored.version_id)


def settle(
    dialect: Dialect,
    connection: Any,
    table: str,
    stored: StoredObject,
    rows: int,
    counts: Mapping[str, int],
    quarantined_rows: int = 0,
    quarantined_blocks: int = 0,
) -> None:
    """
    In the same transaction, after the rows: how many they were.

    :param rows: in the table; ``counts`` are these by the values of ``count_by``.
    :param quarantined_rows: and ``quarantined_blocks``: what was left out; the blocks also count where only some of
        their rows were.
    """
    values = {
        "loaded_rows": rows,
        "quarantined_rows": quarantined_rows,
        "quarantined_blocks": quarantined_blocks,
        "counts": json.dumps(counts),
        "loaded_at": _now(dialect),
    }
    changes = ", ".join(f"{quoted(dialect, name)} = {dialect.placeholder}" for name in values)
    sql = f"UPDATE {quoted_table(dialect, LEDGER)} SET {changes} WHERE id = {dialect.placeholder}"  # noqa: S608
    execute(connection, sql, [*values.values(), _ids(dialect, connection, table, stored.bucket, stored.key)[0]])


def record_failure(dialect: Dialect, connection: Any, bucket: str, key: str, reason: str, run: str) -> None:
    """
    Write down why an object could not be loaded, in a transaction of its own.

    :param bucket: empty for a message that names no object.
    :param key: of the object, or the id of such a message.
    """
    names = [column.name for column in _FAILURES_TABLE.columns]
    with transaction(dialect, connection):
        values = (bucket, key, reason[:REASON_LENGTH], _now(dialect), run)
        execute(connection, insert_sql(dialect, FAILURES, names), values)


def failure_reason(connection: Any, bucket: str, key: str) -> str | None:
    """
    Why an object could not be loaded the last time; None if no import has written down a failure of it.

    :param connection: DB-API connection to the database that the import loads into.
    :param bucket: empty for a message that names no object.
    :param key: of the object, or the id of such a message.
    """
    dialect = any_dialect_of(connection)
    if not dialect.table_exists(connection, FAILURES):
        return None
    # The last condition is for databases that take "a" and "A" for the same text.
    rows = query(
        connection,
        f"SELECT bucket, object_key, reason FROM {quoted_table(dialect, FAILURES)} "  # noqa: S608 - quoted
        f"WHERE bucket = {dialect.placeholder} AND object_key = {dialect.placeholder} ORDER BY failed_at DESC",
        (bucket, key),
    )
    return next(
        (str(reason) for found_bucket, found_key, reason in rows if (found_bucket, found_key) == (bucket, key)), None
    )


def _select(dialect: Dialect, *names: str, of: int = 1) -> str:
    """:param of: number of ids."""
    columns = ", ".join(quoted(dialect, name) for name in names)
    places = ", ".join([dialect.placeholder] * of)
    return f"SELECT {columns} FROM {quoted_table(dialect, LEDGER)} WHERE id IN ({places})"  # noqa: S608 - quoted


def _own_id(dialect: Dialect, connection: Any, table: str, bucket: str, key: str) -> str:
    """
    Id of an object in a table; a row of it under another name of the table gets this id.

    Without a lock, which MySQL would put on more than the row: whoever changes the id of such a row makes it this one.
    """
    own, *others = _ids(dialect, connection, table, bucket, key)
    if others and own not in (found := _found(dialect, connection, [own, *others])) and found:
        sql = f"UPDATE {quoted_table(dialect, LEDGER)} SET id = {dialect.placeholder} "  # noqa: S608 - quoted
        execute(connection, f"{sql} WHERE id = {dialect.placeholder}", (own, found[0]))
    return own


def _found(dialect: Dialect, connection: Any, ids: Sequence[str]) -> list[str]:
    return [str(found) for (found,) in query(connection, _select(dialect, "id", of=len(ids)), ids)]


def _ids(dialect: Dialect, connection: Any, table: str, bucket: str, key: str) -> list[str]:
    """Ids of an object in a table: that of the table's one name, and those of others that were written before."""
    names = dialect.table_names(connection, table, LEDGER)
    return [sha256(f"{name}\0{bucket}\0{key}".encode()).hexdigest() for name in names]


def _now(dialect: Dialect) -> Any:
    (now,) = dialect.values(Column("now", None, "instant"), [datetime.now(UTC)])
    return now
