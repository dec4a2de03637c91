"""
Arrow arrays as PostgreSQL's binary COPY has them.

The binary format takes a value as its type has it in memory, without a conversion: so only into columns of these types.
Source: PostgreSQL 15 documentation, "COPY", section "Binary Format".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from airflow_agari_provider.avro.arrow_batches import ArrowBatch
from airflow_agari_provider.avro.arrow_schema import MAX_DECIMAL_DIGITS
from airflow_agari_provider.avro.columns import Column, Kind
from airflow_agari_provider.avro.python_arrays import array_of, arrow_type
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.loaders.base import UnstorableValue, as_json, query

_TEXTS = ("text", "character varying")
# Types of columns that take a kind, by the bytes that are sent for it.
_TAKES: Mapping[Kind, Mapping[str, str]] = {
    "null": dict.fromkeys(_TEXTS, "string"),
    "boolean": {"boolean": "bool"},
    "integer": {"integer": "int32", "bigint": "int64"},
    "long": {"bigint": "int64"},
    "float": {"real": "float32", "double precision": "float64"},
    "double": {"double precision": "float64"},
    "bytes": {"bytea": "binary"},
    "text": dict.fromkeys(_TEXTS, "string"),
    "decimal": {"numeric": "decimal128"},
    "uuid": {"uuid": "uuid"},
    "date": {"date": "date32"},
    "time": {"time without time zone": "time64"},
    "instant": {"timestamp with time zone": "timestamptz", "timestamp without time zone": "timestamptz"},
    "local_time": {"timestamp without time zone": "timestamp"},
    "json": {"jsonb": "string"},
}


def column_types(connection: Any, table: str) -> dict[str, str]:
    """
    Type of each column of a table, without length or precision.

    :param table: quoted, as SQL has it.
    """
    sql = (
        "SELECT attname, atttypid::regtype::text FROM pg_attribute "
        "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
    )
    return dict(row[:2] for row in query(connection, sql, (table,)))


def refusal(types: Mapping[str, str], columns: Sequence[Column]) -> str | None:
    """Why a table's columns do not take Arrow arrays, as a clause; None if they do."""
    for column in columns:
        found = types.get(column.name, "none: it is not there")
        if found not in _TAKES[column.kind]:
            return f"column {column.name!r} is of type {found}, which is sent as text"
        if column.precision > MAX_DECIMAL_DIGITS:
            return f"column {column.name!r} has a decimal of {column.precision} digits"
    return None


def binary_copy(types: Mapping[str, str], columns: Sequence[Column], batches: Iterable[Batch]) -> Iterator[bytes]:
    """
    What COPY takes, of batches of both kinds.

    :param types: of the table's columns; all take the kinds of ``columns``.
    :raises UnstorableValue: a value is beyond its type.
    """
    import pgpq
    import pyarrow as pa

    sent = [_TAKES[column.kind][types[column.name]] for column in columns]
    fields = [
        pa.field(f"c{number}", arrow_type(name, column))
        for number, (name, column) in enumerate(zip(sent, columns, strict=True))
    ]
    encoder = pgpq.ArrowToPostgresBinaryEncoder.new_with_encoders(
        pa.schema(fields), {field.name: _encoder(field, column) for field, column in zip(fields, columns, strict=True)}
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
        yield encoder.write_batch(pa.RecordBatch.from_arrays(cast, schema=pa.schema(fields)))
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
        raise UnstorableValue(column.name, f"a value is beyond its type ({error})") from error
