"""SLAs in an Airflow of real processes: who is late is told once, who is in time is not, who comes in late is too."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from airflow_agari_provider.local.airflow_home import AIRFLOW, AIRFLOW_3, AirflowApi, AirflowHome
from airflow_agari_provider.local.demo_setup import free_ports
from airflow_agari_provider.local.processes import Processes
from tests.fix_alerts import SECRETS

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
    {"quick": timedelta(seconds=18), "slow": timedelta(seconds=5), DAG_RUN: timedelta(hours=5)},
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


class Airflow:
    """An Airflow of real processes with the DAG above."""

    def __init__(self, folder: Path, connections: dict[str, str]) -> None:
        (folder / "dags").mkdir()
        (folder / "dags" / "telemetry.py").write_text(DAG_FILE)
        if AIRFLOW_3:  # 2.11 watches no task that has not succeeded before, so there the first run is in time
            (folder / "dags" / "first").touch()
        self.folder = folder
        claims = json.dumps({"conn_type": "sqlite", "host": str(folder / "claims.db")})
        settings = {"AIRFLOW__AGARI__ENVIRONMENT": "EP_STAGE"}
        ports = free_ports(None)
        self.home = AirflowHome(folder / "airflow", ports, folder / "dags", {**connections, "claims": claims}, settings)
        self.api = AirflowApi(self.home)
        self.processes = Processes(folder / "logs")

    def start(self) -> None:
        environment = self.home.environment()
        for name, command in self.home.preparations().items():
            self.processes.run(name, command, environment)
        for name, command in self.home.services().items():
            self.processes.start(name, command, environment)
        if AIRFLOW_3:  # which runs a deadline's callback in each of its triggerers
            other = {**environment, "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_ports(None)[0])}
            self.processes.start("triggerer-2", self.home.services()["triggerer"], other)
        self.wait(lambda: self.api.healthy() and self.api.knows("telemetry"), 90)
        self.api.unpause("telemetry")

    def wait(self, condition, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            self.processes.check()
            assert time.monotonic() < deadline
            time.sleep(0.25)


@pytest.fixture
def airflow(tmp_path, alert_services, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("AIRFLOW", "AWS_"))]:
        monkeypatch.delenv(name)
    airflow = Airflow(tmp_path, alert_services.connections())
    try:
        airflow.start()
        yield airflow
    finally:
        airflow.processes.stop()


def test_a_late_task_is_told_once_and_again_when_it_comes_in(airflow, alert_services):
    airflow.wait(lambda: len(alert_services.received) >= 4, 120)
    time.sleep(10)  # quick's SLA is over too; and whoever would double has had the time
    (airflow.folder / "dags" / "release").touch()
    airflow.wait(lambda: len(alert_services.received) >= 8, 60)

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
    assert not secrets_shown(airflow)

    # Airflow 3 alone fails here, for every DAG with a deadline
    airflow.processes.run(
        "dags-test", [*AIRFLOW, "dags", "test", "telemetry", "2016-02-01"], airflow.home.environment()
    )
    assert len(alert_services.received) == 8


def secrets_shown(airflow: Airflow) -> list[str]:
    """Where Airflow's database, its logs or what its processes wrote show a secret."""
    dump = "\n".join(sqlite3.connect(airflow.home.folder / "airflow.db").iterdump())
    claims = "\n".join(sqlite3.connect(airflow.folder / "claims.db").iterdump())
    places = {"the database": dump, "the claims": claims}
    for log in [*airflow.folder.glob("logs/*.log"), *airflow.home.folder.glob("logs/**/*.log")]:
        places[str(log)] = log.read_text(errors="replace")
    assert "on_deadline" in dump or not AIRFLOW_3
    return [place for place, text in places.items() if any(secret in text for secret in SECRETS)]
