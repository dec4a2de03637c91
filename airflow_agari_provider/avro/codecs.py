"""
The compression codecs of Avro 1.12, each with a limit on the size of a decompressed block.

A codec is a function of a payload and the most bytes that it may decompress to.
"""

from __future__ import annotations

import bz2
import lzma
import sys
import zlib
from collections.abc import Callable
from functools import cache, partial
from typing import Any

USUAL_RATIO = 8  # few blocks grow by more when they are decompressed


class DamagedPayload(ValueError):
    """
    Bytes that do not decompress.

    :param problem: what is wrong, as a clause.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class PayloadTooLarge(ValueError):
    """Bytes that may be sound, but decompress to more than the limit."""


def decompressor_of(codec: str, limit: int) -> Callable[[bytes], bytes]:
    """
    Return the function that decompresses the payload of a block, or raises :class:`DamagedPayload` or
    :class:`PayloadTooLarge`.

    :param codec: ``avro.codec`` of the file's header.
    :param limit: bytes that a block may have when decompressed.
    :raises KeyError: the specification does not have this codec.
    """
    return partial(_CODECS[codec], limit=limit)


def _null(payload: bytes, limit: int) -> bytes:
    return payload


@cache
def _inflater() -> tuple[Callable[[], Any], type[Exception], Callable[[bytes], int]]:
    """
    Return what makes a decompressor of deflate, the error that it raises, and the function for zlib's checksum.

    ISA-L is used if it is installed: it takes less than half of zlib's time.
    """
    try:
        from isal import igzip_lib, isal_zlib
    except ImportError:
        return partial(zlib.decompressobj, -15), zlib.error, zlib.adler32
    damage: Any = igzip_lib.error  # it is a class, although its type stub says otherwise
    # Not isal_zlib's decompressors, which are made to replace zlib's: they drop the bytes after the data.
    return partial(igzip_lib.IgzipDecompressor, flag=igzip_lib.DECOMP_DEFLATE), damage, isal_zlib.adler32


def _deflate(payload: bytes, limit: int) -> bytes:
    # Raw: Avro leaves out zlib's header and checksum. Some writers (fastavro) keep up to 4 bytes of the checksum.
    new, damage, checksum = _inflater()
    decompressor = new()
    data = _streamed(decompressor, payload, limit, damage, tail_bytes=4)
    tail = decompressor.unused_data
    if tail and tail != checksum(data).to_bytes(4, "big")[: len(tail)]:
        raise DamagedPayload("its payload does not match its checksum")
    return data


def _bzip2(payload: bytes, limit: int) -> bytes:
    return _frames(bz2.BZ2Decompressor, payload, limit, OSError, EOFError)


def _xz(payload: bytes, limit: int) -> bytes:
    return _frames(lzma.LZMADecompressor, payload, limit, lzma.LZMAError, EOFError)


def _zstandard(payload: bytes, limit: int) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    return _frames(zstd.ZstdDecompressor, payload, limit, zstd.ZstdError, EOFError)


def _frames(new: Callable[[], Any], payload: bytes, limit: int, *damage: type[Exception]) -> bytes:
    """Decompress all frames of a payload: some writers flush within a block, and so write more than one."""
    frames: list[bytes] = []
    while payload or not frames:
        decompressor = new()
        frames.append(_streamed(decompressor, payload, limit, *damage, tail_bytes=len(payload)))
        limit -= len(frames[-1])
        payload = decompressor.unused_data
    return frames[0] if len(frames) == 1 else b"".join(frames)


def _streamed(decompressor: Any, payload: bytes, limit: int, *damage: type[Exception], tail_bytes: int = 0) -> bytes:
    try:
        # In two steps: ISA-L first allocates all that it may return, up to 16 MiB, and then frees what it did not need.
        data = decompressor.decompress(payload, min(USUAL_RATIO * len(payload), limit))
        if not decompressor.eof:
            rest = getattr(decompressor, "unconsumed_tail", b"")  # zlib's own decompressor has to be given it again
            data += decompressor.decompress(rest, limit + 1 - len(data))
    except damage as error:
        raise DamagedPayload(f"its payload does not decompress ({error})") from error
    if len(data) > limit:
        raise PayloadTooLarge
    if not decompressor.eof:
        raise DamagedPayload("its compressed payload ends too early")
    if len(decompressor.unused_data) > tail_bytes:
        raise DamagedPayload(f"{len(decompressor.unused_data)} bytes follow its compressed payload")
    return bytes(data)


def _snappy(payload: bytes, limit: int) -> bytes:
    import cramjam

    compressed, checksum = payload[:-4], payload[-4:]  # checksum of the uncompressed data: Avro 1.12, "snappy"
    try:
        if cramjam.snappy.decompress_raw_len(compressed) > limit:
            raise PayloadTooLarge
        data = bytes(cramjam.snappy.decompress_raw(compressed))
    except cramjam.DecompressionError as error:
        raise DamagedPayload(f"its payload does not decompress ({error})") from error
    if zlib.crc32(data).to_bytes(4, "big") != checksum:
        raise DamagedPayload("its payload does not match its checksum")
    return data


_CODECS: dict[str, Callable[..., bytes]] = {
    "null": _null,
    "deflate": _deflate,
    "snappy": _snappy,
    "zstandard": _zstandard,
    "bzip2": _bzip2,
    "xz": _xz,
}
CODECS = tuple(_CODECS)
