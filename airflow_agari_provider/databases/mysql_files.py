"""
Rows of Arrow arrays as files for LOAD DATA LOCAL INFILE, which MySQL reads faster than it parses INSERT statements.

LOCAL makes warnings of what INSERT refuses in strict mode, such as a text that is too long. So a file that causes any
warning is taken back, and its rows are inserted: what is stored or refused does not depend on the way.
Source: MySQL reference manual, "LOAD DATA Statement".
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from airflow_agari_provider.avro.arrow.batches import ArrowBatch
from airflow_agari_provider.avro.arrow.values import content
from airflow_agari_provider.avro.columns import Column, Kind
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.databases.arrow_texts import TEXT_KINDS, hex_array, text_array
from airflow_agari_provider.databases.base import Dialect, Target
from airflow_agari_provider.databases.mysql_literals import Rows, finite, in_parts, require_rows_fit, rows_array
from airflow_agari_provider.databases.mysql_names import schema_and_name
from airflow_agari_provider.databases.statements import execute, query, quoted, quoted_table

LOCAL_FILES = 128  # bit of a client's capabilities; "Client/Server Protocol", CLIENT_LOCAL_FILES
SAVEPOINT = "SAVEPOINT agari_file"

_TEXTS = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext"})
_WHOLE = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint"})
# Types of columns that make the same of a field in a file as of a literal. BIT, for one, would take a "1" as a letter.
_ALIKE: Mapping[Kind, frozenset[str]] = {
    "boolean": _WHOLE,
    "integer": _WHOLE,
    "long": _WHOLE,
    "float": frozenset({"float", "double"}),
    "double": frozenset({"float", "double"}),
    "bytes": frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"}),
    "text": _TEXTS | {"enum"},
    "decimal": _TEXTS | {"decimal"},
    "uuid": _TEXTS | {"uuid"},
    "date": _TEXTS | {"date"},
    "time": _TEXTS | {"time"},
    "instant": _TEXTS | {"datetime", "timestamp"},
    "local_time": _TEXTS | {"datetime", "timestamp"},
    "json": _TEXTS | {"json"},
    "null": _TEXTS,
}


@dataclass(frozen=True)
class RowsFile:
    """
    A file of rows.

    :param batch: the rows themselves.
    """

    path: Path
    batch: ArrowBatch


def file_parts(
    folder: Path,
    columns: Sequence[Column],
    batches: Iterable[Batch],
    room: int,
    others: Callable[[Batch], Iterable[Rows]],
) -> Generator[RowsFile | Rows]:
    """
    Write batches of Arrow arrays to files, and yield these; yield the rows of all other batches.

    The parameters are those of :func:`airflow_agari_provider.databases.mysql_literals.insert_parts`.

    :param folder: for the files. Who has loaded one may delete it.
    :raises UnstorableValue: the database cannot hold a value, or the server would not accept an INSERT of a row.
    """
    numbers = count()
    for batch in filter(lambda batch: batch.rows, batches):
        if not isinstance(batch, ArrowBatch):
            yield from others(batch)
            continue
        for part in in_parts(columns, batch):
            path = folder / f"{next(numbers)}.rows"
            _write(path, columns, part.arrays, room)
            yield RowsFile(path, part)


def _write(path: Path, columns: Sequence[Column], arrays: Sequence[Any], room: int) -> None:
    rows = rows_array(columns, arrays, _field, r"\N", ("", "\t", "\n"))
    require_rows_fit(columns, arrays, rows, room)
    with path.open("wb") as file:
        file.write(content(rows))


def _field(column: Column, array: Any) -> Any:
    import pyarrow.compute as pc

    if column.kind in TEXT_KINDS:
        return _escaped(text_array(array, column.kind, " "))
    if column.kind == "bytes":
        return hex_array(array)
    if column.kind == "boolean":
        return pc.if_else(array, "1", "0")
    return pc.cast(finite(column, array), "string")


def _escaped(array: Any) -> Any:
    import pyarrow.compute as pc

    data = content(array)
    for plain, escaped in (("\\", r"\\"), ("\t", r"\t"), ("\n", r"\n"), ("\0", r"\0")):
        if plain.encode() in data:
            array = pc.replace_substring(array, plain, escaped)
    return array


def load_sql(dialect: Dialect, table: str, columns: Sequence[Column]) -> str:
    """Return the statement that loads a file, whose path is the parameter, into a table."""
    names = [quoted(dialect, column.name) for column in columns]
    of_bytes = {number for number, column in enumerate(columns) if column.kind == "bytes"}
    fields = [f"@agari_{number}" if number in of_bytes else name for number, name in enumerate(names)]
    changes = [f"{names[number]} = UNHEX(@agari_{number})" for number in sorted(of_bytes)]
    return (
        f"LOAD DATA LOCAL INFILE %s INTO TABLE {quoted_table(dialect, table)} CHARACTER SET utf8mb4 "
        r"FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n' "
        f"({', '.join(fields)}){' SET ' if changes else ''}{', '.join(changes)}"
    )


def load_file(connection: Any, cursor: Any, sql: str, file: RowsFile) -> bool:
    """
    In a transaction: load a file, and delete it.

    :param sql: as :func:`load_sql` returns it.
    :return: False if the server did not take every row without a warning; then nothing was loaded.
    """
    cursor.execute(SAVEPOINT)
    cursor.execute(sql, (str(file.path),))
    loaded = cursor.rowcount
    file.path.unlink()
    if loaded == file.batch.rows and not query(connection, "SHOW WARNINGS LIMIT 1"):
        return True
    cursor.execute(f"ROLLBACK TO {SAVEPOINT}")
    return False


def why_no_file(dialect: Dialect, connection: Any, target: Target, sql: str, folder: Path) -> str | None:
    """
    Return why rows for a table cannot come in files, as a clause; None if they can.

    :param sql: as :func:`load_sql` returns it; it is tried with an empty file.
    """
    if not _client_allows(connection):
        return "the connection does not allow LOAD DATA LOCAL INFILE"
    place = schema_and_name(target.table)
    where = "table_schema = COALESCE(%s, DATABASE()) AND table_name = %s"
    if query(connection, f"SELECT LOWER(engine) FROM information_schema.tables WHERE {where}", place) != [("innodb",)]:  # noqa: S608
        return "the table is not one of InnoDB, so a load could not be taken back"
    found = query(connection, f"SELECT column_name, data_type FROM information_schema.columns WHERE {where}", place)  # noqa: S608
    kinds = {str(name).casefold(): (kind.decode() if isinstance(kind, bytes) else str(kind)) for name, kind in found}
    for column in target.columns:
        kind = kinds.get(column.name.casefold(), "")
        if kind.lower() not in _ALIKE[column.kind]:
            return f"column {column.name!r} of the table is {kind}, which reads a file differently"
    empty = folder / "empty"
    empty.touch()
    try:
        execute(connection, sql, (str(empty),))
    except dialect.driver.Error as error:
        if dialect.fault(error) != "target":
            raise
        return f"LOAD DATA LOCAL INFILE is not allowed ({error})"
    return None


def _client_allows(connection: Any) -> bool:
    """Whether the connection may allow it. PyMySQL and MySQL's connector would lose the connection by an attempt."""
    if hasattr(connection, "isset_client_flag"):
        return bool(connection.isset_client_flag(LOCAL_FILES))
    return bool(getattr(connection, "client_flag", LOCAL_FILES) & LOCAL_FILES)
