"""
Arrow arrays as PostgreSQL's binary COPY has them.

The binary format takes a value as its type has it in memory, without a conversion: so only into columns of these types.
Source: PostgreSQL 15 documentation, "COPY", section "Binary Format".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from itertools import chain
from typing import Any

from airflow_agari_provider.avro.arrow_records import ArrowBatch
from airflow_agari_provider.avro.arrow_schema import MAX_DECIMAL_DIGITS
from airflow_agari_provider.avro.columns import Column, Kind
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.loaders.base import UnstorableValue, as_json, query

ENOUGH_BYTES = 512 * 1024  # of blocks, decompressed
NEEDED = ("pgpq", "pyarrow")  # modules of the extra [arrow]
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


def arrow_installed() -> bool:
    """Whether Arrow arrays can be made and sent; looked up each time, which takes microseconds."""
    return all(find_spec(name) for name in NEEDED)


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
        pa.field(f"c{number}", _arrow_type(name, column))
        for number, (name, column) in enumerate(zip(sent, columns, strict=True))
    ]
    encoder = pgpq.ArrowToPostgresBinaryEncoder.new_with_encoders(
        pa.schema(fields), {field.name: _encoder(field, column) for field, column in zip(fields, columns, strict=True)}
    )
    yield encoder.write_header()
    for batch in _larger(batches):
        arrays = batch.arrays if isinstance(batch, ArrowBatch) else _arrays(columns, batch)
        cast = [
            array if array.type == field.type else array.cast(field.type)
            for array, field in zip(arrays, fields, strict=True)
        ]
        yield encoder.write_batch(pa.RecordBatch.from_arrays(cast, schema=pa.schema(fields)))
    yield encoder.finish()


def _larger(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Blocks joined until they are worth a call of Arrow for each column, which costs as much as a hundred values."""
    blocks: list[Batch] = []
    size = 0
    for batch in batches:
        arrow = isinstance(batch, ArrowBatch)
        if blocks and (arrow or size >= ENOUGH_BYTES):
            yield _joined(blocks)
            blocks, size = [], 0
        if arrow:
            yield batch
        elif batch.rows:
            blocks.append(batch)
            size += batch.size_bytes
    if blocks:
        yield _joined(blocks)


def _joined(blocks: Sequence[Batch]) -> Batch:
    columns = zip(*(block.columns for block in blocks), strict=True)
    return Batch(sum(block.rows for block in blocks), [list(chain.from_iterable(parts)) for parts in columns])


def _arrow_type(name: str, column: Column) -> Any:
    import pyarrow as pa

    types: Mapping[str, Callable[[], Any]] = {
        "decimal128": lambda: pa.decimal128(column.precision, column.scale),
        "uuid": lambda: pa.binary(16),
        "time64": lambda: pa.time64("us"),
        "timestamptz": lambda: pa.timestamp("us", "UTC"),
        "timestamp": lambda: pa.timestamp("us"),
    }
    return types[name]() if name in types else pa.type_for_alias(name)


def _encoder(field: Any, column: Column) -> Any:
    from pgpq import ArrowToPostgresBinaryEncoder
    from pgpq.encoders import StringEncoderBuilder
    from pgpq.schema import Jsonb

    if column.kind == "json":
        return StringEncoderBuilder.new_with_output(field, Jsonb())
    return ArrowToPostgresBinaryEncoder.infer_encoder(field)


def _arrays(columns: Sequence[Column], batch: Batch) -> list[Any]:
    return [_array(column, values) for column, values in zip(columns, batch.columns, strict=True)]


def _array(column: Column, values: Sequence[Any]) -> Any:
    import pyarrow as pa

    if column.kind == "uuid":
        values = [None if value is None else value.bytes for value in values]
    if column.kind == "json":
        values = as_json(column, values)
    (name, *_) = _TAKES[column.kind].values()
    try:
        return pa.array(values, _arrow_type(name, column))
    except (pa.ArrowInvalid, OverflowError) as error:
        raise UnstorableValue(column.name, f"a value is beyond its type ({error})") from error
