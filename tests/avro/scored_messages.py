"""Avro files of scored messages, as Spark writes them: every field nullable."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import fastavro

SCORED = {
    "type": "record",
    "name": "scored_message",
    "fields": [
        {"name": "message_id", "type": ["null", "string"]},
        {"name": "org_id", "type": ["null", "int"]},
        {"name": "hour", "type": ["null", "string"]},
        {"name": "received_at", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]},
        {"name": "trust_score", "type": ["null", "double"]},
    ],
}


def message(number: int, org_id: int = 1, hour: str = "2016-04-28T05", score: float = 0.5) -> dict[str, Any]:
    received_at = 1_461_819_600_000_000 + number  # microseconds; 2016-04-28 05:00
    return {
        "message_id": f"m{number}",
        "org_id": org_id,
        "hour": hour,
        "received_at": received_at,
        "trust_score": score,
    }


def avro_file(
    records: Iterable[dict[str, Any]],
    schema: Any = SCORED,
    codec: str = "deflate",
    block: int = 16_000,
    sync_marker: bytes = b"",
) -> bytes:
    """
    :param block: bytes after which fastavro closes a block.
    :param sync_marker: random by default.
    """
    stream = io.BytesIO()
    fastavro.writer(stream, schema, records, codec=codec, sync_interval=block, sync_marker=sync_marker)
    return stream.getvalue()


def messages(count: int, first: int = 0, **fields: Any) -> bytes:
    return avro_file(message(number, **fields) for number in range(first, first + count))


def record_of(**fields: Any) -> Any:
    return {"type": "record", "name": "r", "fields": [{"name": name, "type": kind} for name, kind in fields.items()]}
