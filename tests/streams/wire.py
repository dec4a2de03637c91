"""Records as producers' serializers write them, put together by hand from the formats' documentation."""

from __future__ import annotations

import io
import uuid
import zlib
from typing import Any

import fastavro


def datum(schema: Any, value: Any) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, schema, value)
    return stream.getvalue()


def confluent(schema_id: int, body: bytes) -> bytes:
    return b"\x00" + schema_id.to_bytes(4, "big") + body


def glue(version_id: str, body: bytes, compressed: bool = False) -> bytes:
    header = b"\x03" + (b"\x05" if compressed else b"\x00") + uuid.UUID(version_id).bytes
    return header + (zlib.compress(body) if compressed else body)


def single_object(schema: Any, body: bytes) -> bytes:
    form = fastavro.schema.to_parsing_canonical_form(schema)
    return b"\xc3\x01" + bytes.fromhex(fastavro.schema.fingerprint(form, "CRC-64-AVRO")) + body
