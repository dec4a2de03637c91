"""
Records of one schema, joined into one Avro file in memory, which the decoders of files read as fast as a file.

In such a file nothing tells one record from the next. So each record gets a last field of our own, with a random mark.
If a record is shorter or longer than its schema says, the mark is not found in its place: no byte of a record is ever
taken for one of the next.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO
from typing import Any

from airflow_agari_provider.avro.arrow.batches import ArrowBatch, arrow_batch
from airflow_agari_provider.avro.blocks import MAGIC, SYNC_BYTES, Block, ContainerFile, zigzag
from airflow_agari_provider.avro.columns import Column, columns_of
from airflow_agari_provider.avro.reader_defaults import parsed_reader
from airflow_agari_provider.avro.records import Batch, BlockDecoder
from airflow_agari_provider.avro.schemas import AvroSchema, reparsed
from airflow_agari_provider.avro.union_branches import with_branches
from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.avro_import.origin import fields_of
from airflow_agari_provider.avro_import.source_object import ReadSchema, read_schema
from airflow_agari_provider.exceptions import AgariError, BadAvro
from airflow_agari_provider.streams.entries import Entry

MARK_BYTES = 16
BLOCK_BYTES = 128 * 1024  # of joined records
BLOCK_ROWS = 1000


class NotInItsPlace(AgariError):
    """A record of a joined file is shorter or longer than its schema says."""

    def __str__(self) -> str:
        return "A record's mark is not in its place, though each record alone can be decoded. This is a bug: report it."


@dataclass(frozen=True)
class JoinedFile:
    """
    Records as a file.

    :param data: the file, without a mark in its rows.
    :param entries: of each row, by the offset of its block.
    """

    data: BytesIO
    entries: dict[int, list[Entry]]


class RecordSchema:
    """
    What an import makes of the records of one schema.

    :param reader: schema to resolve the records to; None takes them as written.
    :param source: name of the stream, for errors.
    :param alone: each record is one row; else each is a file of its own, whose blocks tell their rows.
    :raises UnimportableObject: the job cannot load such records; see :func:`read_schema`.
    """

    def __init__(
        self, job: ImportJob, reader: AvroSchema | None, writer: AvroSchema, source: str, alone: bool = True
    ) -> None:
        self.writer, self._source = writer, source
        self.read: ReadSchema = read_schema(job, reader, writer, source)
        self.marked_read = self.read.read_by
        self.mark = secrets.token_bytes(MARK_BYTES)
        self.mark_columns: tuple[Column, ...] = ()
        name = f"agari_mark_{self.mark.hex()}"
        if alone and _is_record(writer) and (reader is None or _is_record(reader)):
            field = {"name": name, "type": {"type": "fixed", "name": f"agari.{name}", "size": MARK_BYTES}}
            marked = reparsed(writer, _with_field(writer.raw, field))
            marked_reader = parsed_reader(_with_field(reader.raw, field)) if reader else None
            self.marked_read = with_branches(marked, marked_reader, job.unions)
            self.mark_columns = columns_of(marked_reader or marked, [name])

    def file(self, entries: Sequence[Entry]) -> ContainerFile:
        """Return the records as a file, each with a mark if they are of a record type."""
        blocks = (
            self._marked_blocks(entries) if self.mark_columns else (one for entry in entries for one in entry.blocks)
        )
        return ContainerFile(BytesIO(b"".join(self._pieces(blocks))), self._source)

    def unmarked(self, batches: Iterable[Batch], columns: Sequence[Column]) -> Iterator[Batch]:
        """
        Pass on what the decoder makes of :meth:`file`, without the marks.

        :param columns: those of the batches, without the marks'.
        :raises NotInItsPlace: a mark is not where it should be.
        """
        for batch in batches:
            if not self.mark_columns:
                yield batch
                continue
            if list(batch.columns[-1]).count(self.mark) != batch.rows:
                raise NotInItsPlace
            if isinstance(batch, ArrowBatch):
                yield arrow_batch(batch.rows, columns, batch.arrays[:-1])
            else:
                yield replace(batch, columns=tuple(batch.columns[:-1]))

    def joined(self, entries: Sequence[Entry]) -> JoinedFile:
        """Return records that are all sound as a file without marks, to be loaded row by row where that is needed."""
        pieces, of_block = [self._header], {}
        offset = len(self._header)
        for start in range(0, len(entries), BLOCK_ROWS):
            part = entries[start : start + BLOCK_ROWS]
            of_block[offset] = [entry for entry in part for _ in range(entry.rows)]
            data = b"".join(payload for entry in part for _, payload in entry.blocks)
            block = zigzag(len(of_block[offset])) + zigzag(len(data)) + data + bytes(SYNC_BYTES)
            pieces.append(block)
            offset += len(block)
        return JoinedFile(BytesIO(b"".join(pieces)), of_block)

    def why_bad(self, entry: Entry) -> str | None:
        """Return why a record cannot be decoded, as a clause; None if it can."""
        file = ContainerFile(BytesIO(self._header), "it")
        try:
            for rows, payload in entry.blocks:
                self._decoder.batch(file, [(Block(0, rows, payload), payload)])
        except BadAvro as error:
            problem = error.problem.replace("record 0 of the block that begins here", "it")
            return f"by its schema, {problem.replace('the block that begins here', 'it')}"
        return None

    @cached_property
    def _decoder(self) -> BlockDecoder:
        return BlockDecoder(*self.read.read_by, fields_of(self.read.target))

    @cached_property
    def _header(self) -> bytes:
        key, schema = b"avro.schema", json.dumps(self.writer.raw).encode()
        return b"".join(
            [MAGIC, zigzag(1), zigzag(len(key)), key, zigzag(len(schema)), schema, b"\0", bytes(SYNC_BYTES)]
        )

    def _pieces(self, blocks: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
        yield self._header
        for rows, payload in blocks:
            yield zigzag(rows) + zigzag(len(payload))
            yield payload
            yield bytes(SYNC_BYTES)

    def _marked_blocks(self, entries: Sequence[Entry]) -> Iterator[tuple[int, bytes]]:
        pieces: list[bytes] = []
        size = 0
        for entry in entries:
            ((_, datum),) = entry.blocks
            pieces += (datum, self.mark)
            size += len(datum) + MARK_BYTES
            if size >= BLOCK_BYTES:
                yield len(pieces) // 2, b"".join(pieces)
                pieces, size = [], 0
        if pieces:
            yield len(pieces) // 2, b"".join(pieces)


def _is_record(schema: AvroSchema) -> bool:
    return isinstance(schema.raw, dict) and schema.raw["type"] in ("record", "error")


def _with_field(raw: Any, field: Any) -> Any:
    return raw | {"fields": [*raw["fields"], field]}
