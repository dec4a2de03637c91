"""Convert values as fastavro decodes them to Arrow arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airflow_agari_provider.avro.columns import Column, Kind

# Arrow's type for each kind of column, by the names of ``arrow_type``; JSON is text.
KIND_TYPES: Mapping[Kind, str] = {
    "null": "string", "boolean": "bool", "integer": "int32", "long": "int64", "float": "float32", "double": "float64",
    "bytes": "binary", "text": "string", "decimal": "decimal128", "uuid": "uuid", "date": "date32", "time": "time64",
    "instant": "timestamptz", "local_time": "timestamp", "json": "string",
}  # fmt: skip


def arrow_type(name: str, column: Column) -> Any:
    """
    Return Arrow's type for a name.

    :param name: a name of Arrow's own, or one of these: ``decimal128``, with the column's digits; ``uuid``; ``time64``
        and ``timestamp``, in microseconds; ``timestamptz``, which is ``timestamp`` in UTC.
    """
    import pyarrow as pa

    types: Mapping[str, Callable[[], Any]] = {
        "decimal128": lambda: pa.decimal128(column.precision, column.scale),
        "uuid": lambda: pa.binary(16),
        "time64": lambda: pa.time64("us"),
        "timestamptz": lambda: pa.timestamp("us", "UTC"),
        "timestamp": lambda: pa.timestamp("us"),
    }
    return types[name]() if name in types else pa.type_for_alias(name)


def array_of(column: Column, values: Sequence[Any]) -> Any:
    """
    Return the values of a column as an Arrow array.

    :param values: values of the column's kind; for JSON their text.
    :raises ValueError: a value is beyond its type.
    :raises OverflowError: likewise.
    """
    import pyarrow as pa

    if column.kind == "uuid":
        values = [None if value is None else value.bytes for value in values]
    return pa.array(values, arrow_type(KIND_TYPES[column.kind], column))
