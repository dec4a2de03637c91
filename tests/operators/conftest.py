from __future__ import annotations

import json
from contextlib import closing
from urllib.parse import parse_qs, urlsplit

import pytest


@pytest.fixture
def database(cleared_postgres_uri, monkeypatch):
    """Connection of a PostgreSQL database, to which ``airflow`` connects as ``target``."""
    import psycopg2

    parts = urlsplit(cleared_postgres_uri)
    fields = {"host": parse_qs(parts.query)["host"][0], "login": parts.username, "schema": parts.path.lstrip("/")}
    monkeypatch.setenv("AIRFLOW_CONN_TARGET", json.dumps({"conn_type": "postgres", **fields}))
    with closing(psycopg2.connect(cleared_postgres_uri)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("create table scored (org_id int, messages numeric)")
            yield cursor
