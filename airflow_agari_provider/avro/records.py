"""Avro blocks to batches of values, a column at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from operator import itemgetter
from typing import Any

from airflow_agari_provider.avro.blocks import Block, ContainerFile
from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.avro.schemas import AvroSchema

# A record that takes no byte could be there any number of times; such a block may not claim more than this.
MAX_EMPTY_RECORDS = 1_000_000
# What fastavro raises for bytes that do not fit the schema. (ValueError covers invalid UTF-8, ArithmeticError dates
# beyond the year 9999.)
_MISFITS = (EOFError, ValueError, LookupError, TypeError, ArithmeticError, AttributeError, RecursionError)


@dataclass(frozen=True)
class Batch:
    """
    The records of one block.

    :param rows: how many.
    :param columns: for each column asked for its values, ``rows`` of them, as Python objects: int, str, bytes,
        ``Decimal``, ``UUID``, ``date``, ``time``, ``datetime`` (aware in UTC for an instant), dict and list.
    """

    rows: int
    columns: tuple[Sequence[Any], ...]


def decode(
    file: ContainerFile, writer: AvroSchema, reader: AvroSchema | None, columns: Sequence[Column]
) -> Iterator[Batch]:
    """
    The records of a file, block by block.

    :param writer: schema of the file.
    :param reader: schema to resolve the records to; None takes them as written.
    :param columns: what to take of each record.
    :raises BadAvro: truncated, damaged, or records that do not fit the schema or the block's count.
    """
    block_schemas = _of_block(writer), _of_block(reader) if reader else None
    fields = [column.field for column in columns]
    read = _reader_of(writer)
    for block in file.blocks():
        records = _records(file, block, read, *block_schemas)
        yield Batch(len(records), _columns(records, fields))


def _reader_of(schema: AvroSchema) -> Callable[..., Any]:
    """fastavro's reader; for values nested without end the slow one, where the compiled one overflows the C stack."""
    if schema.recursive:
        from fastavro._read_py import schemaless_reader
    else:
        from fastavro import schemaless_reader
    reader: Callable[..., Any] = schemaless_reader
    return reader


def _of_block(schema: AvroSchema) -> Any:
    """A block is laid out as an array: a count, the items, and, which :func:`_records` adds, the end mark 0."""
    import fastavro

    # In a record, because fastavro keeps what it parsed with records only.
    array = {"name": "items", "type": {"type": "array", "items": schema.raw}}
    return fastavro.parse_schema({"type": "record", "name": "AgariBlock", "fields": [array]})


def _records(file: ContainerFile, block: Block, read: Callable[..., Any], writer: Any, reader: Any) -> list[Any]:
    from fastavro.read import SchemaResolutionError

    payload = file.decompressed(block)
    if block.records > max(len(payload), MAX_EMPTY_RECORDS):
        raise file.bad(block.offset, f"the block here says it holds {block.records} records in {len(payload)} bytes")
    data = _zigzag(block.records) + payload + (b"\0" if block.records else b"")
    stream = BytesIO(data)
    try:
        records: list[Any] = read(stream, writer, reader)["items"]
    except (*_MISFITS, SchemaResolutionError) as error:
        raise file.bad(block.offset, f"a record of the block here does not decode ({error!r})") from error
    if len(records) != block.records or stream.tell() != len(data):
        raise file.bad(
            block.offset, f"the block here says it holds {block.records} records, but its bytes say otherwise"
        )
    return records


def _columns(records: Sequence[Any], fields: Sequence[str | None]) -> tuple[Sequence[Any], ...]:
    if fields == [None]:
        return (records,)
    if len(fields) == 1:
        return (list(map(itemgetter(fields[0]), records)),)
    return tuple(zip(*map(itemgetter(*fields), records), strict=True)) or ((),) * len(fields)


def _zigzag(number: int) -> bytes:
    number <<= 1
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)
