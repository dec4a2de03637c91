"""Connections to databases, as operators get them from Airflow."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest


@pytest.fixture(params=["sqlite", "postgres", "mysql"])
def sql_conn_id(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """An Airflow connection to an empty database; each of the providers' hooks in turn."""
    if request.param == "sqlite":
        entry: dict[str, Any] = {"host": str(request.getfixturevalue("sqlite_path"))}
    elif request.param == "postgres":
        parts = urlsplit(request.getfixturevalue("cleared_postgres_uri"))
        socket = {key: values[0] for key, values in parse_qs(parts.query).items()}
        entry = {
            "host": parts.hostname or socket.get("host"),
            "port": parts.port,
            "login": parts.username,
            "password": parts.password,
            "schema": parts.path.lstrip("/"),
        }
    else:
        socket_path, name = request.getfixturevalue("mariadb_database")
        entry = {"login": "root", "schema": name, "extra": json.dumps({"unix_socket": socket_path})}
    monkeypatch.setenv("AIRFLOW_CONN_TARGET", json.dumps({"conn_type": request.param} | entry))
    return "target"
