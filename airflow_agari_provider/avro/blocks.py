"""
Avro object container files, block by block, from a stream.

A file is a header (schema, codec, a random sync marker), followed by blocks. A block is: the number of records, the
number of bytes, the bytes, and the sync marker again. We walk the blocks ourselves: this finds every truncation and
every wrong marker, with its byte, in constant memory. Decoders that read whole files overlook some of them.
Source: Avro 1.12 specification, "Object Container Files".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from airflow_agari_provider.avro import legacy_calendar
from airflow_agari_provider.avro.codecs import CODECS, DamagedPayload, PayloadTooLarge, decompressor_of
from airflow_agari_provider.avro.other_formats import HEAD_BYTES, what_it_is
from airflow_agari_provider.exceptions import BadAvro, one_of_text

MAGIC = b"Obj\x01"
SYNC_BYTES = 16
SMALLEST_BLOCK = 1 + 1 + SYNC_BYTES  # bytes: a count, a size, no payload, the marker
MAX_BLOCK_BYTES = 256 * 1024 * 1024  # as stored; writers end a block at 16 KiB to a few MiB
DECOMPRESSED = 2  # times as large may a block be when it is decompressed
MAX_HEADER_BYTES = 16 * 1024 * 1024


class Stream(Protocol):
    """A source of bytes, read from front to back."""

    def read(self, size: int, /) -> bytes:
        """Return exactly ``size`` bytes, or fewer where the stream ends."""


@dataclass(frozen=True)
class Block:
    """
    A block as it is in the file; its sync marker has been checked.

    :param offset: bytes from the start of the file.
    :param records: how many records the block says it holds.
    :param payload: the bytes of the records, still compressed.
    """

    offset: int
    records: int
    payload: bytes


class ContainerFile:
    """
    An Avro object container file, to be read once from front to back.

    :param stream: positioned at the start of the file.
    :param source: name of the file for errors, such as its URL.
    :param max_block_bytes: size of a block as stored, above which it is refused; decompressed it may be twice as large.
    :raises BadAvro: the file has no valid header, or the header names a codec that the specification does not have.
    """

    def __init__(self, stream: Stream, source: str = "the Avro file", max_block_bytes: int = MAX_BLOCK_BYTES) -> None:
        self._stream = stream
        self.source = source
        self.max_block_bytes = max_block_bytes
        self.position = 0
        self._read_header()

    def _read_header(self) -> None:
        try:
            if (head := self._exactly(len(MAGIC))) != MAGIC:
                head += self._stream.read(HEAD_BYTES - len(MAGIC))
                raise self.bad(0, f"this is not an Avro object container file{what_it_is(head)}")
            metadata = dict(self._metadata())
            self.sync_marker = self._exactly(SYNC_BYTES)
        except EOFError:
            raise self.bad(self.position, "the file ends inside its header") from None
        try:
            self.schema_text = metadata["avro.schema"]
            self.schema: Any = json.loads(self.schema_text)
            self.legacy_calendar = legacy_calendar.HEADER_KEY in metadata
            self.codec = metadata.get("avro.codec", b"null").decode()
        except (KeyError, ValueError, RecursionError) as error:
            raise self.bad(0, f"its header has no readable schema ({error!r})") from error
        if self.codec not in CODECS:
            raise self.bad(0, one_of_text("its codec", CODECS, self.codec))
        self._decompress = decompressor_of(self.codec, DECOMPRESSED * self.max_block_bytes)

    def _metadata(self) -> Iterator[tuple[str, bytes]]:
        while entries := self._long():
            if entries < 0:  # then the size in bytes follows, for readers that skip the entries
                self._long()
            for _ in range(abs(entries)):
                key = self._exactly(self._size(MAX_HEADER_BYTES - self.position))
                yield key.decode(errors="replace"), self._exactly(self._size(MAX_HEADER_BYTES - self.position))

    def blocks(self) -> Iterator[Block]:
        """
        Yield the blocks in order. Only when the iteration has ended is it certain that the file is whole.

        :raises BadAvro: the file is truncated, has a wrong sync marker, a negative count, a size beyond its limit, or
            bytes after the last block.
        """
        while first := self._stream.read(1):
            start = self.position
            try:
                records = self._long(first)
                payload = self._exactly(self._block_size(start))
                marker = self._exactly(SYNC_BYTES)
            except EOFError:
                raise self._cut_off(start) from None
            if marker != self.sync_marker:
                raise self.bad(
                    start,
                    "the block that begins here does not end with the file's sync marker: it is damaged, or these are "
                    "bytes of another file",
                )
            if records < 0:
                raise self.bad(start, f"the block that begins here says it holds {records} records")
            yield Block(start, records, payload)

    def decompressed(self, block: Block) -> bytes:
        """
        Return the payload of a block, decompressed.

        :raises BadAvro: the payload does not decompress, or decompresses to more bytes than the limit.
        """
        try:
            return self._decompress(block.payload)
        except PayloadTooLarge as error:
            size = f"more than {DECOMPRESSED * self.max_block_bytes} bytes when it is decompressed"
            raise self._too_large(block.offset, size, f"twice max_block_bytes={self.max_block_bytes}") from error
        except DamagedPayload as error:
            raise self.bad(block.offset, f"the block that begins here is damaged: {error.problem}") from error

    def _block_size(self, start: int) -> int:
        size = self._long()
        if size < 0:
            raise self.bad(start, f"the block that begins here says it has {size} bytes")
        if size > self.max_block_bytes:
            raise self._too_large(start, f"{size} bytes", f"max_block_bytes={self.max_block_bytes}")
        return size

    def _too_large(self, start: int, size: str, limit: str) -> BadAvro:
        problem = f"the block that begins here has {size}, which is larger than {limit}"
        return self.bad(
            start, f"{problem}; if it is not damaged, raise max_block_bytes, and give the worker the memory"
        )

    def _cut_off(self, start: int) -> BadAvro:
        left = self.position - start
        if left < SMALLEST_BLOCK:
            return self.bad(
                start,
                f"{left} bytes after the last whole block are not a block: they were added, or they are the start of "
                "a lost block",
            )
        return self.bad(start, f"the file is truncated: the block that begins here ends after {left} bytes")

    def bad(self, offset: int, problem: str) -> BadAvro:
        """Return the error that reports damage in this file."""
        return BadAvro(self.source, offset, problem)

    def _exactly(self, size: int) -> bytes:
        data = self._stream.read(size)
        self.position += len(data)
        if len(data) < size:
            raise EOFError
        return data

    def _size(self, limit: int) -> int:
        size = self._long()
        if not 0 <= size <= limit:
            raise self.bad(
                self.position,
                f"the header says a length of {size} bytes here, and the limit is {limit}: it is damaged",
            )
        return size

    def _long(self, first: bytes = b"") -> int:
        """Read the next zigzag number; ``first`` is its first byte if that was read from the stream already."""
        self.position += len(first)
        value = 0
        for shift in range(0, 70, 7):
            byte = first or self._exactly(1)
            first = b""
            value |= (byte[0] & 0x7F) << shift
            if byte[0] < 0x80:
                return (value >> 1) ^ -(value & 1)
        raise self.bad(self.position, "a number here has more than ten bytes: the file is damaged")


def zigzag(number: int) -> bytes:
    """Encode a number that is not negative as Avro does."""
    number <<= 1
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)


def count_block_records(stream: Stream, source: str = "the Avro file") -> int:
    """
    Return the number of records that the blocks say they hold; nothing is decompressed or decoded.

    :param stream: positioned at the start of an Avro object container file; it is read to its end.
    :param source: name of the file for errors.
    :raises BadAvro: the file is not sound.
    """
    return sum(block.records for block in ContainerFile(stream, source).blocks())
