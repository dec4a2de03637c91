"""
Arrow arrays in the binary format of PostgreSQL's COPY.

The binary format takes a value as its type has it in memory, without a conversion: so columns must be of that type.
Source: PostgreSQL 15 documentation, "COPY", section "Binary Format".
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any

from airflow_agari_provider.avro.arrow.batches import ArrowBatch
from airflow_agari_provider.avro.arrow.python_arrays import KIND_TYPES, array_of, arrow_type
from airflow_agari_provider.avro.arrow.schema import MAX_DECIMAL_DIGITS
from airflow_agari_provider.avro.columns import Column, Kind
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.databases.errors import UnstorableValue
from airflow_agari_provider.databases.statements import as_json, query

VARCHAR = "character varying"
_TEXTS = ("text", VARCHAR)
# Types of columns that take a kind of value.
_TAKES: Mapping[Kind, tuple[str, ...]] = {
    "null": _TEXTS, "boolean": ("boolean",), "integer": ("integer", "bigint"), "long": ("bigint",),
    "float": ("real", "double precision"), "double": ("double precision",), "bytes": ("bytea",), "text": _TEXTS,
    "decimal": ("numeric",), "uuid": ("uuid",), "date": ("date",), "time": ("time without time zone",),
    "instant": ("timestamp with time zone", "timestamp without time zone"),
    "local_time": ("timestamp without time zone",), "json": ("jsonb",),
}  # fmt: skip
# Arrow type that is sent instead of the kind's own: a column takes only values of its own width.
_WIDER: Mapping[tuple[Kind, str], str] = {
    ("integer", "bigint"): "int64",
    ("float", "double precision"): "float64",
}


def column_types(connection: Any, table: str) -> dict[str, str]:
    """
    Return the type of each column of a table, without length or precision.

    :param table: quoted, as in SQL.
    """
    sql = (
        "SELECT attname, atttypid::regtype::text FROM pg_attribute "
        "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
    )
    return dict(row[:2] for row in query(connection, sql, (table,)))


def text_lengths(connection: Any, table: str) -> dict[str, int]:
    """
    Return how many characters each column of type varchar(n) of a table can hold.

    :param table: quoted, as in SQL.
    """
    sql = (
        "SELECT attname, atttypmod - 4 FROM pg_attribute WHERE attrelid = to_regclass(%s) "
        "AND atttypid = 'varchar'::regtype AND atttypmod > 4 AND attnum > 0 AND NOT attisdropped"
    )
    return dict(row[:2] for row in query(connection, sql, (table,)))


def refusal(types: Mapping[str, str], columns: Sequence[Column]) -> str | None:
    """Return why a table's columns do not take Arrow arrays, as a clause; None if they do."""
    for column in columns:
        found = types.get(column.name, "unknown (the table does not have it)")
        if found not in _TAKES[column.kind]:
            return f"column {column.name!r} is of type {found}, which is sent as text"
        if column.precision > MAX_DECIMAL_DIGITS:
            return f"column {column.name!r} has a decimal of {column.precision} digits"
    return None


def binary_copy(types: Mapping[str, str], columns: Sequence[Column], batches: Iterable[Batch]) -> Generator[bytes]:
    """
    Yield what COPY takes, from batches of both kinds.

    :param types: of the table's columns; all take the kinds of ``columns``.
    :raises UnstorableValue: a value is outside the range of its type.
    """
    import pgpq
    import pyarrow as pa

    sent = [_WIDER.get((column.kind, types[column.name]), KIND_TYPES[column.kind]) for column in columns]
    fields = [
        pa.field(f"c{number}", arrow_type(name, column))
        for number, (name, column) in enumerate(zip(sent, columns, strict=True))
    ]
    schema = pa.schema(fields)
    encoder = pgpq.ArrowToPostgresBinaryEncoder.new_with_encoders(
        schema, {field.name: _encoder(field, column) for field, column in zip(fields, columns, strict=True)}
    )
    yield encoder.write_header()
    for batch in batches:
        if not batch.rows:
            continue
        if isinstance(batch, ArrowBatch):
            arrays = batch.arrays
        else:
            arrays = tuple(_array(*pair) for pair in zip(columns, batch.columns, strict=True))
        cast = [
            array if array.type == field.type else array.cast(field.type)
            for array, field in zip(arrays, fields, strict=True)
        ]
        yield encoder.write_batch(pa.RecordBatch.from_arrays(cast, schema=schema))
    yield encoder.finish()


def _encoder(field: Any, column: Column) -> Any:
    from pgpq import ArrowToPostgresBinaryEncoder
    from pgpq.encoders import StringEncoderBuilder
    from pgpq.schema import Jsonb

    if column.kind == "json":
        return StringEncoderBuilder.new_with_output(field, Jsonb())
    return ArrowToPostgresBinaryEncoder.infer_encoder(field)


def _array(column: Column, values: Sequence[Any]) -> Any:
    if column.kind == "json":
        values = as_json(column, values)
    try:
        return array_of(column, values)
    except (ValueError, OverflowError) as error:
        raise UnstorableValue(column.name, f"a value is outside the range of its type ({error})") from error
