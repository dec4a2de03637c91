"""What Airflow 3 tells about its runs by its REST API, where no supervisor of a task answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from airflow_agari_provider.airflow_compat import BaseHook
from airflow_agari_provider.airflow_runs import base_url
from airflow_agari_provider.alerts.miss import TaskInState
from airflow_agari_provider.alerts.sweeper import RunAsItIs
from airflow_agari_provider.exceptions import AgariError

TIMEOUT = 10  # seconds for one request
PAGE = 100  # task instances of one answer; the most that Airflow gives by default
MOST_TASKS = 10_000  # task instances of a run


class AirflowApiProblem(AgariError):
    """
    Airflow's API did not answer as it should, so nothing is known about a run.

    :param url: the request's address, without secrets.
    :param problem: what happened, as a clause.
    """

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(url, problem)
        self.url, self.problem = url, problem

    def __str__(self) -> str:
        return f"Airflow's API at {self.url}: {self.problem}"


class RunsByApi:
    """
    Asks Airflow 3's REST API about runs: see :class:`~airflow_agari_provider.alerts.sweeper.Runs`.

    :param conn_id: connection with the host of Airflow's API server (default: ``[api] base_url``), and with login and
        password of a user who may read runs and task instances; without a login, the password is a token.
    """

    def __init__(self, conn_id: str) -> None:
        self._conn_id = conn_id
        self._base = ""
        self._session: Any = None

    def __call__(
        self, dag_id: str, run_id: str, mapped: Sequence[str] = (), others: Sequence[str] = ()
    ) -> RunAsItIs | None:
        where = f"/api/v2/dags/{quote(dag_id, safe='')}/dagRuns/{quote(run_id, safe='')}"
        run = self._get(where, or_missing=True)
        if run is None:
            return None
        tasks: list[TaskInState] = []
        while True:
            page = self._get(f"{where}/taskInstances?limit={PAGE}&offset={len(tasks)}&order_by=id")
            found = page["task_instances"]
            tasks.extend(map(_task, found))
            if not found or len(tasks) >= page["total_entries"]:
                return RunAsItIs(str(run["state"]), tasks, _moment(run.get("end_date")))
            if len(tasks) >= MOST_TASKS:
                raise AirflowApiProblem(self._base + where, f"the run has more than {MOST_TASKS:,} task instances")

    def task_state(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> str | None:
        """Return the state of a task instance, as :func:`~airflow_agari_provider.airflow_runs.task_state` does."""
        run = f"/api/v2/dags/{quote(dag_id, safe='')}/dagRuns/{quote(run_id, safe='')}"
        mapped = f"/{map_index}" if map_index >= 0 else ""
        found = self._get(f"{run}/taskInstances/{quote(task_id, safe='')}{mapped}", or_missing=True)
        return None if found is None else str(found["state"]).lower()

    def _get(self, path: str, or_missing: bool = False) -> Any:
        """Return an answer. :param or_missing: return ``None`` if Airflow says that there is no such thing."""
        session = self._logged_in()
        answer = _answered(lambda: session.get(self._base + path, timeout=TIMEOUT), self._base + path)
        if or_missing and answer.status_code == 404 and self._is_airflow():
            return None
        if answer.status_code in (401, 403):
            self._session = None  # a token does not live for ever
        return _json(answer, self._base + path)

    def _is_airflow(self) -> bool:
        """Whether Airflow itself answers, and not a proxy that knows no such page."""
        url = f"{self._base}/api/v2/version"
        return "version" in _json(_answered(lambda: self._session.get(url, timeout=TIMEOUT), url), url)

    def _logged_in(self) -> Any:
        if self._session is not None:
            return self._session
        import requests

        connection = BaseHook.get_connection(self._conn_id)
        self._base = _address(connection) or base_url()[0]
        session = requests.Session()
        session.trust_env = False  # no credentials of .netrc
        token = connection.password
        if connection.login:
            url = f"{self._base}/auth/token"
            body = {"username": connection.login, "password": connection.password}
            token = _json(_answered(lambda: session.post(url, json=body, timeout=TIMEOUT), url), url)["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"
        self._session = session
        return session


def _address(connection: Any) -> str:
    if not connection.host:
        return ""
    host = connection.host if "://" in connection.host else f"{connection.schema or 'http'}://{connection.host}"
    return str(host).rstrip("/") + (f":{connection.port}" if connection.port else "")


def _answered(request: Any, url: str) -> Any:
    from requests import RequestException

    try:
        return request()
    except RequestException as error:
        raise AirflowApiProblem(url, f"no answer ({type(error).__name__})") from None  # the cause may show a password


def _json(answer: Any, url: str) -> Any:
    if not answer.ok:
        what = {401: ": check login and password", 403: ": the user may not read this"}.get(answer.status_code, "")
        raise AirflowApiProblem(url, f"it answered {answer.status_code}{what}")
    try:
        return answer.json()
    except ValueError:
        raise AirflowApiProblem(url, "its answer is no JSON; is this Airflow's API server?") from None


def _task(told: Any) -> TaskInState:
    return TaskInState(
        told["task_id"],
        told["state"],
        told["map_index"],
        told["try_number"],
        since=_moment(told.get("start_date")),
        until=_moment(told.get("end_date")),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
