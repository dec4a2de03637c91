"""The answer of every route to each kind of user, on each auth manager that comes with Airflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from airflow_agari_provider.airflow_compat import AIRFLOW_3
from tests.views.walk_routes import CHANGES, DAG_ID, OTHER, PASSWORD

FAB_3 = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
SIMPLE = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
MANAGERS = {"simple": SIMPLE, "fab": FAB_3} if AIRFLOW_3 else {"fab": FAB_3}
REFUSED = {"status": 401, "login": False, "dags": []}
FORBIDDEN = {"status": 403, "login": False, "dags": [DAG_ID]}  # the sentence names what was asked for


def ok(*dags: str) -> dict:
    return {"status": 200, "login": False, "dags": list(dags)}


def again(*, large: bool) -> dict:
    """The answer to a browser that has it already, and how a large answer was sent."""
    coding = {"encoding": "gzip", "vary": True} if large else {}
    return {"status": 304, "empty": True, "same": True, **coding}


def changes() -> dict:
    """Statuses of a POST about silences: of the page, of a form, of another site; on 2.11 without and with a token."""
    setting = {"anonymous": 401, "viewer": 403, "stranger": 422, "editor": 201}  # a stranger reads no such DAG
    ending = {**dict.fromkeys(setting, 404), "anonymous": 401}
    found = {}
    for route, statuses in (("/api/silences", setting), ("/api/silences/{silence_id}/end", ending)):
        found[route] = {}
        for who, status in statuses.items():
            refused = [401, 401] if who == "anonymous" else [415, 403]
            tokens = [] if AIRFLOW_3 else [400, 400 if who == "anonymous" else status]
            found[route][who] = [status, *refused, *tokens]
    return found


@pytest.fixture(params=list(MANAGERS))
def walked(request, tmp_path):
    """(name of the auth manager, route: who: answer)."""
    (tmp_path / "passwords.json").write_text(json.dumps({"eve": PASSWORD, "bob": PASSWORD, "ann": PASSWORD}))
    environment = os.environ | {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW_CONN_ALERTS_DB": json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "alerts.db")}),
        "AIRFLOW__AGARI__ALERTS_CONN_ID": "alerts_db",
        "AIRFLOW__AGARI__DISCREPANCY_CONN_ID": "alerts_db",
        "AIRFLOW__API_AUTH__JWT_SECRET": "s" * 64,
        "AIRFLOW__CORE__AUTH_MANAGER": MANAGERS[request.param],
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(tmp_path / "passwords.json"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "eve:,bob:viewer,ann:op",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "AIRFLOW__WEBSERVER__SECRET_KEY": "s" * 64,
    }
    command = [sys.executable, "-m", "tests.views.walk_routes", str(tmp_path)]
    walk = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    results = [line for line in walk.stdout.splitlines() if line.startswith("RESULT ")]
    assert results, walk.stdout[-3000:] + walk.stderr[-3000:]
    return request.param, json.loads(results[0].removeprefix("RESULT "))


@pytest.mark.end_to_end
def test_every_route_checks_the_login_and_shows_only_readable_dags(walked):
    manager, found = walked
    theirs = [] if manager == "simple" else [OTHER]  # a role of SimpleAuthManager applies to all DAGs or to no DAG
    logged_in = {"anonymous": REFUSED, "stranger": ok(), "viewer": ok(), "editor": ok()}
    to_login = {"status": 307 if AIRFLOW_3 else 302, "login": True, "dags": []}
    expected = {
        "/charts": {**logged_in, "anonymous": to_login, "again": again(large=False)},
        "/alerts": {**logged_in, "anonymous": to_login, "again": again(large=False)},
        "/api/alerts": {
            "anonymous": REFUSED,
            "stranger": ok(*theirs),
            "viewer": ok(DAG_ID, OTHER),
            "editor": ok(DAG_ID, OTHER),
            "again": again(large=True),
        },
        "/discrepancies": {**logged_in, "anonymous": to_login, "again": again(large=False)},
        "/api/discrepancies": {
            "anonymous": REFUSED,
            "stranger": ok(*theirs),
            "viewer": ok(DAG_ID, OTHER),
            "editor": ok(DAG_ID, OTHER),
            "again": again(large=False),
        },
        "/api/discrepancies/runs": {
            "anonymous": REFUSED,
            "stranger": {"status": 404, "login": False, "dags": []},
            "viewer": ok(DAG_ID),
            "editor": ok(DAG_ID),
            "again": again(large=True),
        },
        "/static/{name}": {**logged_in, "again": again(large=True)},
        "/api/silences": {
            **logged_in,
            "anonymous": REFUSED,
            "editor": ok(DAG_ID, OTHER),
            "again": again(large=False),
        },
        "/api/overview": {
            "anonymous": REFUSED,
            "stranger": ok(*theirs),
            "viewer": ok(DAG_ID, OTHER),
            "editor": ok(DAG_ID, OTHER),
            "again": again(large=False),
        },
        "/api/overview/task_time": {
            "anonymous": REFUSED,
            "stranger": ok(),
            "viewer": ok(),
            "editor": ok(),
            "again": again(large=False),
        },
        "/api/dags/{dag_id}/tries": {
            "anonymous": REFUSED,
            "stranger": FORBIDDEN,
            "viewer": ok(DAG_ID),
            "editor": ok(DAG_ID),
            "again": again(large=True),
        },
    }
    expected["/api/dags/{dag_id}/days"] = {**expected["/api/dags/{dag_id}/tries"], "again": again(large=False)}
    expected["/api/active"] = {
        **expected["/api/overview"],
        "viewer": ok(),
        "editor": ok(),
        "stranger": ok(),
    }  # nothing is under way
    unasked = {"status": 422, "login": False, "dags": []}  # it needs a run and a task
    expected["/api/dags/{dag_id}/indexes"] = {
        **expected["/api/dags/{dag_id}/tries"],
        "viewer": unasked,
        "editor": unasked,
        "again": {"status": 422, "empty": False, "same": True},
    }
    if AIRFLOW_3:
        expected["/api/openapi.json"] = {**logged_in, "again": {**again(large=True), "status": 200, "empty": False}}
    assert found.pop(CHANGES) == changes()
    bad = {route: answers.pop("odd") for route, answers in found.items()}
    assert {route: answers.pop("head") for route, answers in found.items()} == {
        route: [422 if route.endswith("/indexes") else 200, True, True] for route in found
    }
    assert found == expected
    unparsed = [422, 422] if AIRFLOW_3 else [200, 200]  # a page takes its parameters from its address itself
    assert [bad.pop(page) for page in ("/charts", "/alerts", "/discrepancies")] == [unparsed] * 3
    assert bad.pop("/static/{name}") == [404, 404, 422, 422]
    for of_a_dag in ("tries", "days", "indexes"):
        assert bad.pop(f"/api/dags/{{dag_id}}/{of_a_dag}") == [404, 404, 422, 422]
    assert set(map(tuple, bad.values())) == {(422, 422)}
