"""The published registry's schema of collectors' settings: a nullable record in a record, an array of netblocks."""

from __future__ import annotations

from typing import Any

NETBLOCKS = {"type": "array", "items": {"type": "record", "name": "netblock", "fields": [
    {"name": "address", "type": "string"},
    {"name": "prefix_length", "type": "int"},
]}}  # fmt: skip
SMTP = {"type": "record", "name": "smtp", "fields": [
    {"name": "port", "type": "int"},
    {"name": "banner", "type": ["null", "string"], "default": None},
]}  # fmt: skip
COLLECTOR_CONFIG: dict[str, Any] = {
    "type": "record",
    "name": "collector_config",
    "namespace": "com.agari",
    "fields": [
        {"name": "collector_id", "type": "string"},
        {"name": "org_id", "type": "int"},
        {"name": "smtp", "type": ["null", SMTP], "default": None},
        {"name": "netblocks", "type": NETBLOCKS},
    ],
}
CONFIG = {
    "collector_id": "c1",
    "org_id": 5,
    "smtp": {"port": 25, "banner": None},
    "netblocks": [{"address": "192.0.2.0", "prefix_length": 24}],
}


def with_field(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    """The schema with one more field."""
    return COLLECTOR_CONFIG | {"fields": [*COLLECTOR_CONFIG["fields"], {"name": name, "type": kind, **more}]}
