"""Airflow metadata databases that the tests of a session share; each test has a DAG of its own."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from airflow_agari_provider.airflow_compat import AIRFLOW_3

collect_ignore = [] if AIRFLOW_3 else ["test_app_airflow3.py"]

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def metadata_on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    from tests.views.metadata_rows import Metadata

    metadata = Metadata(f"sqlite:///{tmp_path_factory.mktemp('metadata')}/airflow.db")
    yield metadata
    metadata.close()


@pytest.fixture(scope="session")
def metadata_on_postgres(postgres_server) -> Iterator[object]:
    from tests.views.metadata_rows import Metadata

    postgres_server.psql("create database metadata;")
    metadata = Metadata(postgres_server.get_uri("metadata").replace("postgresql://", "postgresql+psycopg2://", 1))
    yield metadata
    metadata.close()


@pytest.fixture(scope="session")
def metadata_on_mariadb(mariadb_socket) -> Iterator[object]:
    pytest.importorskip("MySQLdb")
    import subprocess

    from tests.views.metadata_rows import Metadata

    client = ["mariadb", "--no-defaults", f"--socket={mariadb_socket}", "--user=root"]
    subprocess.run([*client, "--execute=CREATE DATABASE metadata CHARACTER SET utf8mb3"], check=True)
    metadata = Metadata(f"mysql+mysqldb://root@localhost/metadata?unix_socket={mariadb_socket}")
    yield metadata
    metadata.close()


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def metadata(request):
    """A metadata database of each kind; the rows that a test writes are rolled back after it."""
    found = request.getfixturevalue(f"metadata_on_{request.param}")
    yield found
    found.session.rollback()


@pytest.fixture
def dag_id() -> str:
    return f"dag_{next(_numbers)}"


@pytest.fixture
def alerts_metadata(metadata_on_sqlite):
    """Two runs of the DAG in the window, of which one goes on; the oldest was deleted."""
    metadata = metadata_on_sqlite
    metadata.run("scoring", "r1", 0)
    metadata.run("scoring", "r2", 60, "running", end_date=None)
    metadata.instance("scoring", "r2", "load", 1, "running", start=1)
    yield metadata.session
    metadata.session.rollback()


@pytest.fixture
def alert_source(alerts_metadata, monkeypatch, tmp_path):
    """A source whose setting names a connection; ``write`` puts rows there, ``opened`` lists how it was opened."""
    from airflow_agari_provider.alerts.alert_database import AlertDatabase
    from airflow_agari_provider.views.alerts_source import AlertSource
    from tests.alerts.alert_rows import DUE, write_rows

    monkeypatch.setenv("AIRFLOW__AGARI__ALERTS_CONN_ID", "alerts_db")
    monkeypatch.setenv("AIRFLOW__AGARI__ENVIRONMENT", "EP")
    opened = []

    def connect():
        return sqlite3.connect(tmp_path / "claims.db", check_same_thread=False)

    def database(conn_id):
        opened.append(conn_id)
        return AlertDatabase(connect)

    @contextmanager
    def sessions():
        yield alerts_metadata

    made = AlertSource(sessions, database=database, clock=lambda: DUE + 3600)
    made.write, made.opened = lambda rows: write_rows(connect, rows), opened
    return made
