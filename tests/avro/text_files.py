"""Avro files of texts, with one block for each text."""

from __future__ import annotations

import io

import fastavro

SCHEMA = {"type": "record", "name": "message", "fields": [{"name": "text", "type": "string"}]}
SYNC = b"0123456789abcdef"
FAST_AVRO_SYNC = 1  # bytes: fastavro closes a block once it holds this many


def avro_file(texts: list[str], codec: str = "null") -> bytes:
    """One block for each text."""
    stream = io.BytesIO()
    fastavro.writer(
        stream, SCHEMA, ({"text": text} for text in texts), codec=codec, sync_interval=FAST_AVRO_SYNC, sync_marker=SYNC
    )
    return stream.getvalue()
