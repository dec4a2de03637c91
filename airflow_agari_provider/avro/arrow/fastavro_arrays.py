"""
Decode with fastavro and convert the records to Arrow arrays, a group of blocks at a time.

fastavro leaves dates, moments and decimals as the numbers that they are in the file. Arrow converts them, a column at a
time. Converting them one by one to Python objects would cost a quarter of the decoding.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from airflow_agari_provider.avro.arrow.batches import ArrowBatch, Group, arrow_batch, batches_of_groups
from airflow_agari_provider.avro.arrow.python_arrays import array_of
from airflow_agari_provider.avro.arrow.schema import MAX_DECIMAL_BYTES
from airflow_agari_provider.avro.arrow.values import Unfit, typed
from airflow_agari_provider.avro.blocks import ContainerFile
from airflow_agari_provider.avro.columns import Column, kind_of_column, logical_kind
from airflow_agari_provider.avro.json_text import json_texts, plain_in_json
from airflow_agari_provider.avro.records import Batch, BlockDecoder
from airflow_agari_provider.avro.schemas import AvroSchema

ToArray = Callable[[Sequence[Any]], Any]
GROUP_BYTES = 1024 * 1024  # the values are Python objects, which take ten times as much


class FastavroArrays:
    """
    Decodes the files of one schema. The parameters are those of :func:`airflow_agari_provider.avro.records.decode`.
    """

    def __init__(self, writer: AvroSchema, reader: AvroSchema | None, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._fallback = BlockDecoder(writer, reader, columns)
        if reader or writer.legacy_calendar:  # then a value is not only its number
            self._decoder = self._fallback
            self._to_arrays = [_to_array(column) for column in columns]
        else:
            self._decoder = BlockDecoder(_with_numbers(writer), None, columns)
            kinds = [kind_of_column(writer, column) for column in columns]
            self._to_arrays = [_to_array_from(writer, *pair) for pair in zip(columns, kinds, strict=True)]

    def batches(self, file: ContainerFile) -> Generator[Batch]:
        """
        Yield the records of a file, a group of blocks at a time.

        :raises BadAvro: the file is truncated or damaged, or its records do not fit the schema or a block's count.
        """
        return batches_of_groups(file, GROUP_BYTES, partial(self._decoded, file), self._fallback)

    def _decoded(self, file: ContainerFile, group: Group) -> ArrowBatch:
        batch = self._decoder.batch(file, group)
        parts = zip(self._columns, self._to_arrays, batch.columns, strict=True)
        return arrow_batch(batch.rows, self._columns, tuple(_fit(*part) for part in parts))


def _fit(column: Column, to_array: ToArray, values: Sequence[Any]) -> Any:
    try:
        return to_array(values)
    except (ValueError, OverflowError, RecursionError) as error:
        raise Unfit(f"column {column.name!r}: {error}") from error


def _to_array(column: Column, plain: bool = False) -> ToArray:
    """:param plain: as in :func:`json_texts`."""
    if column.kind == "json":
        return lambda values: array_of(column, json_texts(values, plain, column.bytes_in_json))
    return partial(array_of, column)


def _to_array_from(writer: AvroSchema, column: Column, kind: Any) -> ToArray:
    """:param kind: type of the column's values in the writer's schema."""
    number = None if column.inside else _number(kind)
    if number is None:
        return _to_array(column, column.kind == "json" and not writer.recursive and plain_in_json(writer, kind))
    return lambda values: typed(writer, kind, _numbers(column, number, values))


def _numbers(column: Column, number: str, values: Sequence[Any]) -> Any:
    """Return the array that Arrow's own decoder gives: of integers, or of decimals made from their bytes."""
    import pyarrow as pa

    if number != "bytes":
        return pa.array(values, "int32" if number == "int" else "int64")
    digits = [
        None
        if value is None
        else int.from_bytes(value, "big", signed=True).to_bytes(MAX_DECIMAL_BYTES, "little", signed=True)
        for value in values
    ]
    return pa.array(digits, pa.binary(MAX_DECIMAL_BYTES)).view(pa.decimal128(column.precision, column.scale))


def _with_numbers(schema: AvroSchema) -> AvroSchema:
    """Return the schema with plain numbers for the logical types of its values, or of its record's fields."""
    definition = schema.resolved(schema.definition)
    if isinstance(definition, dict) and definition["type"] in ("record", "error"):
        fields = [field | {"type": _as_number(field["type"])} for field in definition["fields"]]
        unparsed = {key: value for key, value in definition.items() if not key.startswith("__fastavro")}
        return replace(schema, raw=unparsed | {"fields": fields})
    return replace(schema, raw=_as_number(definition)) if _number(definition) else schema


def _as_number(kind: Any) -> Any:
    number = _number(kind)
    if number is None:
        return kind
    return [branch if branch == "null" else number for branch in kind] if isinstance(kind, list) else number


def _number(kind: Any) -> str | None:
    """Return the primitive type of a logical type that is a number; None for other types and for larger unions."""
    branches = [branch for branch in kind if branch != "null"] if isinstance(kind, list) else [kind]
    if len(branches) != 1 or not isinstance(branches[0], dict) or logical_kind(branches[0]) is None:
        return None
    primitive = branches[0]["type"]
    return primitive if primitive in ("int", "long", "bytes") else None
