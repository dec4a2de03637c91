"""Avro blocks to batches of values, a column at a time."""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from operator import itemgetter
from typing import Any

from airflow_agari_provider.avro.blocks import Block, ContainerFile, zigzag
from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.avro.schemas import AvroSchema

# A record that takes no byte could be there any number of times; such a block may not claim more than this.
MAX_EMPTY_RECORDS = 1_000_000
# What fastavro raises for bytes that do not fit the schema. (ValueError covers invalid UTF-8, ArithmeticError dates
# beyond the year 9999.)
MISFITS = (EOFError, ValueError, LookupError, TypeError, ArithmeticError, AttributeError, RecursionError)


@dataclass(frozen=True)
class Batch:
    """
    The records of some blocks.

    :param rows: how many.
    :param columns: for each column asked for its values, ``rows`` of them, as Python objects: int, str, bytes,
        ``Decimal``, ``UUID``, ``date``, ``time``, ``datetime`` (aware in UTC for an instant), dict and list.
    """

    rows: int
    columns: Sequence[Sequence[Any]]


def decode(
    file: ContainerFile, writer: AvroSchema, reader: AvroSchema | None, columns: Sequence[Column]
) -> Generator[Batch]:
    """
    The records of a file, block by block.

    :param writer: schema of the file.
    :param reader: schema to resolve the records to; None takes them as written.
    :param columns: what to take of each record.
    :raises BadAvro: truncated, damaged, or records that do not fit the schema or the block's count.
    """
    decoder = BlockDecoder(writer, reader, columns)
    for block in file.blocks():
        yield decoder.batch(file, [(block, file.decompressed(block))])


class BlockDecoder:
    """
    Decoder of the blocks of files of one schema; the parameters are those of :func:`decode`.
    """

    def __init__(self, writer: AvroSchema, reader: AvroSchema | None, columns: Sequence[Column]) -> None:
        self._schemas = _of_block(writer), _of_block(reader) if reader else None
        self._fields = [column.field for column in columns]
        self._read = _reader_of(writer)

    def batch(self, file: ContainerFile, blocks: Iterable[tuple[Block, bytes]]) -> Batch:
        """
        The records of some blocks.

        :param blocks: each with its payload, decompressed.
        :raises BadAvro: they do not fit the schema or a block's count.
        """
        with _without_collections():
            records: list[Any] = []
            for block, payload in blocks:
                records += self._records(file, block, payload)
            return Batch(len(records), _columns(records, self._fields))

    def _records(self, file: ContainerFile, block: Block, payload: bytes) -> list[Any]:
        from fastavro.read import SchemaResolutionError

        if block.records > max(len(payload), MAX_EMPTY_RECORDS):
            raise file.bad(
                block.offset, f"the block here says it holds {block.records} records in {len(payload)} bytes"
            )
        data = zigzag(block.records) + payload + (b"\0" if block.records else b"")
        stream = BytesIO(data)
        try:
            records: list[Any] = self._read(stream, *self._schemas)["items"]
        except (*MISFITS, SchemaResolutionError) as error:
            raise file.bad(block.offset, f"a record of the block here does not decode ({error!r})") from error
        if len(records) != block.records or stream.tell() != len(data):
            raise file.bad(
                block.offset, f"the block here says it holds {block.records} records, but its bytes say otherwise"
            )
        return records


@contextmanager
def heap_out_of_sight() -> Iterator[None]:
    """
    While rows are made, Python looks for garbage among these only: all that a task's process has made before, which
    stays, would cost a tenth of an import's time.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _without_collections() -> Iterator[None]:
    """
    A block makes thousands of objects and no garbage, of which Python would search all again and again.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _reader_of(schema: AvroSchema) -> Callable[..., Any]:
    """fastavro's reader; for values nested without end the slow one, where the compiled one overflows the C stack."""
    if schema.recursive:
        from fastavro._read_py import schemaless_reader
    else:
        from fastavro import schemaless_reader
    reader: Callable[..., Any] = schemaless_reader
    return reader


def _of_block(schema: AvroSchema) -> Any:
    """A block is laid out as an array: a count, the items, and, which :class:`BlockDecoder` adds, the end mark 0."""
    import fastavro

    # In a record, because fastavro keeps what it parsed with records only.
    array = {"name": "items", "type": {"type": "array", "items": schema.raw}}
    return fastavro.parse_schema({"type": "record", "name": "AgariBlock", "fields": [array]})


def _columns(records: Sequence[Any], fields: Sequence[str | None]) -> tuple[Sequence[Any], ...]:
    if fields == [None]:
        return (records,)
    if len(fields) == 1:
        return (list(map(itemgetter(fields[0]), records)),)
    return tuple(zip(*map(itemgetter(*fields), records), strict=True)) or ((),) * len(fields)
