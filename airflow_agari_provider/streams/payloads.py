"""
How the bytes of a record say which schema they were written with.

Each reader takes the bytes of a record, and returns the id of its schema as text and the encoded datum. It checks every
byte of the header that can be checked; whether the datum fits the schema to its last byte shows when it is decoded.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Callable, Mapping
from typing import Literal

from airflow_agari_provider.exceptions import cut
from airflow_agari_provider.streams.errors import BadPayload

WireFormat = Literal["confluent", "glue", "single_object"]

MAX_DATUM_BYTES = 64 * 1024 * 1024  # decompressed; a record of Kinesis has 10 MiB at the most
KPL_MAGIC = b"\xf3\x89\x9a\xc2"
SINGLE_OBJECT_MARKER = b"\xc3\x01"
GLUE_VERSION, GLUE_PLAIN, GLUE_ZLIB = 3, 0, 5
GLUE_HEADER_BYTES = 18  # version, compression, the 16 bytes of the schema version's UUID


def read_confluent(data: bytes) -> tuple[str, bytes]:
    """
    Read Confluent's wire format: a zero, the schema's id as four bytes, the datum.

    :raises BadPayload: the header is not one.
    """
    _require(data, 5, data[:1] == b"\0", "Confluent's wire format, which begins with a zero and the schema's id")
    return str(int.from_bytes(data[1:5], "big")), data[5:]


def read_glue(data: bytes) -> tuple[str, bytes]:
    """
    Read the format of AWS Glue's serializers: version 3, the compression (0 or 5), the schema version's id, the datum.

    Source: AWS Glue Schema Registry library, AWSSchemaRegistryConstants.

    :raises BadPayload: the header is not one, or the datum does not decompress.
    """
    _require(data, GLUE_HEADER_BYTES, data[:1] == b"\x03", "the header of AWS Glue's serializers, which begins with 3")
    compression, schema_id, body = data[1], str(uuid.UUID(bytes=data[2:GLUE_HEADER_BYTES])), data[GLUE_HEADER_BYTES:]
    if compression == GLUE_ZLIB:
        return schema_id, _inflated(body)
    if compression != GLUE_PLAIN:
        raise BadPayload(f"byte 1 of its header, the compression, is {compression}; it can be 0 or 5")
    if _is_zlib(body):
        raise BadPayload("byte 1 of its header says that it is not compressed, but it is: the byte is damaged")
    return schema_id, body


def read_single_object(data: bytes) -> tuple[str, bytes]:
    """
    Read Avro's single-object encoding: C3 01, the CRC-64-AVRO fingerprint of the schema, the datum.

    The id is the fingerprint's eight bytes as they are in the record, in hexadecimal digits.
    Source: Avro 1.12 specification, "Single object encoding".

    :raises BadPayload: the header is not one.
    """
    _require(data, 10, data[:2] == SINGLE_OBJECT_MARKER, "Avro's single-object encoding, which begins with C3 01")
    return data[2:10].hex(), data[10:]


READERS: Mapping[WireFormat, Callable[[bytes], tuple[str, bytes]]] = {
    "confluent": read_confluent,
    "glue": read_glue,
    "single_object": read_single_object,
}


def _require(data: bytes, header_bytes: int, begins_right: bool, expected: str) -> None:
    if begins_right and len(data) >= header_bytes:
        return
    if begins_right and data:
        raise BadPayload(f"it has {len(data)} bytes, and its header alone takes {header_bytes}")
    raise BadPayload(f"it is not {expected}: {what_it_begins_with(data)}")


def what_it_begins_with(data: bytes) -> str:
    """Say as a clause how a record begins, and what that may be."""
    if not data:
        return "it has no bytes"
    known = {
        KPL_MAGIC: "records that the Kinesis Producer Library joined, which this import does not take apart: turn its "
        "aggregation off (AggregationEnabled=false)",
        b"Obj\x01": "an Avro file with its own schema: leave registry= out for such records",
        SINGLE_OBJECT_MARKER: "Avro's single-object encoding",
        b"{": "JSON",
        b"\0": "Confluent's wire format",
        b"\x03\0": "the header of AWS Glue's serializers",
        b"\x03\x05": "the header of AWS Glue's serializers",
    }
    meaning = next((text for magic, text in known.items() if data.startswith(magic)), None)
    return f"it begins with {data[:4].hex(' ')}" + (f", like {meaning}" if meaning else "")


def _inflated(body: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(body, MAX_DATUM_BYTES)
    except zlib.error as error:
        raise BadPayload(f"it does not decompress ({cut(str(error), 100)})") from error
    if inflater.unconsumed_tail:
        raise BadPayload(f"it decompresses to more than {MAX_DATUM_BYTES} bytes")
    if not inflater.eof or inflater.unused_data:
        raise BadPayload("it does not decompress: its compressed bytes end too early or too late")
    return data


def _is_zlib(body: bytes) -> bool:
    """Whether the bytes are exactly zlib's, with a right checksum: no datum looks like that by chance."""
    if body[:1] != b"\x78":
        return False
    try:
        _inflated(body)
    except BadPayload:
        return False
    return True
