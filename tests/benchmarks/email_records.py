"""The benchmarks' Avro file: e-mail messages of 26 columns, about 340 bytes each before compression."""

from __future__ import annotations

import io
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro

BASE_ROWS = 100_000  # generated; larger files repeat their blocks
BLOCK_BYTES = 64_000
SEED = 20160428


def _nullable(kind: Any) -> list[Any]:
    return ["null", kind]


def _logical(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "logicalType": name, **more}


GEO = {
    "type": "record",
    "name": "geo",
    "fields": [
        {"name": "latitude", "type": "double"},
        {"name": "longitude", "type": "double"},
        {"name": "city", "type": _nullable("string")},
    ],
}
FIELDS: dict[str, Any] = {
    "id": "int",
    "org_id": "int",
    "message_id": "string",
    "received_at": _logical("long", "timestamp-millis"),
    "scored_at": _nullable(_logical("long", "timestamp-micros")),
    "verdict": {"type": "enum", "name": "verdict", "symbols": ["good", "bad", "unknown"]},
    "digest": {"type": "fixed", "name": "md5", "size": 16},
    "amount": _logical("bytes", "decimal", precision=12, scale=4),
    "day": _logical("int", "date"),
    "trust": "float",
    "authenticity": "double",
    "subject": _nullable("string"),
    "from_domain": _nullable("string"),
    "ip": _nullable("string"),
    "size_bytes": _nullable("int"),
    "spf": _nullable("boolean"),
    "dkim": _nullable("boolean"),
    "score": _nullable("double"),
    "country": _nullable("string"),
    "helo": _nullable("string"),
    "raw": _nullable("bytes"),
    "hops": _nullable("long"),
    "time_zone": _nullable("string"),
    "recipients": {"type": "array", "items": "string"},
    "headers": {"type": "map", "values": "string"},
    "geo": GEO,
}
SCHEMA = {
    "type": "record",
    "name": "email",
    "namespace": "agari",
    "fields": [{"name": name, "type": kind} for name, kind in FIELDS.items()],
}
START = datetime(2016, 4, 28, 5, tzinfo=UTC)


def emails(count: int) -> Iterator[dict[str, Any]]:
    """The same ones whenever it is called."""
    source = random.Random(SEED)

    def perhaps(value: Any) -> Any:
        return None if source.random() < 0.1 else value

    for number in range(count):
        yield {
            "id": number,
            "org_id": number % 97,
            "message_id": f"<{number:08x}.{source.getrandbits(64):016x}@mail.example.org>",
            "received_at": START + timedelta(milliseconds=number),
            "scored_at": perhaps(START + timedelta(microseconds=number * 1287)),
            "verdict": ("good", "bad", "unknown")[number % 3],
            "digest": source.randbytes(16),
            "amount": Decimal(source.randrange(-(10**9), 10**9)).scaleb(-4),
            "day": date(2016, 4, 28) + timedelta(number % 30),
            "trust": source.randrange(1000) / 1024,
            "authenticity": source.random(),
            "subject": perhaps(f"Re: quarterly figures, déjà vu {number}"),
            "from_domain": perhaps(f"mail{number % 500}.example.com"),
            "ip": perhaps(f"10.{number % 255}.{number % 7}.{number % 13}"),
            "size_bytes": perhaps(number * 7 % 100_000),
            "spf": perhaps(number % 2 == 0),
            "dkim": perhaps(number % 3 == 0),
            "score": perhaps(source.random() * 100),
            "country": perhaps("US"),
            "helo": perhaps(f"host-{number % 999}.example.net"),
            "raw": perhaps(source.randbytes(12)),
            "hops": perhaps(number % 9),
            "time_zone": perhaps("America/Los_Angeles"),
            "recipients": [f"user{(number + more) % 1000}@example.com" for more in range(number % 4)],
            "headers": {"X-Mailer": "Outlook 16.0", "X-Priority": str(number % 5)},
            "geo": {
                "latitude": source.uniform(-90, 90),
                "longitude": source.uniform(-180, 180),
                "city": perhaps("San Mateo"),
            },
        }


def avro_bytes(records: Iterable[dict[str, Any]], codec: str) -> bytes:
    stream = io.BytesIO()
    fastavro.writer(stream, SCHEMA, records, codec=codec, sync_interval=BLOCK_BYTES, sync_marker=b"agari benchmark.")
    return stream.getvalue()


def write_file(path: Path, rows: int, codec: str) -> None:
    """
    :param rows: a multiple of ``BASE_ROWS``.
    """
    base, header = avro_bytes(emails(BASE_ROWS), codec), avro_bytes([], codec)
    assert base.startswith(header)
    with path.open("wb") as file:
        file.write(header)
        for _ in range(rows // BASE_ROWS):
            file.write(base[len(header) :])
