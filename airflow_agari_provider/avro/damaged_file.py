"""
What is sound in a damaged Avro file, and the bytes of what is not: by block, and inside a block by row.

Slower than plain decoding, so it is for files in which that found damage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import cast

from airflow_agari_provider.avro.blocks import SYNC_BYTES, Block, ContainerFile, Stream
from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.avro.fastavro_reading import MISFITS, in_record, reader_of, unconverted
from airflow_agari_provider.avro.records import Batch, decode, read_as, require_room
from airflow_agari_provider.avro.schemas import AvroSchema
from airflow_agari_provider.exceptions import BadAvro

MAX_PIECE_BYTES = 64 * 1024 * 1024  # of bytes in which no block is found, that are handed out as one
CHUNK_BYTES = 64 * 1024
MAX_RECORDS = 512 * 1024 * 1024  # that a damaged block can have; a larger number is part of the damage


@dataclass(frozen=True)
class BadBlock:
    """
    Bytes of a file that are no sound block: as a rule one block, with its count, size and sync marker.

    :param offset: bytes from the start of the file.
    :param records: that it says it holds; None where it does not say so, or nothing sensible.
    :param reason: why it is bad, with the file's name.
    """

    offset: int
    raw: bytes
    records: int | None
    reason: str


@dataclass(frozen=True)
class BadRow:
    """
    :param position: in its block, from 0.
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

    :param positions: where each stands in its block, from 0.
    :param bad: the others.
    """

    batch: Batch
    positions: Sequence[int]
    bad: Sequence[BadRow] = ()


class SalvagedFile:
    """
    An Avro file that may be damaged anywhere behind its header, to be read once from front to back.

    :param stream: stands at the start of the file.
    :param source: name of the file for reasons.
    :raises BadAvro: the header is none.
    """

    def __init__(self, stream: Stream, source: str) -> None:
        self._stream = _Rewindable(stream)
        self.file = ContainerFile(self._stream, source)
        self._lost = False

    def blocks(self) -> Iterator[Block | BadBlock]:
        """Every byte behind the header, as blocks whose sync marker is right and as what stands between them."""
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
        """From what was read of a bad block: its bytes, and whether a block follows or the file ends."""
        marker = self.file.sync_marker
        ahead = self._stream.read(SYNC_BYTES - 1)  # a size too small by a few bytes cuts through the marker
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
            end = len(seen) - SYNC_BYTES  # the marker may have begun
            self._stream.unread(seen[end:])
            return seen[:end], False
        else:
            end = len(seen)
        self._stream.unread(seen[end:])
        return seen[:end], True

    def _block_follows(self) -> bool:
        """Whether a sound block, or the end of the file, comes next; nothing is consumed."""
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
        """A block whose marker is right, but whose payload is not."""
        raw = _long(block.records) + _long(len(block.payload)) + block.payload + self.file.sync_marker
        return BadBlock(block.offset, raw, _sensible(block.records), _reason(error))

    def rows(
        self, block: Block, writer: AvroSchema, reader: AvroSchema | None, columns: Sequence[Column]
    ) -> SoundRows | BadBlock:
        """
        The rows of a block; a block whose rows cannot even be told apart is bad as a whole.

        :param reader: and the others as :func:`airflow_agari_provider.avro.records.decode` has them.
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
        The encoded records of a block, one by one.

        :raises BadAvro: the payload is not so many records.
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
            raise self.file.bad(block.offset, f"{len(payload) - stream.tell()} bytes behind the last record")
        return data


@dataclass(frozen=True)
class _OneBlock:
    """A block as a file of its own."""

    file: ContainerFile
    block: Block

    def blocks(self) -> Iterator[Block]:
        yield self.block

    def decompressed(self, block: Block) -> bytes:
        return self.file.decompressed(block)

    def bad(self, offset: int, problem: str) -> BadAvro:
        return self.file.bad(offset, problem)


class _Rewindable:
    """A stream that remembers what was read since a mark, and takes bytes back."""

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
    schema, wanted = (kind and in_record("row", kind) for kind in read_as(writer, reader, columns))
    rows, positions, bad = [], [], []
    for position, datum in enumerate(data):
        try:
            record = read(BytesIO(datum), schema, wanted)["row"]
            rows.append([record if column.field is None else record[column.field] for column in columns])
            positions.append(position)
        except (*MISFITS, SchemaResolutionError) as error:
            bad.append(BadRow(position, datum, f"does not decode ({error!r})"))
    values = tuple(zip(*rows, strict=True)) or ((),) * len(columns)
    return SoundRows(Batch(len(rows), values), positions, bad)


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
