"""
Avro object container files, block by block, from a stream.

A file is a header (schema, codec, a random sync marker) and blocks: how many records, how many bytes, the bytes, the
sync marker again. Walking the blocks ourselves shows every truncation and every wrong marker at its byte, in flat
memory; decoders that read whole files pass over some of them in silence.
Source: Avro 1.12 specification, "Object Container Files".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from airflow_agari_provider.avro.codecs import CODECS, DamagedPayload, decompressor_of
from airflow_agari_provider.exceptions import BadAvro

MAGIC = b"Obj\x01"
SYNC_BYTES = 16
SMALLEST_BLOCK = 1 + 1 + SYNC_BYTES  # bytes: a count, a size, no payload, the marker
MAX_BLOCK_BYTES = 256 * 1024 * 1024  # as stored; a size beyond it is damage or malice, and would cost the memory
MAX_HEADER_BYTES = 16 * 1024 * 1024


class Stream(Protocol):
    """Bytes from front to back."""

    def read(self, size: int, /) -> bytes:
        """Exactly so many bytes, or fewer where the stream ends."""


@dataclass(frozen=True)
class Block:
    """
    A block as it stands in the file, its sync marker checked.

    :param offset: bytes from the start of the file.
    :param records: how many records it says it holds.
    :param payload: still compressed.
    """

    offset: int
    records: int
    payload: bytes


class ContainerFile:
    """
    An Avro object container file, to be read once from front to back.

    :param stream: stands at the start of the file.
    :param source: name of the file for errors, such as its URL.
    :raises BadAvro: the header is none, or names a codec outside the specification.
    """

    def __init__(self, stream: Stream, source: str = "the Avro file") -> None:
        self._stream = stream
        self.source = source
        self.position = 0
        self._read_header()

    def _read_header(self) -> None:
        try:
            if self._exactly(len(MAGIC)) != MAGIC:
                raise self.bad(0, "this is no Avro object container file")
            metadata = dict(self._metadata())
            self.sync_marker = self._exactly(SYNC_BYTES)
        except EOFError:
            raise self.bad(self.position, "the file ends inside its header") from None
        try:
            self.schema: Any = json.loads(metadata["avro.schema"])
            self.codec = metadata.get("avro.codec", b"null").decode()
        except (KeyError, ValueError, RecursionError) as error:
            raise self.bad(0, f"its header has no schema that can be read ({error!r})") from error
        if self.codec not in CODECS:
            raise self.bad(0, f"its codec {self.codec!r} is none of {', '.join(CODECS)}")
        self._decompress = decompressor_of(self.codec)

    def _metadata(self) -> Iterator[tuple[str, bytes]]:
        while entries := self._long():
            if entries < 0:  # then the size in bytes follows, for readers that skip
                self._long()
            for _ in range(abs(entries)):
                key = self._exactly(self._size(MAX_HEADER_BYTES - self.position))
                yield key.decode(errors="replace"), self._exactly(self._size(MAX_HEADER_BYTES - self.position))

    def blocks(self) -> Iterator[Block]:
        """
        The blocks in their order; afterwards, and only then, the file was whole.

        :raises BadAvro: truncated, a wrong sync marker, a size beyond reason, or bytes behind the last block.
        """
        while first := self._stream.read(1):
            start = self.position
            try:
                records = self._long(first)
                payload = self._exactly(self._size(MAX_BLOCK_BYTES))
                marker = self._exactly(SYNC_BYTES)
            except EOFError:
                raise self._cut_off(start) from None
            if marker != self.sync_marker:
                raise self.bad(
                    start, "the block here does not end with the file's sync marker: damaged, or bytes of another file"
                )
            if records < 0:
                raise self.bad(start, f"the block here says it holds {records} records")
            yield Block(start, records, payload)

    def decompressed(self, block: Block) -> bytes:
        """:raises BadAvro: the payload does not decompress, or to a size beyond reason."""
        try:
            return self._decompress(block.payload)
        except DamagedPayload as error:
            raise self.bad(block.offset, f"the block here is damaged: {error}") from error

    def _cut_off(self, start: int) -> BadAvro:
        left = self.position - start
        if left < SMALLEST_BLOCK:
            return self.bad(
                start, f"{left} bytes behind the last whole block are no block: added, or the start of a lost one"
            )
        return self.bad(start, f"the file is truncated: the block that begins here breaks off after {left} bytes")

    def bad(self, offset: int, problem: str) -> BadAvro:
        """The error that tells of damage in this file."""
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
            raise self.bad(self.position, f"a length of {size} bytes, where at most {limit} make sense: damaged")
        return size

    def _long(self, first: bytes = b"") -> int:
        """The next zigzag number; ``first`` is its first byte where that was read from the stream already."""
        self.position += len(first)
        value = 0
        for shift in range(0, 70, 7):
            byte = first or self._exactly(1)
            first = b""
            value |= (byte[0] & 0x7F) << shift
            if byte[0] < 0x80:
                return (value >> 1) ^ -(value & 1)
        raise self.bad(self.position, "a number of more than ten bytes: damaged")


def zigzag(number: int) -> bytes:
    """A number that is not negative as Avro writes it."""
    number <<= 1
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)


def count_block_records(stream: Stream, source: str = "the Avro file") -> int:
    """
    Number of records, as the blocks give it: nothing is decompressed or decoded.

    :param stream: stands at the start of an Avro object container file; is read to its end.
    :param source: name of the file for errors.
    :raises BadAvro: the file is not sound.
    """
    return sum(block.records for block in ContainerFile(stream, source).blocks())
