"""SLAs in an Airflow of real processes: a late task sends one alert and one recovery, a task in time sends no alert."""

from __future__ import annotations

import json
import re
import sqlite3
import sys
import time
from contextlib import closing
from urllib.parse import quote

import pytest

from airflow_agari_provider.local.demo.airflow_home import AIRFLOW_3, USER
from tests.airflow_processes import Airflow, running, without_settings_of_tests

pytestmark = pytest.mark.end_to_end

# The first run is quick: Airflow 2.11 never misses a task that has not succeeded once.
DAG_FILE = """
from datetime import timedelta
from pathlib import Path
import time

from airflow_agari_provider.airflow_compat import DAG, task, timezone
from airflow_agari_provider.notifications.slack_sla_miss import SlackSlaMissNotifier
from airflow_agari_provider.notifications.victorops_sla_miss import VictorOpsSlaMissNotifier
from airflow_agari_provider.slas import DAG_RUN, SlaAlert, set_slas

FOLDER = Path(__file__).parent

with DAG(
    "telemetry", schedule=timedelta(seconds=20), start_date=timezone.datetime(2016, 2, 1), catchup=False,
    max_active_runs=1, default_args={"owner": "ada"},
) as dag:

    @task
    def quick():
        pass

    @task
    def slow():
        if not (FOLDER / "first").exists():
            (FOLDER / "first").touch()
            return
        while not (FOLDER / "release").exists():
            time.sleep(0.2)

    quick() >> slow()

set_slas(
    dag,
    {"quick": timedelta(seconds=60), "slow": timedelta(seconds=5), DAG_RUN: timedelta(hours=5)},
    alerts=[
        SlackSlaMissNotifier(slack_conn_id="slack_api", channel="C012AB3CD"),
        SlackSlaMissNotifier(slack_conn_id="slack_hook"),
        VictorOpsSlaMissNotifier(victorops_conn_id="victorops", message_type="WARNING"),
        SlaAlert(
            VictorOpsSlaMissNotifier(victorops_conn_id="victorops", routing_key="managers"), after=timedelta(seconds=10)
        ),
    ],
    claims="sql:claims",
)
"""


@pytest.fixture
def airflow(tmp_path, alert_services, monkeypatch):
    without_settings_of_tests(monkeypatch)
    # Airflow 3 runs a deadline's callback in each of its triggerers
    two = {"triggerer": 2} if AIRFLOW_3 else {}
    talkative = {"AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"}  # no level shows a secret
    airflow = Airflow(tmp_path, DAG_FILE, alert_services.connections(), services=two, **talkative)
    if AIRFLOW_3:  # 2.11 watches no task that has not succeeded before, so there the first run is in time
        (tmp_path / "dags" / "first").touch()
    with running(airflow, "telemetry"):
        yield airflow


def test_a_late_task_is_told_once_and_again_when_it_comes_in(airflow, alert_services):
    airflow.wait(lambda: len(alert_services.received) >= 4, 240)
    time.sleep(50)  # quick's SLA has passed too, and a duplicate alert would have arrived by now
    airflow.pause("telemetry")  # the next run's slow would have five seconds, which a busy machine may not give it
    (airflow.folder / "dags" / "release").touch()
    airflow.wait(lambda: len(alert_services.received) >= 8, 180)

    pages = [(path.rpartition("/")[2], body) for path, body in alert_services.received if "message_type" in body]
    run_id = pages[0][1]["run_id"]
    date = run_id.removeprefix("scheduled__")[:19]
    missed = f"EP_STAGE - telemetry SLA Miss for task slow on {date}"
    recovered = f"EP_STAGE - telemetry SLA Miss recovered for task slow on {date}"

    slack = [body for _, body in alert_services.received if "blocks" in body]
    assert [body["text"] for body in slack] == [missed, missed, recovered, recovered]
    assert [body.get("thread_ts", "") != "" for body in slack].count(True) == 1  # the webhook has no threads
    # On a machine that is busy the second step may be told before the first
    told = sorted((routing_key, body["message_type"], body["state_message"]) for routing_key, body in pages)
    assert told == [
        ("data-team", "RECOVERY", recovered),
        ("data-team", "WARNING", missed),
        ("managers", "CRITICAL", missed),
        ("managers", "RECOVERY", recovered),
    ]
    assert {body["entity_id"] for _, body in pages} == {f"airflow/EP_STAGE/telemetry/{run_id}/slow"}
    assert pages[0][1]["owner"] == "ada"
    assert pages[0][1]["blocking_tasks"].startswith("slow (running")
    assert f"/runs/{quote(run_id, safe='')}" in pages[0][1]["vo_annotate.u.Run"] or not AIRFLOW_3
    assert airflow.secrets_shown() == []

    # As if nobody had told that the task came in: who looks later asks Airflow, and tells it
    sweep(airflow)
    assert len(alert_services.received) == 8
    with closing(sqlite3.connect(airflow.databases["claims"])) as connection, connection:
        connection.execute("DELETE FROM agari_alert_claims WHERE due_at IS NULL")
        connection.execute("UPDATE agari_alert_claims SET closed_at = NULL, recovered_at = NULL")
    sweep(airflow)
    again = [body.get("text") or body["state_message"] for _, body in alert_services.received[8:]]
    assert again == [recovered] * 4
    late_by = {body["details"].partition(", owner")[0] for _, body in alert_services.received[8:] if "details" in body}
    assert re.fullmatch(r"Finished \d+ (s|min) late", *late_by)

    # Airflow 3 alone fails here, for every DAG with a deadline
    airflow.airflow("dags", "test", "telemetry", "2016-02-01")
    assert len(alert_services.received) == 12


def sweep(airflow):
    """Run the command; on Airflow 3 it asks the REST API."""
    api = {"conn_type": "http", "host": airflow.home.url, "login": USER, "password": airflow.home.password}
    environment = {**airflow.home.environment(), "AIRFLOW_CONN_AIRFLOW_API": json.dumps(api)}
    environment["AIRFLOW__AGARI__AIRFLOW_API_CONN_ID"] = "airflow_api" if AIRFLOW_3 else ""
    command = [sys.executable, "-m", "airflow_agari_provider.commands.agari", "alerts", "sweep"]
    airflow.processes.run("agari-alerts-sweep", [*command, "--claims-conn-id", "claims"], environment)
