"""
How archived letters are written: as JSON lines or as Avro, with all that SQS knows of each.

A letter is a record of ``message_id``, ``queue_url``, ``body``, ``receive_count``, ``sent_at``, ``attributes`` (SQS's
own) and ``message_attributes`` (the sender's). In JSON ``sent_at`` is an ISO text in UTC and bytes are base64; in Avro
they are ``timestamp-millis`` and ``bytes``.
"""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow_agari_provider.queues.dead_letters import DeadLetter, dead_letter

_VALUE = {
    "type": "record",
    "name": "MessageAttribute",
    "fields": [
        {"name": "DataType", "type": "string"},
        {"name": "StringValue", "type": ["null", "string"], "default": None},
        {"name": "BinaryValue", "type": ["null", "bytes"], "default": None},
    ],
}
SCHEMA = {
    "type": "record",
    "name": "DeadLetter",
    "namespace": "airflow_agari_provider",
    "fields": [
        {"name": "message_id", "type": "string"},
        {"name": "queue_url", "type": "string"},
        {"name": "body", "type": "string"},
        {"name": "receive_count", "type": "long"},
        {"name": "sent_at", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}], "default": None},
        {"name": "attributes", "type": {"type": "map", "values": "string"}},
        {"name": "message_attributes", "type": {"type": "map", "values": _VALUE}},
    ],
}


@dataclass(frozen=True)
class ArchiveFormat:
    """
    One way to write letters.

    :param ending: of an object's key.
    :param write: takes the queue's URL and messages as boto3 gives them; returns the object's bytes.
    :param read: takes the object's bytes, returns the letters. It raises any of ``UNREADABLE`` for other bytes.
    """

    ending: str
    content_type: str
    write: Callable[[str, list[dict[str, Any]]], bytes]
    read: Callable[[bytes], list[DeadLetter]]


UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, EOFError, IndexError, struct.error, zlib.error)


def format_of(key: str) -> ArchiveFormat | None:
    """Return the format of an archived object by its key; None: it is none."""
    return next((one for one in FORMATS.values() if key.endswith(one.ending)), None)


def _record(queue_url: str, message: dict[str, Any]) -> dict[str, Any]:
    letter = dead_letter(message)
    return {
        "message_id": letter.message_id,
        "queue_url": queue_url,
        "body": letter.body,
        "receive_count": int(letter.attributes.get("ApproximateReceiveCount", 0)),
        "sent_at": None if letter.sent_at is None else datetime.fromtimestamp(letter.sent_at, UTC),
        "attributes": letter.attributes,
        "message_attributes": letter.message_attributes,
    }


def _write_jsonl(queue_url: str, messages: list[dict[str, Any]]) -> bytes:
    def plain(value: Any) -> str:
        if isinstance(value, datetime):
            return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return base64.b64encode(value).decode()  # bytes, as in the AWS CLI

    records = [_record(queue_url, message) for message in messages]
    return "".join(f"{json.dumps(record, default=plain)}\n" for record in records).encode()


def _read_jsonl(body: bytes) -> list[DeadLetter]:
    return [_from_json(json.loads(line)) for line in body.decode().split("\n") if line]


def _from_json(line: dict[str, Any]) -> DeadLetter:
    attributes = {
        name: value | ({"BinaryValue": base64.b64decode(value["BinaryValue"])} if "BinaryValue" in value else {})
        for name, value in line["message_attributes"].items()
    }
    return DeadLetter(line["message_id"], line["body"], line["attributes"], attributes)


def _write_avro(queue_url: str, messages: list[dict[str, Any]]) -> bytes:
    from fastavro import parse_schema, writer

    file = io.BytesIO()
    records = [_record(queue_url, message) for message in messages]
    writer(file, parse_schema(SCHEMA), records, codec="deflate")
    return file.getvalue()


def _read_avro(body: bytes) -> list[DeadLetter]:
    from fastavro import reader

    return [_from_avro(record) for record in reader(io.BytesIO(body))]


def _from_avro(record: Any) -> DeadLetter:
    attributes = {
        name: {part: found for part, found in value.items() if found is not None}
        for name, value in record["message_attributes"].items()
    }
    return DeadLetter(record["message_id"], record["body"], record["attributes"], attributes)


FORMATS = {
    "jsonl": ArchiveFormat(".jsonl", "application/x-ndjson", _write_jsonl, _read_jsonl),
    "avro": ArchiveFormat(".avro", "application/avro", _write_avro, _read_avro),
}
