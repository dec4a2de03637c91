"""Columns that tell where a row came from: the object, the row's number in it, and the run that loaded it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from airflow_agari_provider.avro.arrow.batches import ArrowBatch, arrow_batch
from airflow_agari_provider.avro.arrow.python_arrays import array_of
from airflow_agari_provider.avro.columns import Column, Kind, Origin
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.databases.base import Dialect, Target
from airflow_agari_provider.databases.statements import execute, quoted, quoted_table
from airflow_agari_provider.exceptions import UnimportableObject, require_one_of

_KINDS: Mapping[Origin, Kind] = {"object_url": "text", "row_number": "long", "load_run": "text"}


class RowsWithoutOrigin(UnimportableObject):
    """
    An object that is to be replaced, of which no row in the table says that it came from it.

    :param url: its S3 URL.
    :param column: the column that should have this URL.
    :param loaded: how many rows of it were loaded, by the ledger.
    """

    def __init__(self, url: str, column: str, loaded: int) -> None:
        super().__init__(url, column, loaded)
        self.url, self.column, self.loaded = url, column, loaded

    def __str__(self) -> str:
        return (
            f"{self.url} was loaded with {self.loaded} rows, but no row of the table has it in column {self.column!r}: "
            "it was loaded without that column, or its rows were deleted. Nothing was changed. Delete what is left of "
            "its rows, and its row in agari_import_ledger, then import it again."
        )


def require_origins(columns: Mapping[str, str]) -> None:
    """:raises ValueError: a key is not an origin."""
    for name in columns:
        require_one_of("a key of origin_columns", name, get_args(Origin))


def origin_columns(names: Mapping[str, str]) -> tuple[Column, ...]:
    """:param names: column by origin, as ``origin_columns`` of a job has them."""
    return tuple(Column(names[origin], None, kind, origin=origin) for origin, kind in _KINDS.items() if origin in names)


def fields_of(target: Target) -> tuple[Column, ...]:
    """Return the columns that have values of fields; those of the origin come after them."""
    return tuple(column for column in target.columns if not column.origin)


def with_origin(
    batch: Batch, columns: Sequence[Column], urls: Sequence[str], numbers: Sequence[int], run: str
) -> Batch:
    """
    Return a batch with the columns of the rows' origin after its own.

    :param columns: all columns, of the batch and of the origin.
    :param urls: of the object of each row.
    :param numbers: of each row in its object, counted from 0.
    :param run: name of the run that loads.
    """
    added = [column for column in columns if column.origin]
    if not added:
        return batch
    values: Mapping[Any, Sequence[Any]] = {"object_url": urls, "row_number": numbers, "load_run": [run] * batch.rows}
    if isinstance(batch, ArrowBatch):
        arrays = (array_of(column, list(values[column.origin])) for column in added)
        return arrow_batch(batch.rows, columns, (*batch.arrays, *arrays))
    return Batch(batch.rows, (*batch.columns, *(values[column.origin] for column in added)))


def delete_rows(dialect: Dialect, connection: Any, table: str, column: str, url: str, loaded: int) -> int:
    """
    In a transaction: delete the rows that came from an object, and return how many there were.

    :param column: that has the URL of each row's object.
    :param loaded: how many rows of the object were loaded, by the ledger.
    :raises RowsWithoutOrigin: there are none.
    """
    equal = dialect.text_equals.format(column=quoted(dialect, column), value=dialect.placeholder)
    sql = f"DELETE FROM {quoted_table(dialect, table)} WHERE {equal}"  # noqa: S608 - quoted
    deleted = execute(connection, sql, [url] * equal.count(dialect.placeholder))
    if loaded and not deleted:
        raise RowsWithoutOrigin(url, column, loaded)
    return deleted
