"""
Find what is sound in a damaged Avro file, and the bytes of what is not: by block, and inside a block by row.

This is slower than plain decoding, so it is only for files in which plain decoding found damage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, cast

from airflow_agari_provider.avro.blocks import MAX_BLOCK_BYTES, SYNC_BYTES, Block, ContainerFile, Stream
from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.avro.fastavro_reading import (
    MISFITS,
    in_record,
    reader_of,
    schemas_of,
    unconverted,
    why_not_decoded,
)
from airflow_agari_provider.avro.records import Batch, decode, require_room
from airflow_agari_provider.avro.schemas import AvroSchema
from airflow_agari_provider.exceptions import BadAvro

MAX_PIECE_BYTES = 64 * 1024 * 1024  # bytes without a block are handed out in pieces of at most this size
CHUNK_BYTES = 64 * 1024
MAX_RECORDS = 512 * 1024 * 1024  # the most that a damaged block can hold; a larger number is damage


@dataclass(frozen=True)
class BadBlock:
    """
    Bytes of a file that are not a sound block: usually one block, with its count, size and sync marker.

    :param offset: bytes from the start of the file.
    :param records: how many records it says it holds; None if it does not say so, or gives an impossible number.
    :param reason: why it is bad, with the file's name.
    """

    offset: int
    raw: bytes
    records: int | None
    reason: str


@dataclass(frozen=True)
class BadRow:
    """
    A row that does not decode.

    :param position: of the row in its block, from 0.
    :param datum: the record as the file has it, in Avro's binary encoding.
    :param reason: why it is bad.
    """

    position: int
    datum: bytes
    reason: str


@dataclass(frozen=True)
class SoundRows:
    """
    The rows of a block that decode.

    :param positions: position of each of these rows in its block, from 0.
    :param bad: the rows that do not decode.
    """

    batch: Batch
    positions: Sequence[int]
    bad: Sequence[BadRow] = ()


class SalvagedFile:
    """
    An Avro file that may be damaged anywhere after its header, to be read once from front to back.

    :param stream: positioned at the start of the file.
    :param source: name of the file for the reasons.
    :param max_block_bytes: as for :class:`ContainerFile`.
    :raises BadAvro: the file has no valid header.
    """

    def __init__(self, stream: Stream, source: str, max_block_bytes: int = MAX_BLOCK_BYTES) -> None:
        self._stream = _Rewindable(stream)
        self.file = ContainerFile(self._stream, source, max_block_bytes)
        self._lost = False

    def blocks(self) -> Iterator[Block | BadBlock]:
        """Yield every byte after the header: the blocks whose sync marker is right, and what lies between them."""
        while True:
            start = self.file.position
            self._stream.mark()
            try:
                block = next(self.file.blocks(), None)
            except BadAvro as error:
                yield self._bad(start, error)
                continue
            if block is None:
                return
            self._lost = False
            yield block

    def _bad(self, start: int, error: BadAvro) -> BadBlock:
        raw, found = self._until_marker(self._stream.seen())
        self.file.position = start + len(raw)
        records = None if self._lost else _records_of(raw)
        self._lost = not found
        return BadBlock(start, raw, records, _reason(error))

    def _until_marker(self, seen: bytes) -> tuple[bytes, bool]:
        """
        Return the bytes of a bad block, and whether a block or the end of the file follows them.

        :param seen: what was already read of the bad block.
        """
        marker = self.file.sync_marker
        ahead = self._stream.read(SYNC_BYTES - 1)  # a size that is a few bytes too small ends in the marker
        if (end := (seen + ahead).find(marker)) >= 0:
            seen += ahead
        else:
            self._stream.unread(ahead)
            if self._block_follows():
                return seen, True
        while end < 0 and len(seen) < MAX_PIECE_BYTES and (chunk := self._stream.read(CHUNK_BYTES)):
            searched = max(0, len(seen) - SYNC_BYTES)
            seen += chunk
            end = seen.find(marker, searched)
        if end >= 0:
            end += SYNC_BYTES
        elif len(seen) >= MAX_PIECE_BYTES:
            end = len(seen) - SYNC_BYTES  # these bytes may be the start of the marker
            self._stream.unread(seen[end:])
            return seen[:end], False
        else:
            end = len(seen)
        self._stream.unread(seen[end:])
        return seen[:end], True

    def _block_follows(self) -> bool:
        """Whether a sound block, or the end of the file, comes next. Nothing is consumed."""
        position = self.file.position
        self._stream.mark()
        try:
            next(self.file.blocks(), None)
        except BadAvro:
            return False
        finally:
            self._stream.unread(self._stream.seen())
            self.file.position = position
        return True

    def bad_block(self, block: Block, error: BadAvro) -> BadBlock:
        """Return as bad a block whose marker is right, but whose payload is not."""
        raw = _long(block.records) + _long(len(block.payload)) + block.payload + self.file.sync_marker
        return BadBlock(block.offset, raw, _sensible(block.records), _reason(error))

    def rows(
        self, block: Block, writer: AvroSchema, reader: AvroSchema | None, columns: Sequence[Column]
    ) -> SoundRows | BadBlock:
        """
        Return the rows of a block. If the rows cannot even be told apart, the block is bad as a whole.

        :param reader: this and the other parameters as in :func:`airflow_agari_provider.avro.records.decode`.
        """
        try:
            (batch,) = decode(cast("ContainerFile", _OneBlock(self.file, block)), writer, reader, columns)
        except BadAvro as error:
            try:
                data = self.data(block, writer)
            except BadAvro:
                return self.bad_block(block, error)
            return _one_by_one(data, writer, reader, columns)
        return SoundRows(batch, range(batch.rows))

    def data(self, block: Block, writer: AvroSchema) -> list[bytes]:
        """
        Return the encoded records of a block, one by one.

        :raises BadAvro: the payload does not hold exactly as many records as the block says.
        """
        payload = self.file.decompressed(block)
        require_room(self.file, block, payload, writer)
        read, schema, stream = reader_of(writer), in_record("row", unconverted(writer.raw)), BytesIO(payload)
        data = []
        try:
            for _ in range(block.records):
                start = stream.tell()
                read(stream, schema, None, handle_unicode_errors="replace")
                data.append(payload[start : stream.tell()])
        except MISFITS as error:
            raise self.file.bad(block.offset, f"record {len(data)} does not decode ({error!r})") from error
        if stream.tell() != len(payload):
            raise self.file.bad(block.offset, f"{len(payload) - stream.tell()} bytes follow the last record")
        return data


@dataclass(frozen=True)
class _OneBlock:
    """A file that holds only this block."""

    file: ContainerFile
    block: Block

    def blocks(self) -> Iterator[Block]:
        yield self.block

    def decompressed(self, block: Block) -> bytes:
        return self.file.decompressed(block)

    def bad(self, offset: int, problem: str) -> BadAvro:
        return self.file.bad(offset, problem)


class _Rewindable:
    """A stream that remembers what was read since the last mark, and that takes bytes back."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._back = BytesIO()
        self._seen = bytearray()

    def read(self, size: int, /) -> bytes:
        data = self._back.read(size)
        if len(data) < size:
            data += self._stream.read(size - len(data))
        self._seen += data
        return data

    def mark(self) -> None:
        self._seen = bytearray()

    def seen(self) -> bytes:
        return bytes(self._seen)

    def unread(self, data: bytes) -> None:
        self._back = BytesIO(data + self._back.read())


def _one_by_one(
    data: Sequence[bytes], writer: AvroSchema, reader: AvroSchema | None, columns: Sequence[Column]
) -> SoundRows:
    from fastavro.read import SchemaResolutionError

    read = reader_of(writer)
    fields = [column.field for column in columns]
    schema, wanted = schemas_of("row", writer, reader, fields)
    told = schemas_of("row", writer, reader or writer, fields)
    rows, positions, bad = [], [], []
    for position, datum in enumerate(data):
        try:
            record = read(BytesIO(datum), schema, wanted)["row"]
            rows.append([_value(record, column) for column in columns])
            positions.append(position)
        except (*MISFITS, SchemaResolutionError) as error:
            bad.append(BadRow(position, datum, f"does not decode ({why_not_decoded(read, datum, told, error)})"))
    values = tuple(zip(*rows, strict=True)) or ((),) * len(columns)
    return SoundRows(Batch(len(rows), values), positions, bad)


def _value(record: Any, column: Column) -> Any:
    for name in () if column.field is None else (column.field, *column.inside):
        record = None if record is None else record[name]
    return record


def _reason(error: BadAvro) -> str:
    return f"{error.source}, byte {error.offset}: {error.problem}"


def _records_of(raw: bytes) -> int | None:
    import fastavro

    try:
        return _sensible(cast("int", fastavro.schemaless_reader(BytesIO(raw), "long", None)))
    except MISFITS:
        return None


def _sensible(records: int) -> int | None:
    return records if 0 <= records <= MAX_RECORDS else None


def _long(number: int) -> bytes:
    import fastavro

    stream = BytesIO()
    fastavro.schemaless_writer(stream, "long", number)
    return stream.getvalue()
