"""Decode Avro blocks to batches of values, column by column."""

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
from airflow_agari_provider.avro.fastavro_reading import (
    MISFITS,
    in_record,
    reader_of,
    schemas_of,
    wanted_only,
    why_not_decoded,
)
from airflow_agari_provider.avro.schemas import AvroSchema

# A block of records that take no bytes could claim any number of them. This is the most parts without bytes, such as
# nulls, that the records of such a block may have together.
MAX_EMPTIES = 1_000_000


@dataclass(frozen=True)
class Batch:
    """
    The records of some blocks.

    :param rows: how many records.
    :param columns: the values of each requested column, ``rows`` of them, as Python objects: int, str, bytes,
        ``Decimal``, ``UUID``, ``date``, ``time``, ``datetime`` (aware in UTC for an instant), dict and list.
    """

    rows: int
    columns: Sequence[Sequence[Any]]


def decode(
    file: ContainerFile, writer: AvroSchema, reader: AvroSchema | None, columns: Sequence[Column]
) -> Generator[Batch]:
    """
    Yield the records of a file, block by block.

    :param writer: schema of the file.
    :param reader: schema to resolve the records to; None leaves them as they were written.
    :param columns: what to take from each record.
    :raises BadAvro: the file is truncated or damaged, or its records do not fit the schema or a block's count.
    """
    decoder = BlockDecoder(writer, reader, columns)
    for block in file.blocks():
        yield decoder.batch(file, [(block, file.decompressed(block))])


class BlockDecoder:
    """
    Decodes the blocks of files that have the same schema. The parameters are those of :func:`decode`.
    """

    def __init__(self, writer: AvroSchema, reader: AvroSchema | None, columns: Sequence[Column]) -> None:
        self.writer = writer
        self._fields = [column.field for column in columns]
        self._inside = [column.inside for column in columns]
        self._reader = reader
        # A block is read as an array: a count, the items, and the end mark 0. _records adds the count and the mark.
        self._schemas = schemas_of("items", writer, reader, self._fields, lambda kind: {"type": "array", "items": kind})
        self._read = reader_of(writer)

    def batch(self, file: ContainerFile, blocks: Iterable[tuple[Block, bytes]]) -> Batch:
        """
        Return the records of some blocks.

        :param blocks: each with its payload, decompressed.
        :raises BadAvro: the records do not fit the schema or a block's count.
        """
        with _without_collections():
            records: list[Any] = []
            for block, payload in blocks:
                records += self._records(file, block, payload)
            columns = _columns(records, self._fields)
            return Batch(len(records), tuple(map(_within, columns, self._inside)) if any(self._inside) else columns)

    def _records(self, file: ContainerFile, block: Block, payload: bytes) -> list[Any]:
        from fastavro.read import SchemaResolutionError

        require_room(file, block, payload, self.writer)
        data = zigzag(block.records) + payload + (b"\0" if block.records else b"")
        stream = BytesIO(data)
        try:
            records: list[Any] = self._read(stream, *self._schemas)["items"]
        except (*MISFITS, SchemaResolutionError) as error:
            where, cause = self._misfit(payload, block.records)
            problem = f"{where} of the block that begins here does not decode ({cause or repr(error)})"
            raise file.bad(block.offset, problem) from error
        if len(records) != block.records or stream.tell() != len(data):
            problem = f"the block that begins here says it holds {block.records} records, but its bytes do not match"
            raise file.bad(block.offset, problem)
        return records

    def _misfit(self, payload: bytes, records: int) -> tuple[str, str | None]:
        """Return which record does not decode and, if it can be determined, which of its fields; and why."""
        from fastavro.read import SchemaResolutionError

        schemas = schemas_of("row", self.writer, self._reader, self._fields)
        stream, start = BytesIO(payload), 0
        for number in range(records):
            start = stream.tell()
            try:
                self._read(stream, *schemas)
            except (*MISFITS, SchemaResolutionError) as error:
                field = None if self._reader else self._misfit_field(payload, start)
                told = schemas_of("row", self.writer, self._reader or self.writer, self._fields)
                cause = why_not_decoded(self._read, payload[start:], told, error)
                return f"record {number}" if field is None else f"field {field!r} of record {number}", cause
        return "the end", None

    def _misfit_field(self, payload: bytes, start: int) -> str | None:
        kind = wanted_only(self.writer.raw, self._fields)
        fields = kind.get("fields", []) if isinstance(kind, dict) else []
        for number, field in enumerate(fields, 1):
            stream = BytesIO(payload)
            stream.seek(start)
            try:
                self._read(stream, in_record("row", kind | {"fields": fields[:number]}), None)
            except MISFITS:
                return str(field["name"])
        return None


def require_room(file: ContainerFile, block: Block, payload: bytes, writer: AvroSchema) -> None:
    """:raises BadAvro: the block cannot hold as many records as it says, or its records would fill the memory."""
    whole = writer.shape.whole
    too_many = block.records > (MAX_EMPTIES // whole.empties if whole.empty else len(payload))
    if too_many or (whole.empty and payload):  # fastavro would take such bytes for a number of further records
        problem = f"the block that begins here says it holds {block.records} records in {len(payload)} bytes"
        raise file.bad(block.offset, problem)


@contextmanager
def heap_out_of_sight() -> Iterator[None]:
    """
    While rows are made, let Python look for garbage only among the new objects.

    A search of everything that the task's process made before, and still needs, would cost a tenth of an import's time.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _without_collections() -> Iterator[None]:
    """
    Turn Python's garbage collection off: a block makes thousands of objects and no garbage, and Python would search
    all of them again and again.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _within(values: Sequence[Any], inside: Sequence[str]) -> Sequence[Any]:
    """Return the values of a field within the record, within the next one, and so on; of None it is None."""
    for name in inside:
        values = [None if value is None else value[name] for value in values]
    return values


def _columns(records: Sequence[Any], fields: Sequence[str | None]) -> tuple[Sequence[Any], ...]:
    if fields == [None]:
        return (records,)
    if len(fields) == 1:
        return (list(map(itemgetter(fields[0]), records)),)
    return tuple(zip(*map(itemgetter(*fields), records), strict=True)) or ((),) * len(fields)
