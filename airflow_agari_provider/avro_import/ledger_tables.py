"""The tables that an import keeps next to those it loads: which objects are loaded, and which could not be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.databases.base import Dialect, Target
from airflow_agari_provider.databases.generic import GenericDialect, require_transactions
from airflow_agari_provider.databases.statements import (
    add_column,
    create_table,
    reading,
    table_columns,
    transaction,
)

LEDGER = "agari_import_ledger"
FAILURES = "agari_import_failures"

_PROBE = "agari-transaction-probe"

# ``id`` is a hash, because an S3 key (up to 1024 bytes) is too long for the key of a table, and many collations would
# take two different S3 keys for the same. ``modified_at`` is text in one format, so that it can be compared.
LEDGER_TABLE = Target(
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
        Column("content", None, "text"),
    ),
    ("id",),
)
FAILURES_TABLE = Target(
    FAILURES,
    (
        Column("bucket", None, "text"),
        Column("object_key", None, "text"),
        Column("reason", None, "text"),
        Column("failed_at", None, "instant"),
        Column("run", None, "text"),
    ),
)


def create_import_tables(dialect: Dialect, connection: Any) -> None:
    """
    Create both tables if they do not exist, each in a transaction of its own, and columns that older versions lacked.

    :raises NoTransactions: the connection keeps what is rolled back.
    """
    for target in (LEDGER_TABLE, FAILURES_TABLE):
        with reading(connection):
            there = dialect.table_exists(connection, target.table)
            names = table_columns(dialect, connection, target.table) if there else []
        if not there:
            create_table(dialect, connection, target)
        for column in target.columns[len(names) :] if names else []:  # new ones are always added at the end
            with transaction(dialect, connection):
                add_column(dialect, connection, target.table, column)
    if isinstance(dialect, GenericDialect):
        require_transactions(dialect, connection, LEDGER, {"id": _PROBE, "table_name": _PROBE, "bucket": _PROBE})


def now(dialect: Dialect) -> Any:
    """Return the current time as the driver takes it for a column of these tables."""
    (value,) = dialect.values(Column("now", None, "instant"), [datetime.now(UTC)])
    return value
