"""The example DAG: light to parse, quiet, and with the documented steps."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

HEAVY = ("boto3", "botocore", "datafusion", "fastavro", "pgpq", "psycopg", "psycopg2", "pyspark", "slack_sdk")


@pytest.fixture(scope="module")
def path(request):
    return request.config.rootpath / "example_dags" / "message_scoring.py"


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=os.environ, check=False)


def test_parsing_imports_no_heavy_library(path):
    done = python("-X", "importtime", str(path))
    assert done.returncode == 0, done.stderr[-2000:]
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time")}
    assert "airflow_agari_provider.operators.avro_s3_import" in imported
    assert not {name for name in imported if name.split(".")[0] in HEAVY}


def test_importing_shows_no_warning_of_its_own(path):
    done = python("-W", "default", str(path))
    assert done.returncode == 0, done.stderr[-2000:]
    ours = [line for line in done.stderr.splitlines() if "message_scoring" in line or "airflow_agari_provider" in line]
    assert not [line for line in ours if "Warning" in line]


def loaded(path):
    import importlib.util

    spec = importlib.util.spec_from_file_location("message_scoring", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def module(path):
    return loaded(path)


def test_every_step_has_its_number_in_its_doc(module):
    docs = " ".join(task.doc_md or task.python_callable.__doc__ for task in module.dag.tasks)
    for step in ("0", "1a", "1b", "2", "2a", "3", "4", "5", "6", "7", "8"):
        assert f"**{step}.**" in docs, step


def test_nothing_is_scored_before_it_is_archived_and_modelled(module):
    upstream = module.dag.get_task("score.score_messages").get_flat_relative_ids(upstream=True)
    assert {"prepare.archive_uploads", "score.build_trust_model", "prepare.delete_window"} <= upstream


@pytest.mark.parametrize(
    ("named", "hours", "folders"),
    [
        ("2016-04-28T05:00:00+00:00", 1, ["dt=2016-04-28/hour=05/"]),
        ("2016-04-28T23:30:00", 2, ["dt=2016-04-28/hour=23/", "dt=2016-04-29/hour=00/"]),
        ("2016-04-28T00:00:00+02:00", 1, ["dt=2016-04-27/hour=22/"]),
        ("2016-04-28T00:00:00Z", 24, ["dt=2016-04-28/"]),
        ("2016-04-28T00:00:00Z", 48, ["dt=2016-04-28/", "dt=2016-04-29/"]),
    ],
    ids=["an hour", "over midnight", "another zone", "a day", "two days"],
)
def test_the_window_names_its_folders(module, named, hours, folders):
    window = module.window_of(None, {"window_start": named, "window_hours": hours})
    assert window.folders() == folders


def test_without_parameters_the_window_is_the_run_s_own_hour(module):
    class Run:
        data_interval_start = datetime(2026, 11, 21, 9, tzinfo=UTC)

    window = module.window_of(Run, {"window_start": None, "window_hours": 1})
    assert window.sql == "hour >= '2026-11-21T09' AND hour < '2026-11-21T10'"


def test_history_is_the_days_before_the_window(module):
    window = module.window_of(None, {"window_start": "2016-04-28T05:00:00Z", "window_hours": 1})
    assert module.archive_urls(window, "b", 2) == "s3://b/archive/dt=2016-04-26/,s3://b/archive/dt=2016-04-27/"


def told(dag):
    """Task with an SLA -> its seconds, and who is told."""
    watches = [callback.watch for task in dag.tasks for callback in task.on_success_callback or []]
    return {
        watch.task_id: (watch.sla, [alert["notifier"]["path"].rpartition(":")[2] for alert in watch.alerts])
        for watch in watches
    }


def test_a_deployment_without_victorops_has_slas_that_tell_slack(module):
    assert told(module.dag) == {
        "score.score_messages": (2700, ["SlackSlaMissNotifier"]),
        "report.send_report": (4500, ["SlackSlaMissNotifier"]),
    }
    assert {
        module.dag.get_task(f"report.{name}").victorops_conn_id for name in ("send_report", "report_dead_letters")
    } == {None}


def test_the_environment_names_the_connection_of_victorops_and_the_time_for_the_scoring(path, monkeypatch):
    monkeypatch.setenv("MESSAGE_SCORING_VICTOROPS", "on_call")
    monkeypatch.setenv("MESSAGE_SCORING_SCORED_WITHIN", "30")
    dag = loaded(path).dag
    both = ["SlackSlaMissNotifier", "VictorOpsSlaMissNotifier"]
    assert told(dag) == {"score.score_messages": (30, both), "report.send_report": (4500, both)}
    assert dag.get_task("report.send_report").victorops_conn_id == "on_call"
    assert dag.get_task("report.report_dead_letters").victorops_conn_id == "on_call"
