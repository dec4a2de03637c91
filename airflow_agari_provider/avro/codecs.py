"""The compression codecs of Avro 1.12, each with a bound on what a block may grow to."""

from __future__ import annotations

import bz2
import lzma
import sys
import zlib
from collections.abc import Callable
from functools import cache, partial
from typing import Any

MAX_PAYLOAD_BYTES = 512 * 1024 * 1024  # of one block, decompressed; writers cut blocks at 16 KiB to some MiB
USUAL_RATIO = 8  # few blocks grow by more


class DamagedPayload(ValueError):
    """Compressed bytes that do not decompress, or to more than :data:`MAX_PAYLOAD_BYTES`; its text is a clause."""


def decompressor_of(codec: str) -> Callable[[bytes], bytes]:
    """
    Function that decompresses the payload of a block, or raises :class:`DamagedPayload`.

    :param codec: ``avro.codec`` of the file's header.
    :raises KeyError: no codec of the specification.
    """
    return _CODECS[codec]


def _null(payload: bytes) -> bytes:
    return payload


@cache
def _inflater() -> tuple[Callable[[], Any], type[Exception], Callable[[bytes], int]]:
    """
    Decompressors of deflate, their error, and its checksum: ISA-L takes less than half of zlib's time where it is
    installed.
    """
    try:
        from isal import igzip_lib, isal_zlib
    except ImportError:
        return partial(zlib.decompressobj, -15), zlib.error, zlib.adler32
    damage: Any = igzip_lib.error  # a class, whatever its stub says
    # Not the decompressors of isal_zlib, made to replace zlib's: they drop what stands behind the data.
    return partial(igzip_lib.IgzipDecompressor, flag=igzip_lib.DECOMP_DEFLATE), damage, isal_zlib.adler32


def _deflate(payload: bytes) -> bytes:
    # Raw: Avro leaves zlib's header and checksum out; some writers (fastavro) leave up to 4 bytes of the checksum in.
    new, damage, checksum = _inflater()
    decompressor = new()
    data = _streamed(decompressor, payload, damage, tail_bytes=4)
    tail = decompressor.unused_data
    if tail and tail != checksum(data).to_bytes(4, "big")[: len(tail)]:
        raise DamagedPayload("its payload does not match its checksum")
    return data


def _bzip2(payload: bytes) -> bytes:
    return _streamed(bz2.BZ2Decompressor(), payload, OSError, EOFError)


def _xz(payload: bytes) -> bytes:
    return _streamed(lzma.LZMADecompressor(), payload, lzma.LZMAError, EOFError)


def _zstandard(payload: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    return _streamed(zstd.ZstdDecompressor(), payload, zstd.ZstdError, EOFError)


def _streamed(decompressor: Any, payload: bytes, *damage: type[Exception], tail_bytes: int = 0) -> bytes:
    try:
        # In two steps: ISA-L makes room at once for all that it may return, up to 16 MiB, and gives it back.
        data = decompressor.decompress(payload, min(USUAL_RATIO * len(payload), MAX_PAYLOAD_BYTES))
        if not decompressor.eof:
            rest = getattr(decompressor, "unconsumed_tail", b"")  # zlib's own wants it once more
            data += decompressor.decompress(rest, MAX_PAYLOAD_BYTES + 1 - len(data))
    except damage as error:
        raise DamagedPayload(f"its payload does not decompress ({error})") from error
    if len(data) > MAX_PAYLOAD_BYTES:
        raise DamagedPayload(f"its payload grows beyond {MAX_PAYLOAD_BYTES} bytes")
    if not decompressor.eof:
        raise DamagedPayload("its compressed payload ends too early")
    if len(decompressor.unused_data) > tail_bytes:
        raise DamagedPayload(f"{len(decompressor.unused_data)} bytes stand behind its compressed payload")
    return bytes(data)


def _snappy(payload: bytes) -> bytes:
    import cramjam

    compressed, checksum = payload[:-4], payload[-4:]  # of the uncompressed data: Avro 1.12, "snappy"
    try:
        if cramjam.snappy.decompress_raw_len(compressed) > MAX_PAYLOAD_BYTES:
            raise DamagedPayload(f"its payload grows beyond {MAX_PAYLOAD_BYTES} bytes")
        data = bytes(cramjam.snappy.decompress_raw(compressed))
    except cramjam.DecompressionError as error:
        raise DamagedPayload(f"its payload does not decompress ({error})") from error
    if zlib.crc32(data).to_bytes(4, "big") != checksum:
        raise DamagedPayload("its payload does not match its checksum")
    return data


_CODECS: dict[str, Callable[[bytes], bytes]] = {
    "null": _null,
    "deflate": _deflate,
    "snappy": _snappy,
    "zstandard": _zstandard,
    "bzip2": _bzip2,
    "xz": _xz,
}
CODECS = tuple(_CODECS)
