"""MySQL and MariaDB: LOAD DATA or batched INSERT, straight into the table or through a temporary one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from hashlib import sha256
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from airflow_agari_provider.avro.columns import Column, Kind, UnsupportedAvroType
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.databases.arrow_texts import listed
from airflow_agari_provider.databases.base import Fault, RowByRow, Target
from airflow_agari_provider.databases.errors import UnstorableValue
from airflow_agari_provider.databases.lossless import require_lossless
from airflow_agari_provider.databases.mysql_errors import DUPLICATE_COLUMN, OF_COLUMNS, fault_of, number_of
from airflow_agari_provider.databases.mysql_files import RowsFile, file_parts, load_file, load_sql, why_no_file
from airflow_agari_provider.databases.mysql_literals import insert_parts
from airflow_agari_provider.databases.mysql_names import names_of, require_key, schema_and_name
from airflow_agari_provider.databases.row_checks import checked, rows_at_once
from airflow_agari_provider.databases.single_rows import RowInserts, insert_rows
from airflow_agari_provider.databases.statements import (
    as_json,
    execute,
    insert_sql,
    names_beside,
    query,
    quoted,
    quoted_list,
    quoted_table,
    row_parts,
)
from airflow_agari_provider.s3.read_ahead import ReadAhead

logger = logging.getLogger(__name__)

NAME_CHARACTERS = 64
MAX_PRECISION, MAX_SCALE = 65, 30  # digits of DECIMAL
KEY_LENGTH = 255  # characters; with four bytes each well below InnoDB's 3072 bytes for a key
STAGING = "agari_staging"
POSITION = "agari_position"
LOCK_WAIT = 30  # seconds of each wait, repeated until the lock is free

_TYPES: Mapping[Kind, str] = {
    "null": "LONGTEXT", "boolean": "BOOLEAN", "integer": "INT", "long": "BIGINT", "float": "FLOAT", "double": "DOUBLE",
    "bytes": "LONGBLOB", "text": "LONGTEXT", "uuid": "CHAR(36)", "date": "DATE", "time": "TIME(6)",
    "instant": "DATETIME(6)", "local_time": "DATETIME(6)", "json": "JSON",
}  # fmt: skip
# In the server's default collation, "a" and "A" are the same key.
_KEY_TYPES: Mapping[Kind, str] = {
    "text": f"VARCHAR({KEY_LENGTH}) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    "bytes": f"VARBINARY({KEY_LENGTH})",
}


class MySqlDialect:
    """
    Times are stored in UTC, without a time zone.

    :param driver: the module ``MySQLdb``, ``pymysql`` or ``mysql.connector``.
    """

    placeholder = "%s"
    insert_if_absent = ("INSERT IGNORE", "")
    text_equals = "{column} = {value} AND BINARY {column} = BINARY {value}"  # collations take "a" for "A"
    text_key, joined = "CAST({text} AS BINARY)", "GROUP_CONCAT({number})"
    for_update = " FOR UPDATE"
    case_matters = False
    ddl_commits = True

    def __init__(self, driver: Any) -> None:
        self.driver = driver
        self._told: str | None = None  # why rows do not go by LOAD DATA

    def prepare(self, connection: Any) -> None:
        connection.rollback()
        if callable(connection.autocommit):
            connection.autocommit(False)
        else:  # of mysql.connector, which has a property
            connection.autocommit = False
        if hasattr(connection, "set_charset_collation"):
            connection.set_charset_collation("utf8mb4")
        else:
            connection.set_character_set("utf8mb4")
        # Without STRICT_ALL_TABLES, values that do not fit are cut with only a warning. Without NO_AUTO_VALUE_ON_ZERO,
        # a 0 becomes the next number of an AUTO_INCREMENT. With NO_BACKSLASH_ESCAPES, our literals would be wrong.
        modes = "CONCAT(REPLACE(@@sql_mode, 'NO_BACKSLASH_ESCAPES', ''), ',STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO')"
        # Warnings tell what LOAD DATA has changed; notes are about other things.
        settings = "time_zone = '+00:00', sql_notes = 0, max_error_count = 64, group_concat_max_len = 4194304"
        execute(connection, f"SET SESSION sql_mode = {modes}, {settings}")

    def begin(self, connection: Any) -> None:
        """Nothing: without autocommit, the first statement begins a transaction."""

    def lock_for_create(self, connection: Any) -> None:
        """Nothing: the server has a lock of its own for this."""

    def lock(self, connection: Any, name: str) -> None:
        while query(connection, "SELECT GET_LOCK(%s, %s)", (_lock_name(name), LOCK_WAIT)) != [(1,)]:
            pass  # not every server can wait without a limit

    def try_lock(self, connection: Any, name: str) -> bool:
        return query(connection, "SELECT GET_LOCK(%s, 0)", (_lock_name(name),)) == [(1,)]

    def try_locks(self, connection: Any, names: Sequence[str]) -> list[bool]:
        return [self.try_lock(connection, name) for name in names]

    def unlock(self, connection: Any, name: str) -> None:
        query(connection, "SELECT RELEASE_LOCK(%s)", (_lock_name(name),))

    def quote(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def table_exists(self, connection: Any, table: str) -> bool:
        sql = (
            "SELECT 1 FROM information_schema.tables WHERE table_schema = COALESCE(%s, DATABASE()) AND table_name = %s"
        )
        return bool(query(connection, sql, schema_and_name(table)))

    def table_names(self, connection: Any, table: str, beside: str) -> tuple[str, ...]:
        ((current, fold),) = query(connection, "SELECT DATABASE(), @@lower_case_table_names")
        (schema, name), (schema_beside, _) = map(schema_and_name, (table, beside))
        names = [schema or str(current), name, schema_beside or str(current)]
        return names_beside(table, *(one.lower() if fold else one for one in names))

    def column_type(self, column: Column, in_key: bool) -> str:
        if len(column.name) > NAME_CHARACTERS:
            raise UnsupportedAvroType(column.name, f"MySQL allows names of at most {NAME_CHARACTERS} characters")
        if column.kind == "decimal":
            if column.precision > MAX_PRECISION or column.scale > MAX_SCALE:
                limit = f"({MAX_PRECISION}, {MAX_SCALE})"
                problem = f"it is a decimal({column.precision}, {column.scale}); the limit of MySQL is {limit}"
                raise UnsupportedAvroType(column.name, problem)
            return f"DECIMAL({column.precision}, {column.scale})"
        if not in_key:
            return _TYPES[column.kind]
        if column.kind == "json":
            raise UnsupportedAvroType(column.name, "JSON cannot be a key: equal values may be written differently")
        return _KEY_TYPES.get(column.kind, _TYPES[column.kind])

    def require_lossless(self, connection: Any, target: Target) -> None:
        sql = (
            "SELECT column_name, column_type, is_nullable FROM information_schema.columns "
            "WHERE table_schema = COALESCE(%s, DATABASE()) AND table_name = %s"
        )
        rows = query(connection, sql, schema_and_name(target.table))
        declared = {str(name): (kind.decode() if isinstance(kind, bytes) else str(kind)) for name, kind, _ in rows}
        require_lossless(target, declared, microseconds=0, affinities=False)
        if query(connection, "SELECT @@explicit_defaults_for_timestamp") == [(0,)]:
            required = {
                name.casefold()
                for (name, kind), row in zip(declared.items(), rows, strict=True)
                if kind.startswith("timestamp") and row[2] == "NO"
            }
            for column in target.columns:
                if column.nullable and column.name.casefold() in required:
                    problem = (
                        "the table has it as timestamp NOT NULL, and there this server stores its own time for NULL"
                    )
                    raise UnsupportedAvroType(column.name, problem)

    def add_column(self, connection: Any, table: str, definition: str) -> None:
        try:
            execute(connection, f"ALTER TABLE {table} ADD COLUMN {definition}")
        except self.driver.Error as error:
            if number_of(error) != DUPLICATE_COLUMN:
                raise

    def values(self, column: Column, values: Sequence[Any]) -> Sequence[Any]:
        convert = _CONVERSIONS.get(column.kind)
        return convert(column, values) if convert else values

    def array_values(self, column: Column, array: Any) -> Sequence[Any]:
        values = listed(array, column.kind)
        return values if column.kind == "json" else self.values(column, values)

    def arrow_refusal(self, connection: Any, target: Target) -> str | None:
        return None

    def load(self, connection: Any, target: Target, batches: Iterable[Batch]) -> int:
        names = names_of(target)
        batches = checked(target, batches, self._text_lengths(connection, target))
        if not target.key_columns:
            return self._insert(connection, target.table, target, batches)
        require_key(connection, target)
        execute(connection, f"DROP TEMPORARY TABLE IF EXISTS {STAGING}")  # of a temporary table does not commit
        execute(
            connection,
            f"CREATE TEMPORARY TABLE {STAGING} ({POSITION} BIGINT AUTO_INCREMENT PRIMARY KEY) "  # noqa: S608 - quoted
            f"AS SELECT {quoted_list(self, names)} FROM {quoted_table(self, target.table)} WHERE 1 = 0",
        )
        rows = self._insert(connection, STAGING, target, batches)
        execute(connection, self._merge_sql(target))
        execute(connection, f"DROP TEMPORARY TABLE {STAGING}")
        return rows

    def load_each(self, connection: Any, target: Target, batch: Batch) -> RowByRow:
        names = names_of(target)
        sql = insert_sql(self, target.table, names)
        if target.key_columns:
            changes = ", ".join(
                f"{quoted(self, name)} = VALUES({quoted(self, name)})" for name in self._changed(target)
            )
            sql += f" ON DUPLICATE KEY UPDATE {changes}"
        how = RowInserts(sql, self._text_lengths(connection, target), self._statement_bytes(connection, sql))
        return insert_rows(self, connection, target, batch, how)

    def _changed(self, target: Target) -> list[str]:
        """Return the columns that an upsert changes."""
        return [name for name in names_of(target) if name not in target.key_columns] or names_of(target)

    def _statement_bytes(self, connection: Any, sql: str) -> int:
        """Return how many bytes of values the server accepts in a statement."""
        ((packet,),) = query(connection, "SELECT @@max_allowed_packet")
        return int(packet) - len(sql.encode())

    def _insert(self, connection: Any, table: str, target: Target, batches: Iterable[Batch]) -> int:
        """:param table: to put the rows into; its columns have the types of those of the target's table."""
        sql = insert_sql(self, table, names_of(target))
        room, load = self._statement_bytes(connection, sql), load_sql(self, table, target.columns)
        others = partial(row_parts, self, target.columns, rows_at_once=partial(rows_at_once, statement_bytes=room))
        inserts = partial(insert_parts, sql[: sql.rindex("(")], target.columns, room=room, others=others)
        with closing(connection.cursor()) as cursor, TemporaryDirectory(prefix="agari-rows-") as name:
            folder, inserted = Path(name), 0
            refusal = why_no_file(self, connection, target, load, folder)
            self._tell(refusal)
            parts = inserts(batches) if refusal else file_parts(folder, target.columns, batches, room, others)
            with closing(ReadAhead(parts, 1)) as ready:
                for part in ready:  # the next part is made while the server works on this one
                    if isinstance(part, RowsFile) and load_file(connection, cursor, load, part):
                        inserted += part.batch.rows
                        continue
                    for one in inserts([part.batch]) if isinstance(part, RowsFile) else (part,):
                        cursor.execute(one) if isinstance(one, bytes) else cursor.executemany(sql, one)
                        inserted += cursor.rowcount
        return inserted

    def _tell(self, refusal: str | None) -> None:
        if refusal and refusal != self._told:
            logger.info("Rows go by INSERT, not by LOAD DATA, which is faster: %s", refusal)
        self._told = refusal

    def _text_lengths(self, connection: Any, target: Target) -> dict[str, int]:
        sql = (
            "SELECT column_name, character_maximum_length FROM information_schema.columns WHERE data_type IN "
            "('varchar', 'tinytext', 'text', 'mediumtext') AND table_schema = COALESCE(%s, DATABASE()) "
            "AND table_name = %s"
        )
        rows = query(connection, sql, schema_and_name(target.table))
        lengths = {str(name).casefold(): int(length) for name, length in rows}
        return {name: lengths[name.casefold()] for name in names_of(target) if name.casefold() in lengths}

    def _merge_sql(self, target: Target) -> str:
        """
        Return the SQL that inserts rows in the order of their keys, so that two importers lock them in the same order.

        Of rows with the same key, the last one in the object comes last, and stays.
        """
        names = names_of(target)
        changes = ", ".join(f"{quoted(self, name)} = {STAGING}.{quoted(self, name)}" for name in self._changed(target))
        return (
            f"INSERT INTO {quoted_table(self, target.table)} ({quoted_list(self, names)}) "  # noqa: S608 - quoted
            f"SELECT {quoted_list(self, names)} FROM {STAGING} "
            f"ORDER BY {quoted_list(self, sorted(target.key_columns))}, {POSITION} ON DUPLICATE KEY UPDATE {changes}"
        )

    def fault(self, error: Exception) -> Fault:
        return fault_of(self.driver, error)

    def refuses_columns(self, error: Exception) -> bool:
        return number_of(error) in OF_COLUMNS


def _lock_name(name: str) -> str:
    return f"agari:{sha256(name.encode()).hexdigest()[:48]}"  # the limit is 64 characters


def _numbers(column: Column, values: Sequence[Any]) -> Sequence[Any]:
    if not all(map(isfinite, filter(None, values))):
        raise UnstorableValue(column.name, "MySQL cannot hold NaN or infinity")
    return values


def _texts(column: Column, values: Sequence[Any]) -> Sequence[Any]:
    return [None if value is None else str(value) for value in values]


def _instants(column: Column, values: Sequence[Any]) -> Sequence[Any]:
    return [None if value is None else value.replace(tzinfo=None).isoformat(" ") for value in values]


_CONVERSIONS: Mapping[Kind, Callable[[Column, Sequence[Any]], Sequence[Any]]] = {
    "float": _numbers, "double": _numbers, "uuid": _texts, "date": _texts, "time": _texts, "instant": _instants,
    "local_time": _instants, "json": as_json,
}  # fmt: skip
