"""Avro blocks to batches of values, a column at a time."""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from operator import itemgetter
from typing import Any

from airflow_agari_provider.avro.blocks import Block, ContainerFile, zigzag
from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.avro.fastavro_reading import MISFITS, in_record, reader_of, wanted_only
from airflow_agari_provider.avro.schemas import AvroSchema

# Records that take no byte could be there any number of times: such a block may claim so many nulls and the like.
MAX_EMPTIES = 1_000_000


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
        self.writer = writer
        self._fields = [column.field for column in columns]
        self._kinds = read_as(writer, reader, columns)
        # A block is laid out as an array: a count, the items, and, which _records adds, the end mark 0.
        self._schemas = tuple(kind and in_record("items", {"type": "array", "items": kind}) for kind in self._kinds)
        self._read = reader_of(writer)

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

        require_room(file, block, payload, self.writer)
        data = zigzag(block.records) + payload + (b"\0" if block.records else b"")
        stream = BytesIO(data)
        try:
            records: list[Any] = self._read(stream, *self._schemas)["items"]
        except (*MISFITS, SchemaResolutionError) as error:
            where = self._misfit(payload, block.records)
            raise file.bad(block.offset, f"{where} of the block here does not decode ({error!r})") from error
        if len(records) != block.records or stream.tell() != len(data):
            raise file.bad(
                block.offset, f"the block here says it holds {block.records} records, but its bytes say otherwise"
            )
        return records

    def _misfit(self, payload: bytes, records: int) -> str:
        """Which record does not decode, and where it can be told which of its fields."""
        from fastavro.read import SchemaResolutionError

        schemas = tuple(kind and in_record("row", kind) for kind in self._kinds)
        stream, start = BytesIO(payload), 0
        for number in range(records):
            start = stream.tell()
            try:
                self._read(stream, *schemas)
            except (*MISFITS, SchemaResolutionError):
                field = None if self._kinds[1] else self._misfit_field(payload, start)
                return f"record {number}" if field is None else f"field {field!r} of record {number}"
        return "the end"

    def _misfit_field(self, payload: bytes, start: int) -> str | None:
        kind = self._kinds[0]
        fields = kind.get("fields", []) if isinstance(kind, dict) else []
        for number, field in enumerate(fields, 1):
            stream = BytesIO(payload)
            stream.seek(start)
            try:
                self._read(stream, in_record("row", kind | {"fields": fields[:number]}), None)
            except MISFITS:
                return str(field["name"])
        return None


def read_as(writer: AvroSchema, reader: AvroSchema | None, columns: Sequence[Column]) -> tuple[Any, Any]:
    """What fastavro is to read records by: the file's schema, and the one to resolve them to, if any."""
    return (writer.raw, reader.raw) if reader else (wanted_only(writer.raw, [column.field for column in columns]), None)


def require_room(file: ContainerFile, block: Block, payload: bytes, writer: AvroSchema) -> None:
    """:raises BadAvro: a block that cannot hold as many records as it says, or whose records would fill the memory."""
    whole = writer.shape.whole
    if block.records > (MAX_EMPTIES // whole.empties if whole.empty else len(payload)):
        raise file.bad(block.offset, f"the block here says it holds {block.records} records in {len(payload)} bytes")


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


def _columns(records: Sequence[Any], fields: Sequence[str | None]) -> tuple[Sequence[Any], ...]:
    if fields == [None]:
        return (records,)
    if len(fields) == 1:
        return (list(map(itemgetter(fields[0]), records)),)
    return tuple(zip(*map(itemgetter(*fields), records), strict=True)) or ((),) * len(fields)
