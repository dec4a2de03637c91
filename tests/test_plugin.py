"""Every process of Airflow loads the plugin: so it imports nothing else, and does not query the database."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from airflow_agari_provider import plugin
from airflow_agari_provider.airflow_compat import AIRFLOW_3
from airflow_agari_provider.plugin import AgariPlugin

LOOK = """
import json, sys
import airflow_agari_provider.airflow_compat
before = set(sys.modules)
import sqlalchemy.engine.default as default
asked = []
default.DefaultDialect.do_execute = lambda *arguments, **more: asked.append(arguments[2])
import airflow_agari_provider.plugin
plugin = airflow_agari_provider.plugin.AgariPlugin()
print("RESULT", json.dumps({"modules": sorted(set(sys.modules) - before), "asked": asked}))
"""


def test_the_plugin_imports_nothing_but_itself_and_asks_the_database_nothing():
    run = subprocess.run([sys.executable, "-c", LOOK], env=os.environ, capture_output=True, text=True, timeout=120)
    result = [line for line in run.stdout.splitlines() if line.startswith("RESULT ")]
    assert result, run.stderr[-3000:]
    found = json.loads(result[0].removeprefix("RESULT "))
    assert [name for name in found["modules"] if not name.startswith("sqlalchemy")] == ["airflow_agari_provider.plugin"]
    assert found["asked"] == []


@pytest.mark.parametrize(
    ("command", "version", "warnings"),
    [
        ("scheduler", "3.5.0b1", 1),
        ("triggerer", "4.0.0", 1),
        ("triggerer", "3.4.9", 0),
        ("triggerer", "2.11.2", 0),
        ("tasks", "3.5.0", 0),
    ],
)
def test_an_airflow_that_was_never_tried_is_a_warning_when_a_service_starts(
    command, version, warnings, monkeypatch, caplog
):
    monkeypatch.setattr(sys, "argv", ["airflow", command])
    monkeypatch.setattr(plugin, "airflow_version", version)
    AgariPlugin.on_load()
    told = [record.getMessage() for record in caplog.records if "was tried up to Airflow 3.4" in record.getMessage()]
    assert len(told) == warnings


def test_airflow_accepts_the_plugin():
    from airflow import plugins_manager

    if AIRFLOW_3:
        apps, _ = plugins_manager.get_fastapi_plugins()
        assert [app["url_prefix"] for app in apps if app["name"] == "agari"] == ["/agari"]
    else:
        plugins_manager.initialize_web_ui_plugins()
        names = [view["name"] for view in plugins_manager.flask_appbuilder_views if "view" in view]
        assert "Agari charts" in names
        links = {item["name"]: item["href"] for item in plugins_manager.flask_appbuilder_menu_links}
        assert links["Agari alerts"] == "AgariView.alerts_page"


def test_the_pages_are_in_the_browse_menu_and_on_airflow_3_also_on_dags_and_tasks():
    if AIRFLOW_3:
        views = [(view["destination"], view.get("category"), view["href"]) for view in AgariPlugin.external_views]
        assert views == [
            ("nav", "browse", "agari/charts"),
            ("nav", "browse", "agari/alerts"),
            ("nav", "browse", "agari/discrepancies"),
            ("dag", None, "agari/charts?dag_id={DAG_ID}"),
            ("task", None, "agari/charts?dag_id={DAG_ID}&task_id={TASK_ID}"),
            ("dag", None, "agari/alerts?dag_id={DAG_ID}"),
            ("dag", None, "agari/discrepancies?dag_id={DAG_ID}"),
        ]
        assert len({view["url_route"] for view in AgariPlugin.external_views}) == 7
    else:
        assert [(view["category"], view["name"]) for view in AgariPlugin().appbuilder_views] == [
            ("Browse", "Agari charts")
        ]
        assert [(item["category"], item["name"]) for item in AgariPlugin().appbuilder_menu_items] == [
            ("Browse", "Agari alerts"),
            ("Browse", "Agari discrepancies"),
        ]
