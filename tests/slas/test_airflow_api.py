"""Runs as Airflow 3's REST API tells them. A server here answers like it; tests/end_to_end asks Airflow itself."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from airflow_agari_provider.alerts.miss import TaskInState
from airflow_agari_provider.slas.airflow_api import AirflowApiProblem, RunsByApi

RUN = "/api/v2/dags/telemetry/dagRuns/scheduled__2016-02-26T18%3A00%3A00%2B00%3A00"
RUN_ID = "scheduled__2016-02-26T18:00:00+00:00"
INSTANCE = {
    "task_id": "load",
    "state": "success",
    "map_index": -1,
    "try_number": 2,
    "start_date": "2016-02-26T18:00:00Z",
    "end_date": "2016-02-26T18:17:00.5Z",
}


@pytest.fixture
def api(monkeypatch):
    """Answers by path: (status, body); ``asked`` has (method, path, authorization) of each request."""
    answers = {"/auth/token": (201, {"access_token": "a-token"}), "/api/v2/version": (200, {"version": "3.3.2"})}
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            asked.append((self.command, self.path, self.headers["Authorization"]))
            status, body = answers.get(self.path, (404, {"detail": "was not found"}))
            sent = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = answer  # noqa: N815 - names of http.server

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    host = {"conn_type": "http", "host": "127.0.0.1", "port": server.server_port}
    monkeypatch.setenv("AIRFLOW_CONN_API", json.dumps({**host, "login": "ada", "password": "hush"}))
    monkeypatch.setenv("AIRFLOW_CONN_TOKEN", json.dumps({**host, "password": "hush-token"}))
    yield answers, asked
    server.shutdown()
    thread.join()
    server.server_close()


def page(*instances, total=None):
    return 200, {"task_instances": list(instances), "total_entries": total or len(instances)}


def tasks_of(offset):
    return f"{RUN}/taskInstances?limit=100&offset={offset}&order_by=id"


def test_a_run_comes_with_all_its_tasks_and_their_times(api):
    answers, asked = api
    answers[RUN] = (200, {"state": "running", "end_date": None})
    answers[tasks_of(0)] = page(INSTANCE, total=2)
    answers[tasks_of(1)] = page(
        {**INSTANCE, "task_id": "report", "state": None, "map_index": 3, "end_date": None}, total=2
    )
    runs = RunsByApi("api")
    found = runs("telemetry", RUN_ID)
    begin, end = datetime(2016, 2, 26, 18, tzinfo=UTC), datetime(2016, 2, 26, 18, 17, 0, 500_000, tzinfo=UTC)
    assert (found.state, found.ended) == ("running", None)
    assert list(found.tasks) == [
        TaskInState("load", "success", -1, 2, since=begin, until=end),
        TaskInState("report", None, 3, 2, since=begin),
    ]
    runs("telemetry", RUN_ID)
    assert [path for method, path, _ in asked if method == "POST"] == ["/auth/token"]
    assert {authorization for _, _, authorization in asked[1:]} == {"Bearer a-token"}


@pytest.mark.parametrize(
    ("path", "answer", "map_index", "state"),
    [
        ("load", {"state": "upstream_failed"}, -1, "upstream_failed"),
        ("load", {"state": None}, -1, "none"),
        ("group.load/3", {"state": "running"}, 3, "running"),
        ("other", {"state": "running"}, -1, None),
    ],
    ids=["ended", "cleared", "mapped", "there is none"],
)
def test_the_state_of_one_task_instance_is_told(api, path, answer, map_index, state):
    answers, _ = api
    answers[f"{RUN}/taskInstances/{path}"] = (200, answer)
    task_id = "group.load" if map_index >= 0 else "load"
    assert RunsByApi("api").task_state("telemetry", RUN_ID, task_id, map_index) == state


def test_a_password_without_a_login_is_a_token(api):
    answers, asked = api
    answers[RUN] = (200, {"state": "success", "end_date": "2016-02-26T18:17:00Z"})
    answers[tasks_of(0)] = page()
    assert RunsByApi("token")("telemetry", RUN_ID).state == "success"
    assert asked[0] == ("GET", RUN, "Bearer hush-token")


def test_a_run_that_airflow_does_not_know_is_gone(api):
    assert RunsByApi("api")("telemetry", RUN_ID) is None


@pytest.mark.parametrize(
    ("path", "answer", "problem"),
    [
        ("/api/v2/version", (404, "no such page"), "/api/v2/version: it answered 404"),
        (RUN, (200, "<html>Log in</html>"), "its answer is no JSON"),
        (RUN, (403, {}), "it answered 403: the user may not read this"),
        (RUN, (401, {}), "it answered 401: check login and password"),
        (RUN, (500, "hush"), "it answered 500"),
        ("/auth/token", (401, "hush"), "/auth/token: it answered 401: check login and password"),
    ],
    ids=["a proxy", "a page", "no permission", "an old token", "an error", "a wrong password"],
)
def test_what_is_no_answer_of_airflow_says_nothing_about_the_run(path, answer, problem, api):
    answers, _ = api
    answers[path] = answer
    with pytest.raises(AirflowApiProblem, match=problem) as raised:
        RunsByApi("api")("telemetry", RUN_ID)
    assert "hush" not in str(raised.value)


def test_after_a_refusal_it_logs_in_again(api):
    answers, asked = api
    answers[RUN] = (401, {})
    runs = RunsByApi("api")
    for _ in range(2):
        with pytest.raises(AirflowApiProblem):
            runs("telemetry", RUN_ID)
    assert [path for method, path, _ in asked if method == "POST"] == ["/auth/token"] * 2


def test_nobody_there_is_told_without_the_password(monkeypatch):
    value = {"conn_type": "http", "host": "http://127.0.0.1:9", "login": "ada", "password": "hush"}
    monkeypatch.setenv("AIRFLOW_CONN_API", json.dumps(value))
    with pytest.raises(AirflowApiProblem, match=r"http://127\.0\.0\.1:9/auth/token: no answer \(ConnectionError\)"):
        RunsByApi("api")("telemetry", RUN_ID)
