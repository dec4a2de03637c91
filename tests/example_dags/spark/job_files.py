"""Files that a Spark job reads and writes, made and read by plain fastavro."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro

from airflow_agari_provider.local.demo.messages import MESSAGE_SCHEMA, avro_of

HONEST = {
    "org_id": 1,
    "collector": "gateway-1-1",
    "received_at": "2016-04-28T05:30:00",
    "header_from": "Acme <news@acme.example>",
    "envelope_from": "bounce@acme.example",
    "sending_ip": "198.51.100.7",
    "helo": "mx.acme.example",
    "spf_result": "pass",
    "dkim_result": "pass",
    "dkim_domain": "acme.example",
    "dmarc_result": "pass",
    "size_bytes": 2000,
    "recipients": 1,
    "tls_version": None,
}


def message(message_id: str, **fields: Any) -> dict[str, Any]:
    """An honest message of acme.example, received at 05:30, but for the fields given."""
    record = {**HONEST, **fields, "message_id": message_id}
    if isinstance(record["received_at"], str):
        received = datetime.fromisoformat(record["received_at"]).replace(tzinfo=UTC)
        record["received_at"] = round(received.timestamp() * 1000)
    assert {field["name"] for field in MESSAGE_SCHEMA["fields"]} == set(record)
    return record


def write(path: Path, messages: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(avro_of(messages))
    return path


def records(folder: Path) -> list[dict[str, Any]]:
    found = []
    for path in sorted(folder.glob("*.avro")):
        with path.open("rb") as file:
            found += [dict(record) for record in fastavro.reader(file)]  # type: ignore[arg-type]
    return found


def counts(folder: Path) -> dict[tuple[str, str], int]:
    """(stage, key) -> count."""
    lines = [json.loads(line) for path in folder.glob("*.json") for line in path.read_text().splitlines()]
    assert all(list(line) == ["stage", "key", "count"] for line in lines)
    return {(line["stage"], line["key"]): line["count"] for line in lines}
