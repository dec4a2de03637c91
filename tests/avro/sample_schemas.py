"""Avro schemas for tests."""

from __future__ import annotations

from typing import Any

SCHEMA = {
    "type": "record",
    "name": "message",
    "fields": [{"name": "id", "type": "int"}, {"name": "text", "type": ["null", "string"]}],
}


def record(*fields: dict[str, object]) -> dict[str, object]:
    return {"type": "record", "name": "message", "namespace": "com.agari", "fields": list(fields)}


def record_of(kind: Any) -> Any:
    return {"type": "record", "name": "r", "fields": [{"name": "v", "type": kind}]}


def tree(depth: int, leaf: Any, nullable: bool = False) -> Any:
    """Records that each hold two of the record before: about 2**depth of them, in a schema of a few kilobytes."""
    kind: Any = {"type": "record", "name": "r0", "fields": [{"name": "x", "type": leaf}]}
    for number in range(1, depth):
        pair = [kind, f"r{number - 1}"]
        left, right = ([["null", one] for one in pair]) if nullable else pair
        fields = [{"name": "a", "type": left}, {"name": "b", "type": right}]
        kind = {"type": "record", "name": f"r{number}", "fields": fields}
    return kind


def chain(depth: int) -> Any:
    fields = [{"name": f"f{number}", "type": link(number)} for number in range(depth)]
    return {"type": "record", "name": "chain", "fields": fields}


def link(number: int) -> Any:
    inner = f"r{number - 1}" if number else "int"
    return {"type": "record", "name": f"r{number}", "fields": [{"name": "x", "type": inner}]}
