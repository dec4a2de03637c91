"""Inserts rows one at a time, where a database has refused some of them: each refused row is then known at once."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.databases.base import Dialect, RowByRow, Target
from airflow_agari_provider.databases.errors import UnstorableValue
from airflow_agari_provider.databases.row_checks import checked, rows_at_once

SAVEPOINT = "SAVEPOINT agari_row"


@dataclass(frozen=True)
class RowInserts:
    """
    How a dialect inserts single rows.

    :param sql: the statement for a row.
    :param lengths: how many characters a column can hold, for the columns that have a limit.
    :param statement_bytes: how many bytes of values the server accepts in a statement; None: no limit.
    :param savepoints: whether a refused statement spoils the transaction, so that each needs a savepoint. Elsewhere the
        database undoes the statement by itself.
    """

    sql: str
    lengths: Mapping[str, int] = field(default_factory=dict)
    statement_bytes: int | None = None
    savepoints: bool = False


def insert_rows(dialect: Dialect, connection: Any, target: Target, batch: Batch, how: RowInserts) -> RowByRow:
    """In a transaction: insert the rows of a batch that the database accepts, in their order."""
    done = RowByRow()
    with closing(connection.cursor()) as cursor:
        if how.savepoints:
            cursor.execute(SAVEPOINT)
        for position in range(batch.rows):
            row = Batch(1, tuple([values[position]] for values in batch.columns))
            try:
                cursor.execute(how.sql, _values(dialect, target, row, how))
            except (UnstorableValue, ValueError, dialect.driver.Error) as error:
                # psycopg2 raises ValueError for a zero byte.
                if isinstance(error, dialect.driver.Error) and dialect.fault(error) != "rows":
                    raise
                done.refused.append((position, error))
                if how.savepoints:
                    cursor.execute(f"ROLLBACK TO {SAVEPOINT}")
                continue
            # An upsert counts 0 to 2 in MySQL.
            done.rows += 1 if target.key_columns or cursor.rowcount < 0 else cursor.rowcount
            if how.savepoints:
                cursor.execute(f"RELEASE {SAVEPOINT}")  # not every driver takes two statements at once
                cursor.execute(SAVEPOINT)
        if how.savepoints:
            cursor.execute(f"RELEASE {SAVEPOINT}")
    return done


def _values(dialect: Dialect, target: Target, row: Batch, how: RowInserts) -> list[Any]:
    list(checked(target, [row], how.lengths))
    values = [dialect.values(*pair) for pair in zip(target.columns, row.columns, strict=True)]
    if how.statement_bytes is not None:
        rows_at_once(target.columns, values, how.statement_bytes)
    return [value for (value,) in values]
