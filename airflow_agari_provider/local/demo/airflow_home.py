"""
An Airflow that keeps all its files in one folder: its settings, its processes, and a client of its API.

It is used only from outside, through commands and the REST API, as its administrators do. So Airflow is not imported.
Airflow 3 and 2.11 differ in both.
"""

from __future__ import annotations

import base64
import json
import secrets
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any

from airflow_agari_provider.exceptions import AgariError, cut

AIRFLOW_3 = not version("apache-airflow").startswith("2.")
WATCHES_MANUAL_RUNS = AIRFLOW_3  # for their SLAs; 2.11 checks the SLAs of scheduled runs only
AIRFLOW = (sys.executable, "-m", "airflow")
USER = "admin"
WRITE_WAIT = 20  # seconds that a process waits to write to SQLite; 5 are too few on a busy machine
TIMEOUT = 120  # seconds for one request
TRIES = 10  # for a request that fails with a database error
PAUSE = 1.0  # seconds between them
DATABASE_ERRORS = ('"Database error"', '"Database is locked')  # texts in such answers of Airflow 3
SERVICES = (
    ("api-server", "scheduler", "dag-processor", "triggerer") if AIRFLOW_3 else ("webserver", "scheduler", "triggerer")
)


class AirflowApiError(AgariError):
    """The API refused a request."""

    def __init__(self, method: str, url: str, status: int, answer: str) -> None:
        super().__init__(method, url, status, answer)
        self.method, self.url, self.status, self.answer = method, url, status, answer

    def __str__(self) -> str:
        return f"Airflow answered {self.method} {self.url} with {self.status}: {cut(self.answer, 500)}"


@dataclass(frozen=True)
class AirflowHome:
    """
    The settings that all processes of one Airflow share.

    :param folder: used as AIRFLOW_HOME.
    :param ports: three free TCP ports: web, task logs, trigger logs.
    :param dags: folder of DAG files.
    :param connections: connection id: JSON or URI, as in ``AIRFLOW_CONN_*``.
    :param settings: further ``AIRFLOW__SECTION__KEY`` variables.
    :param path: prefix of the web pages' paths, such as ``/airflow``, as with a proxy; Airflow 3 only.
    """

    folder: Path
    ports: tuple[int, int, int]
    dags: Path
    connections: Mapping[str, str]
    settings: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    # hexadecimal, because a command line would read a password that begins with a dash as an option
    password: str = field(default_factory=lambda: secrets.token_hex(8))
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}{self.path}"

    def environment(self) -> dict[str, str]:
        """Environment variables that every process of this Airflow gets."""
        return {
            "AIRFLOW_HOME": str(self.folder),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(self.secret.encode()[:32]).decode(),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.folder}/airflow.db?timeout={WRITE_WAIT}",
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(self.ports[2]),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(self.ports[1]),
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            **(self._settings_3() if AIRFLOW_3 else self._settings_2()),
            **{f"AIRFLOW_CONN_{conn_id.upper()}": value for conn_id, value in self.connections.items()},
            **self.settings,
        }

    def _settings_3(self) -> dict[str, str]:
        return {
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.ports[0]),
            "AIRFLOW__API__SECRET_KEY": self.secret,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": self.secret,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.folder / "passwords.json"),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        }

    def _settings_2(self) -> dict[str, str]:
        return {
            "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.basic_auth",
            "AIRFLOW__WEBSERVER__BASE_URL": self.url,
            "AIRFLOW__WEBSERVER__SECRET_KEY": self.secret,
            "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
            "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(self.ports[0]),
            "AIRFLOW__WEBSERVER__WORKERS": "1",
            # SQLite with the LocalExecutor is the default of Airflow 3; 2.11 allows it only with Airflow's own switch
            "_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK": "1",
        }

    def preparations(self) -> dict[str, list[str]]:
        """Return the commands, by name, to run once and in order before the services start."""
        self.folder.mkdir(parents=True, exist_ok=True)
        migrate = {"airflow-db-migrate": [*AIRFLOW, "db", "migrate"]}
        if AIRFLOW_3:
            passwords = self.folder / "passwords.json"
            passwords.touch(mode=0o600)
            passwords.write_text(json.dumps({USER: self.password}))
            return migrate
        user = ["--username", USER, "--password", self.password, "--role", "Admin", "--email", "admin@example.com"]
        create = [*AIRFLOW, "users", "create", *user, "--firstname", "Ada", "--lastname", "Min"]
        return {**migrate, "airflow-users-create": create}

    def services(self) -> dict[str, list[str]]:
        """Return the commands, by name, of the services of a running Airflow."""
        return {name: [*AIRFLOW, name] for name in SERVICES}


class AirflowApi:
    """Client of the REST API: version 2 for Airflow 3, version 1 for Airflow 2.11."""

    def __init__(self, home: AirflowHome) -> None:
        self._home = home
        self._base = f"{home.url}/api/{'v2' if AIRFLOW_3 else 'v1'}"
        self._authorization = ""

    def healthy(self) -> bool:
        """Whether the web server answers and every service has sent its heartbeat."""
        try:
            answer = _request("GET", f"{self._base}/monitor/health" if AIRFLOW_3 else f"{self._home.url}/health")
        except (OSError, AirflowApiError):
            return False
        parts = ("metadatabase", "scheduler", "triggerer", *(("dag_processor",) if AIRFLOW_3 else ()))
        return all((answer.get(part) or {}).get("status") == "healthy" for part in parts)

    def knows(self, dag_id: str) -> bool:
        """Whether the DAG has been parsed."""
        try:
            self._call("GET", f"dags/{dag_id}")
        except AirflowApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    def unpause(self, dag_id: str) -> None:
        self._call("PATCH", f"dags/{dag_id}", {"is_paused": False})

    def trigger(self, dag_id: str, logical_date: str, conf: Mapping[str, Any]) -> str:
        """
        Start a run and return its id.

        :param conf: values that replace the DAG's own parameters.
        """
        run = self._call("POST", f"dags/{dag_id}/dagRuns", {"logical_date": logical_date, "conf": dict(conf)})
        return str(run["dag_run_id"])

    def run_hourly(self, dag_id: str, hours: Sequence[datetime], conf: Mapping[str, Any], at_once: int) -> None:
        """
        Start a run for each of these hours, which follow each other: a backfill, or on 2.11 one run after the other.

        :param conf: values that replace the DAG's own parameters.
        :param at_once: how many may run at the same time; on 2.11 as many as the DAG allows.
        """
        if AIRFLOW_3:
            dates = {"from_date": hours[0].isoformat(), "to_date": hours[-1].isoformat()}
            body = {"dag_id": dag_id, **dates, "dag_run_conf": dict(conf), "max_active_runs": at_once}
            self._call("POST", "backfills", body)
            return
        for hour in hours:  # a run that is triggered gets the interval before its date
            self.trigger(dag_id, (hour + timedelta(hours=1)).isoformat(), conf)

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Return the DAG's first hundred runs."""
        return list(self._call("GET", f"dags/{dag_id}/dagRuns?limit=100")["dag_runs"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        return str(self._call("GET", f"dags/{dag_id}/dagRuns/{_quote(run_id)}")["state"])

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        answer = self._call("GET", f"dags/{dag_id}/dagRuns/{_quote(run_id)}/taskInstances?limit=100")
        return list(answer["task_instances"])

    def returned(self, dag_id: str, run_id: str, task_id: str) -> Any:
        """Return what the task returned."""
        path = f"dags/{dag_id}/dagRuns/{_quote(run_id)}/taskInstances/{task_id}/xcomEntries/return_value"
        return self._call("GET", f"{path}?stringify=false")["value"]

    def clear(self, dag_id: str, run_id: str, task_ids: list[str], *, downstream: bool = True) -> None:
        """Clear tasks of a run, as the web page does: by default with their downstream tasks."""
        body = {"dry_run": False, "dag_run_id": run_id, "task_ids": task_ids, "only_failed": False}
        self._call(
            "POST",
            f"dags/{dag_id}/clearTaskInstances",
            {**body, "include_downstream": downstream, "reset_dag_runs": True},
        )

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        """
        Send a request, and retry it after a database error.

        Airflow 3 writes its audit log in the thread that serves all requests. On SQLite, this write may wait for a
        task's request that holds the lock, but cannot end because the thread waits. After ``WRITE_WAIT`` seconds the
        write fails, and the request has had no effect. To create a backfill, Airflow reads before it writes; SQLite
        refuses that if anything was written in between, and Airflow removes what it has created.
        """
        if not self._authorization:
            self._authorization = self._log_in()
        for left in reversed(range(TRIES)):
            try:
                return _request(method, f"{self._base}/{path}", body, self._authorization)
            except AirflowApiError as error:
                refused = error.status in (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE)
                if not left or not refused or not any(text in error.answer for text in DATABASE_ERRORS):
                    raise
                time.sleep(PAUSE)
        raise AssertionError("the last try returns or raises")

    def _log_in(self) -> str:
        if not AIRFLOW_3:
            return "Basic " + base64.b64encode(f"{USER}:{self._home.password}".encode()).decode()
        answer = _request("POST", f"{self._home.url}/auth/token", {"username": USER, "password": self._home.password})
        return f"Bearer {answer['access_token']}"


def _request(method: str, url: str, body: Any = None, authorization: str = "") -> Any:
    request = urllib.request.Request(url, method=method, headers={"Accept": "application/json"})  # noqa: S310
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    if authorization:
        request.add_header("Authorization", authorization)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310  (an address of our own)
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise AirflowApiError(method, url, error.code, error.read().decode(errors="replace")) from None


def _quote(run_id: str) -> str:
    return urllib.parse.quote(run_id, safe="")
