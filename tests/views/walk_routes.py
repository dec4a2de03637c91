"""
Ask every route of our pages without a login, as a stranger to the DAG, and as a viewer; print the answers as JSON.

``python -m tests.views.walk_routes <folder>``, with an AIRFLOW_HOME of its own: an Airflow reads its configuration
once per process. The web server, the auth manager, the tokens and the cookies are Airflow's own.
"""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from airflow_agari_provider.alerts.claim_rows import About
from airflow_agari_provider.alerts.claims import ClaimTable
from airflow_agari_provider.discrepancy.check_history import CheckHistory
from tests.discrepancy.reports import report_of

DAG_ID, OTHER = "secret_dag", "other_dag"
PASSWORD = "correct horse"
LARGE = 1024  # bytes; larger answers are worth compressing
STRANGER_MAY = ("Website", "DAG Runs", "Task Instances", f"DAG:{OTHER}")
# The viewer asks before the stranger, who must not get the answer that was kept for the viewer.
VISITORS = (("anonymous", None), ("viewer", "bob"), ("stranger", "eve"), ("editor", "ann"))
UNTIMED = re.compile(rb'"now":[^,]*|"csrf_token":"[^"]*"')  # what differs from one moment to the next
FILL = {"dag_id": DAG_ID, "name": "page.js", "silence_id": "none"}  # of the routes' parameters
QUERY = {"/api/discrepancies/runs": f"?dag_id={DAG_ID}&task_id=check"}  # what a route cannot do without


CHANGES = "changes"  # stands for the routes that change something
SENT = ("ours", "a form", "another site")  # kinds of a POST
SENT_AS = {"starlette": "content", "fastapi": "content", "flask": "data", "werkzeug": "data"}  # a body, by client


def prepare(folder: Path) -> None:
    from airflow.configuration import conf
    from airflow.utils.db import initdb

    from airflow_agari_provider.views import pages
    from tests.views.metadata_rows import Metadata

    initdb()
    metadata = Metadata(conf.get("database", "sql_alchemy_conn"))
    for dag_id in (DAG_ID, OTHER):
        metadata.dag(dag_id)
        metadata.run(dag_id, "r", 0)
        metadata.instance(dag_id, "r", "load", 1, "success", start=1, end=2)
    metadata.session.commit()
    metadata.close()
    record_alerts(folder / "alerts.db")
    record_checks(folder / "alerts.db")
    pages.FRONTEND = folder / "frontend"
    pages.FRONTEND.mkdir()
    (pages.FRONTEND / pages.TEMPLATE).write_text("<script>__CONFIGURATION__</script>")
    (pages.FRONTEND / "page.js").write_text("// page\n" * 500)


def record_alerts(path: Path) -> None:
    """An alert of a run of each DAG."""
    claims = ClaimTable(lambda: sqlite3.connect(path))
    for dag_id in (DAG_ID, OTHER):
        due = time.time() - 3600
        about = About(run=f"|{dag_id}|r", task="load", destination="Slack", due_at=due)
        claims.claim(f"|{dag_id}|r|load|60|0|Slack", due + 1, about)


def record_checks(path: Path) -> None:
    """A run of a discrepancy check in each DAG."""
    for dag_id in (DAG_ID, OTHER):
        history = CheckHistory(lambda: sqlite3.connect(path), "?", dag_id, "check")
        counts = {f"{dag_id}-{number}": 9 for number in range(30)}
        history.exchange("2016-02-03 01:00:00", "r", report_of(counts, counts, {}))


def add_fab_users(security: Any) -> None:
    """The stranger may read the runs and task instances of another DAG; the viewer has Airflow's own role."""
    security.sync_roles()
    stranger = security.add_role("Stranger")
    for resource in STRANGER_MAY:
        security.add_permission_to_role(stranger, security.create_permission("can_read", resource))
    users = {"eve": stranger, "bob": security.find_role("Viewer"), "ann": security.find_role("Op")}
    for name, role in users.items():
        assert security.add_user(name, name, name, f"{name}@example.com", role, password=PASSWORD)


def walk_3() -> Iterator[tuple[str, str, Any]]:
    """(route, visitor, answer)."""
    from airflow.api_fastapi.app import create_app
    from airflow.configuration import conf
    from fastapi.testclient import TestClient

    from airflow_agari_provider.views import web_airflow3

    if "Fab" in conf.get("core", "auth_manager"):
        from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

        with get_application_builder() as builder:
            add_fab_users(builder.sm)
    found = web_airflow3.create_app().routes
    routes = [route.path for route in found if "GET" in route.methods]
    changing = [route.path for route in found if "POST" in route.methods]
    with TestClient(create_app()) as client:
        for who, name in VISITORS:
            client.cookies.clear()
            if name:
                answer = client.post("/auth/token", json={"username": name, "password": PASSWORD})
                assert answer.status_code == 201, answer.text
                client.cookies.set("_token", answer.json()["access_token"])
            for route in changing:
                yield route, who, [posted(client, "/agari" + filled(route), kind) for kind in SENT]
            for route in routes:
                answer = client.get("/agari" + filled(route), follow_redirects=False)
                yield route, who, told(answer.status_code, answer.headers, answer.text)
                if who == "viewer":
                    yield route, "again", asked_again(client.get, "/agari" + filled(route), lambda found: found.content)
                    yield route, "odd", [client.get(path).status_code for path in odd("/agari" + route)]
                    head = client.head("/agari" + filled(route))
                    yield route, "head", [head.status_code, head.content == b"", "content-type" in head.headers]


def walk_2() -> Iterator[tuple[str, str, Any]]:
    from airflow.www.app import create_app

    app = create_app(config={"WTF_CSRF_ENABLED": False})
    with app.app_context():
        add_fab_users(app.appbuilder.sm)
    found = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("AgariView.")]
    routes = [rule.rule for rule in found if "GET" in rule.methods]
    changing = [rule.rule for rule in found if "POST" in rule.methods]
    for who, name in VISITORS:
        client = app.test_client()
        if name:
            logged_in = client.post("/login/", data={"username": name, "password": PASSWORD})
            assert logged_in.status_code == 302, logged_in.text
        for route in changing:
            answers = [posted(client, filled(route), kind) for kind in SENT]
            app.config["WTF_CSRF_ENABLED"] = True  # as outside of this walk, which logs in without a form
            token = (client.get("/agari/api/silences").json or {}).get("csrf_token", "")
            answers += [posted(client, filled(route), kind, token) for kind in ("ours without a token", "ours")]
            app.config["WTF_CSRF_ENABLED"] = False
            yield route.removeprefix("/agari"), who, answers
        for route in routes:
            answer = client.get(filled(route))
            yield route.removeprefix("/agari"), who, told(answer.status_code, answer.headers, answer.text)
            if who == "viewer":
                yield route.removeprefix("/agari"), "again", asked_again(client.get, filled(route), unpacked)
                yield route.removeprefix("/agari"), "odd", [client.get(path).status_code for path in odd(route)]
                head = client.head(filled(route))
                yield route.removeprefix("/agari"), "head", [head.status_code, not head.data, bool(head.content_type)]


def posted(client: Any, path: str, kind: str, token: str = "") -> int:
    """Status of the answer to a POST, as the page or another site sends it."""
    body = {"dag_id": DAG_ID, "until": time.time() + 3600, "why": "upgrade"}
    headers = {"Content-Type": "text/plain" if kind == "a form" else "application/json"}
    headers |= {"Sec-Fetch-Site": "cross-site"} if kind == "another site" else {}
    headers |= {"X-CSRFToken": token} if kind == "ours" and token else {}
    sent = {SENT_AS[type(client).__module__.partition(".")[0]]: json.dumps(body)}
    return client.post(path, **sent, headers=headers).status_code


def filled(route: str) -> str:
    """The route with a value for each parameter, in FastAPI's or in Flask's spelling."""
    route = re.sub(r"\{(\w+)(?::path)?\}", lambda found: FILL[found[1]], route)
    route = re.sub(r"<(?:path:)?(\w+)>", lambda found: FILL[found[1]], route)
    return route + QUERY.get(route.removeprefix("/agari"), "")


def odd(route: str) -> list[str]:
    """The route with values that are no text: in its path, if it has a parameter there, and in its query."""
    in_path = [filled(route).replace(FILL[name], bad) for name in FILL for bad in ("a%00", "a" * 1001) if name in route]
    query = f"{filled(route)}{'&' if '?' in filled(route) else '?'}task_id="
    return [*in_path, *(f"{query}{bad}" for bad in ("%00", "a" * 1001))]


def unpacked(answer: Any) -> bytes:
    """Unpack the body: Flask's client leaves it compressed."""
    return gzip.decompress(answer.data) if answer.headers.get("content-encoding") == "gzip" else answer.data


def asked_again(get: Callable[..., Any], path: str, body: Callable[[Any], bytes]) -> dict[str, Any]:
    """The answer to a browser that has it already, and how it was sent to a browser that accepts compression."""
    plain, packed = (get(path, headers={"Accept-Encoding": encoding}) for encoding in ("identity", "gzip"))
    again = get(path, headers={"If-None-Match": packed.headers.get("etag", ""), "Accept-Encoding": "gzip"})
    same = UNTIMED.sub(b"", body(packed)) == UNTIMED.sub(b"", body(plain))
    found = {"status": again.status_code, "empty": not body(again), "same": same}
    if len(body(plain)) > LARGE:
        found["encoding"] = packed.headers.get("content-encoding")
        found["vary"] = "Accept-Encoding" in packed.headers.get("vary", "")
    return found


def told(status: int, headers: Any, text: str) -> dict[str, Any]:
    seen = [dag_id for dag_id in (DAG_ID, OTHER) if dag_id in text]
    return {"status": status, "login": "login" in headers.get("location", ""), "dags": seen}


def plain(route: str) -> str:
    """The route as FastAPI spells it."""
    return re.sub(r"<(?:path:)?(\w+)>|\{(\w+)(?::path)?\}", r"{\1\2}", route)


def main() -> None:
    prepare(Path(sys.argv[1]))
    from airflow_agari_provider.airflow_compat import AIRFLOW_3

    found: dict[str, dict[str, Any]] = {}
    for route, who, answer in walk_3() if AIRFLOW_3 else walk_2():
        if isinstance(answer, list) and who in dict(VISITORS):
            found.setdefault(CHANGES, {}).setdefault(plain(route), {})[who] = answer
            continue
        found.setdefault(plain(route), {})[who] = answer
    print("RESULT", json.dumps(found))


if __name__ == "__main__":
    main()
