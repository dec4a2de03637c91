"""
PostgreSQL, through psycopg 3 or psycopg2: COPY, straight into the table or through a temporary one.

COPY runs in its binary format, from Arrow arrays, if the extra ``[arrow]`` is installed and the table's columns have
exactly the types that it takes. Else it runs in its text format, which the server converts to the table's types.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from hashlib import sha256
from typing import Any

from airflow_agari_provider.avro.arrow.batches import missing_modules
from airflow_agari_provider.avro.columns import Column, Kind, UnsupportedAvroType
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.databases.arrow_texts import listed
from airflow_agari_provider.databases.base import Fault, RowByRow, Target
from airflow_agari_provider.databases.lossless import require_lossless
from airflow_agari_provider.databases.postgres_binary import VARCHAR, binary_copy, column_types, refusal, text_lengths
from airflow_agari_provider.databases.postgres_text import text_copy, texts
from airflow_agari_provider.databases.row_checks import checked
from airflow_agari_provider.databases.single_rows import RowInserts, insert_rows
from airflow_agari_provider.databases.statements import (
    execute,
    insert_sql,
    names_beside,
    query,
    quoted,
    quoted_list,
    quoted_table,
)
from airflow_agari_provider.s3.read_ahead import ReadAhead

logger = logging.getLogger(__name__)

NAME_BYTES = 63  # PostgreSQL cuts longer names, with only a notice
MAX_PRECISION = 1000  # digits that numeric(p, s) may declare
CREATE_LOCK = 0x4147415249  # for pg_advisory_xact_lock: "AGARI" in ASCII
# SQLSTATE. Conflicts: serialization failure, deadlock. Rows: what a trigger raises, and the classes of wrong values,
# broken constraints, a view's CHECK OPTION, and limits of the server, such as that of a value in an index.
CONFLICTS = frozenset({"40001", "40P01"})
ROWS = ("P0001", "22", "23", "44", "54")
# Of CREATE and ALTER TABLE: the name of a system column, such as xmin; a wrong definition; too many columns.
COLUMNS = ("42701", "42601", "42611", "42622", "54")
STAGING = "pg_temp.agari_staging"
SEND_BYTES = 1024 * 1024  # buffer of a Unix socket: the server works on it while other threads hold the GIL
READY_CHUNKS = 1  # one batch each: the server works on one, the next waits, one more is being made

_TYPES: Mapping[Kind, str] = {
    "null": "text", "boolean": "boolean", "integer": "integer", "long": "bigint", "float": "real",
    "double": "double precision", "bytes": "bytea", "text": "text", "uuid": "uuid", "date": "date", "time": "time",
    "instant": "timestamptz", "local_time": "timestamp", "json": "jsonb",
}  # fmt: skip


class PostgresDialect:
    """
    :param driver: the module ``psycopg`` or ``psycopg2``.
    """

    placeholder = "%s"
    insert_if_absent = ("INSERT", "ON CONFLICT DO NOTHING")
    text_equals = "{column} = {value}"
    text_key = '{text} COLLATE "C"'  # bytes compare faster than words of a language
    joined = "STRING_AGG(CAST({number} AS TEXT), ',')"
    for_update = " FOR UPDATE"
    case_matters = True
    ddl_commits = False

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def prepare(self, connection: Any) -> None:
        """
        Set the encoding, the time zone and the isolation level.

        Binary COPY takes texts in the client's encoding, and times without a zone in the session's time zone. After
        waiting for a lock, a statement must see what the lock's last holder committed: only READ COMMITTED ensures it.
        """
        connection.rollback()
        connection.autocommit = False
        if self.driver.__name__ == "psycopg":
            connection.isolation_level = self.driver.IsolationLevel.READ_COMMITTED
            execute(connection, "SET client_encoding TO 'UTF8'")  # psycopg learns of it from the server's answer
        else:
            connection.isolation_level = self.driver.extensions.ISOLATION_LEVEL_READ_COMMITTED
            connection.set_client_encoding("UTF8")
        execute(connection, "SET TimeZone TO 'UTC'")
        connection.commit()

    def begin(self, connection: Any) -> None:
        """Nothing: both drivers begin a transaction with the first statement."""

    def lock_for_create(self, connection: Any) -> None:
        """Take a lock, because CREATE TABLE IF NOT EXISTS alone fails if two run at the same time."""
        query(connection, "SELECT pg_advisory_xact_lock(%s)", (CREATE_LOCK,))

    def lock(self, connection: Any, name: str) -> None:
        query(connection, "SELECT pg_advisory_xact_lock(%s)", (_lock_number(name),))

    def try_lock(self, connection: Any, name: str) -> bool:
        return query(connection, "SELECT pg_try_advisory_xact_lock(%s)", (_lock_number(name),)) == [(True,)]

    def try_locks(self, connection: Any, names: Sequence[str]) -> list[bool]:
        sql = (
            "SELECT pg_try_advisory_xact_lock(number) FROM unnest(%s::bigint[]) WITH ORDINALITY AS l (number, place) "
            "ORDER BY place"
        )
        return [bool(taken) for (taken,) in query(connection, sql, ([_lock_number(name) for name in names],))]

    def unlock(self, connection: Any, name: str) -> None:
        """Nothing: the lock ends with the transaction."""

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def table_exists(self, connection: Any, table: str) -> bool:
        return query(connection, "SELECT to_regclass(%s) IS NOT NULL", (quoted_table(self, table),)) == [(True,)]

    def table_names(self, connection: Any, table: str, beside: str) -> tuple[str, ...]:
        schema, name = self._schema_and_name(connection, table)
        schema_beside, _ = self._schema_and_name(connection, beside)
        twin = f"{schema_beside}.{table}"
        if schema != schema_beside and table == name and self.table_exists(connection, twin):
            return (table,)  # ledger rows under this name may belong to either table
        return names_beside(table, schema, name, schema_beside)

    def _schema_and_name(self, connection: Any, table: str) -> tuple[str, str]:
        """Return schema and name of the table as the search path finds it, or would create it."""
        sql = (
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.oid = to_regclass(%s) UNION ALL SELECT COALESCE(NULLIF(%s, ''), current_schema()), %s"
        )
        schema, _, name = table.rpartition(".")
        (found, *_) = query(connection, sql, (quoted_table(self, table), schema, name))
        return str(found[0]), str(found[1])

    def column_type(self, column: Column, in_key: bool) -> str:
        if len(column.name.encode()) > NAME_BYTES:
            raise UnsupportedAvroType(column.name, f"PostgreSQL cuts names after {NAME_BYTES} bytes")
        if column.kind == "json" and in_key:
            raise UnsupportedAvroType(column.name, "JSON cannot be a key: equal values may be written differently")
        if column.kind != "decimal":
            return _TYPES[column.kind]
        if column.precision > MAX_PRECISION:
            raise UnsupportedAvroType(
                column.name, f"it is a decimal of {column.precision} digits; the limit of numeric is {MAX_PRECISION}"
            )
        return f"numeric({column.precision}, {column.scale})"

    def require_lossless(self, connection: Any, target: Target) -> None:
        sql = (
            "SELECT attname, CASE typtype WHEN 'd' THEN format_type(typbasetype, typtypmod) "
            "ELSE format_type(atttypid, atttypmod) END FROM pg_attribute JOIN pg_type t ON t.oid = atttypid "
            "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
        )
        declared = dict(row[:2] for row in query(connection, sql, (quoted_table(self, target.table),)))
        require_lossless(target, declared, microseconds=6, affinities=False)

    def add_column(self, connection: Any, table: str, definition: str) -> None:
        execute(connection, f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {definition}")

    def values(self, column: Column, values: Sequence[Any]) -> Sequence[Any]:
        """Return values in PostgreSQL's own text form."""
        return texts(column, values)

    def array_values(self, column: Column, array: Any) -> Sequence[Any]:
        values = listed(array, column.kind)
        return values if column.kind == "json" else self.values(column, values)

    def arrow_refusal(self, connection: Any, target: Target) -> str | None:
        return refusal(column_types(connection, quoted_table(self, target.table)), target.columns)

    def load(self, connection: Any, target: Target, batches: Iterable[Batch]) -> int:
        if not target.key_columns:
            return self._copy(connection, quoted_table(self, target.table), target, batches)
        table, names = quoted_table(self, target.table), quoted_list(self, [column.name for column in target.columns])
        execute(
            connection,
            f"CREATE TEMPORARY TABLE {STAGING.partition('.')[2]} ON COMMIT DROP AS "  # noqa: S608 - quoted
            f"SELECT {names} FROM {table} WITH NO DATA",
        )
        rows = self._copy(connection, STAGING, target, batches)
        kept = execute(connection, self._merge_sql(target))
        execute(connection, f"DROP TABLE {STAGING}")  # a transaction may load more than once
        if kept != rows:
            logger.info(
                "%s of %s rows were replaced by a later row of the same object that has the same key", rows - kept, rows
            )
        return rows

    def load_each(self, connection: Any, target: Target, batch: Batch) -> RowByRow:
        sql = insert_sql(self, target.table, [column.name for column in target.columns]) + self._on_conflict(target)
        lengths = text_lengths(connection, quoted_table(self, target.table))
        return insert_rows(self, connection, target, batch, RowInserts(sql, lengths, savepoints=True))

    def _on_conflict(self, target: Target) -> str:
        if not target.key_columns:
            return ""
        names = [column.name for column in target.columns]
        others = [name for name in names if name not in target.key_columns] or names
        changes = ", ".join(f"{quoted(self, name)} = excluded.{quoted(self, name)}" for name in others)
        return f" ON CONFLICT ({quoted_list(self, sorted(target.key_columns))}) DO UPDATE SET {changes}"

    def _merge_sql(self, target: Target) -> str:
        """
        Return the SQL that inserts rows in the order of their keys, so that two importers never deadlock over them.

        Of rows with the same key, the last one stays: ``ctid`` grows with every row that COPY appends to the new table.
        """
        names = [column.name for column in target.columns]
        keys = quoted_list(self, sorted(target.key_columns))
        return (
            f"INSERT INTO {quoted_table(self, target.table)} ({quoted_list(self, names)}) "  # noqa: S608 - quoted
            f"SELECT DISTINCT ON ({keys}) {quoted_list(self, names)} FROM {STAGING} ORDER BY {keys}, ctid DESC"
            + self._on_conflict(target)
        )

    def _copy(self, connection: Any, table: str, target: Target, batches: Iterable[Batch]) -> int:
        columns = target.columns
        types = column_types(connection, table)
        batches = checked(target, batches, text_lengths(connection, table) if VARCHAR in types.values() else {})
        if not missing_modules() and not refusal(types, columns):
            form, chunks = "(FORMAT binary)", binary_copy(types, columns, batches)
        else:
            form, chunks = "(FORMAT text, ENCODING 'UTF8')", text_copy(columns, batches)
        _widen(connection.fileno())
        sql = f"COPY {table} ({quoted_list(self, [column.name for column in columns])}) FROM STDIN {form}"
        with closing(connection.cursor()) as cursor, closing(ReadAhead(chunks, READY_CHUNKS)) as ready:
            if self.driver.__name__ == "psycopg":
                with cursor.copy(sql) as copy:
                    for chunk in ready:
                        copy.write(memoryview(chunk))  # psycopg slices it; slices of bytes are copies
            else:
                _Chunks(ready).copy_into(cursor, sql)
            return int(cursor.rowcount)

    def fault(self, error: Exception) -> Fault:
        state = _state(error)
        if state.startswith(ROWS) or isinstance(error, self.driver.IntegrityError | self.driver.DataError):
            return "rows"
        if state in CONFLICTS:
            return "conflict"
        return "passing" if isinstance(error, self.driver.OperationalError | self.driver.InterfaceError) else "target"

    def refuses_columns(self, error: Exception) -> bool:
        return _state(error).startswith(COLUMNS)


def _state(error: Exception) -> str:
    return getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or ""


def _widen(file_descriptor: int) -> None:
    """
    Enlarge the send buffer of a Unix socket.

    Its 208 KiB are empty before the next chunk is sent. The buffers of TCP grow by themselves.
    """
    with socket.socket(fileno=os.dup(file_descriptor)) as connected:
        if connected.family == socket.AF_UNIX:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)


def _lock_number(name: str) -> int:
    return int.from_bytes(sha256(name.encode()).digest()[:8], "big", signed=True)


class _Chunks:
    """Chunks of bytes as the file that psycopg2 reads from."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = filter(None, chunks)  # psycopg2 would take an empty one for the end
        self._error: BaseException | None = None

    def read(self, size: int) -> bytes:
        """Return the next chunk, of any size, which psycopg2 accepts."""
        try:
            return next(self._chunks, b"")
        except BaseException as error:
            self._error = error
            raise

    def copy_into(self, cursor: Any, sql: str) -> None:
        try:
            cursor.copy_expert(sql, self)
        except Exception:
            if self._error:  # psycopg2 has replaced it by an error of its own
                raise self._error from None
            raise
