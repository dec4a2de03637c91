"""Airflows of real processes, with DAGs, alert services and databases of a test's own."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest

from airflow_agari_provider.local.demo.airflow_home import AIRFLOW, AIRFLOW_3, AirflowApi, AirflowHome
from airflow_agari_provider.local.demo.setup import free_ports
from airflow_agari_provider.local.processes import Processes
from tests.fix_alerts import SECRETS

# Settings for reading a DAG's file often, which is when Airflow 2.11 looks for misses: by default every 30 s
EAGER = {
    f"AIRFLOW__{'DAG_PROCESSOR' if AIRFLOW_3 else 'SCHEDULER'}__MIN_FILE_PROCESS_INTERVAL": "3",
    "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "1",
}


class Airflow:
    """
    An Airflow of real processes.

    :param folder: gets everything that it writes.
    :param dag_file: text of its one DAG file.
    :param connections: as in :class:`~airflow_agari_provider.local.demo.airflow_home.AirflowHome`.
    :param postgres: makes a database by its name and returns its URI; by default the databases are SQLite's.
    :param services: how many there are of each service that there is not one of.
    :param settings: further ``AIRFLOW__SECTION__KEY`` variables.
    """

    def __init__(
        self,
        folder: Path,
        dag_file: str,
        connections: Mapping[str, str],
        postgres: Callable[[str], str] | None = None,
        services: Mapping[str, int] | None = None,
        **settings: str,
    ) -> None:
        (folder / "dags").mkdir()
        (folder / "dags" / "dags.py").write_text(dag_file)
        self.folder = folder
        settings = {"AIRFLOW__AGARI__ENVIRONMENT": "EP_STAGE", **settings}
        self.databases = {name: f"{folder}/{name}.db" for name in ("metadata", "claims")}
        if postgres:
            self.databases = {name: postgres(name) for name in self.databases}
            settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = _with_driver(self.databases["metadata"])
        else:
            settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{self.databases['metadata']}"
        connections = {**connections, "claims": _connection(self.databases["claims"])}
        self.home = AirflowHome(folder / "airflow", free_ports(None), folder / "dags", connections, settings)
        self.api = AirflowApi(self.home)
        self.processes = Processes(folder / "logs")
        self.services = services or {}

    def start(self, *dag_ids: str) -> None:
        """Start every service; returns when it knows the DAGs and runs them."""
        for name, command in self.home.preparations().items():
            self.run(name, *command)
        for name in self.home.services():
            for number in range(1, self.services.get(name, 1) + 1):
                self.start_service(name, number)
        self.wait(lambda: self.api.healthy() and all(map(self.api.knows, dag_ids)), 240)
        for dag_id in dag_ids:
            self.api.unpause(dag_id)

    def start_service(self, name: str, number: int = 1) -> None:
        """Start one, for the first time or once more; the first of its kind has the ports of the settings."""
        _, workers, triggers = free_ports(None)
        others = {
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(workers),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(triggers),
        }
        environment = {**self.home.environment(), **(others if number > 1 else {})}
        self.processes.start(f"{name}-{number}", self.home.services()[name], environment)

    def run(self, name: str, *command: str) -> None:
        """Run one command to its end. :raises ProcessDied: it failed."""
        self.processes.run(name, command, self.home.environment())

    def airflow(self, *arguments: str) -> None:
        """Run ``airflow ...``. :raises ProcessDied: it failed."""
        self.run("-".join(arguments[:2]), *AIRFLOW, *arguments)

    def wait(self, condition: Callable[[], bool], seconds: float) -> None:
        """Until it is so. :raises ProcessDied: a service ended."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.processes.check()
            assert time.monotonic() < deadline, f"not within {seconds} s"
            time.sleep(0.25)

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        return list(self.api._call("GET", f"dags/{dag_id}/dagRuns")["dag_runs"])

    def last_parsed(self, dag_id: str) -> str:
        return str(self.api._call("GET", f"dags/{dag_id}")["last_parsed_time"])

    def pause(self, dag_id: str) -> None:
        self.api._call("PATCH", f"dags/{dag_id}", {"is_paused": True})

    def mark_success(self, dag_id: str, run_id: str) -> None:
        """Let a run of Airflow 2.11, with all its tasks, count as done."""
        self.api._call("PATCH", f"dags/{dag_id}/dagRuns/{quote(run_id)}", {"state": "success"})

    def kill_owner_of(self, port: int) -> str:
        """``kill -9`` the service, with its children, that has a connection from this port; its name."""
        connections = psutil.net_connections("tcp")
        (pid,) = {one.pid for one in connections if one.laddr and one.laddr.port == port and one.raddr}
        family = {pid, *(parent.pid for parent in psutil.Process(pid).parents())}
        (child,) = [child for child in self.processes.children.values() if child.process.pid in family]
        del self.processes.children[child.name]
        leader = psutil.Process(child.process.pid)
        for process in [leader, *leader.children(recursive=True)]:
            process.kill()
        child.process.wait()
        return child.name

    def logs(self) -> Iterator[tuple[str, str]]:
        """(path, text) of everything that its processes wrote."""
        for log in [*self.folder.glob("logs/*.log"), *self.home.folder.glob("logs/**/*.log")]:
            yield str(log), log.read_text(errors="replace")

    def secrets_shown(self) -> list[str]:
        """Where a database, or what its processes wrote, shows a secret."""
        places = [*((name, dump(database)) for name, database in self.databases.items()), *self.logs()]
        assert not AIRFLOW_3 or "on_deadline" in places[0][1]
        return [place for place, text in places if any(secret in text for secret in SECRETS)]


@contextmanager
def running(airflow: Airflow, *dag_ids: str) -> Iterator[Airflow]:
    """The Airflow, for as long as the block lasts."""
    try:
        airflow.start(*dag_ids)
        yield airflow
    finally:
        airflow.processes.stop()


def without_settings_of_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what the tests set for an Airflow of their own."""
    for name in [name for name in os.environ if name.startswith(("AIRFLOW", "AWS_"))]:
        monkeypatch.delenv(name)


def dump(database: str) -> str:
    """Every row of every table. :param database: URI of a PostgreSQL, or path of an SQLite."""
    if "://" not in database:
        with closing(sqlite3.connect(database)) as connection:
            return "\n".join(connection.iterdump())
    import psycopg2
    from psycopg2 import sql

    with closing(psycopg2.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        lines = []
        for (table,) in cursor.fetchall():
            cursor.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(table)))
            lines += [row for (row,) in cursor.fetchall()]
        return "\n".join(lines)


def _with_driver(uri: str) -> str:
    return uri.replace("postgresql://", "postgresql+psycopg2://")


def _connection(database: str) -> str:
    """Value of an ``AIRFLOW_CONN_*`` variable."""
    if "://" not in database:
        return json.dumps({"conn_type": "sqlite", "host": database})
    from psycopg2.extensions import parse_dsn

    known = parse_dsn(database)
    facts = {"host": known["host"], "login": known["user"], "schema": known["dbname"]}
    return json.dumps({"conn_type": "postgres", **facts, **({"port": int(known["port"])} if "port" in known else {})})
