"""
One run with every case: a task in time, a late one, one that recovers, one that fails before its deadline, a mapped
one, one with an SLA by a time of day, and the run itself. Checks that exactly the right messages arrive, word for word
and in time.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from airflow_agari_provider.local.demo.airflow_home import AIRFLOW_3
from tests.airflow_processes import EAGER, Airflow, running, without_settings_of_tests
from tests.scenario_slas.figures import print_figures, seconds_after_deadline, told

# Airflow 2.11 only watches tasks that have succeeded before. There the first run is in time, and the second is watched;
# its start is the next multiple of the period since 1970.
DAG_FILE = """
import time
from datetime import time as time_of_day, timedelta
from pathlib import Path

from airflow_agari_provider.airflow_compat import DAG, TriggerRule, task, timezone
from airflow_agari_provider.notifications.slack_sla_miss import SlackSlaMissNotifier
from airflow_agari_provider.notifications.victorops_sla_miss import VictorOpsSlaMissNotifier
from airflow_agari_provider.slas import DAG_RUN, set_slas

FOLDER = Path(__file__).parent
BY = FOLDER / "by"


def hold(name):
    while (FOLDER / "first").exists() and not (FOLDER / name).exists():
        time.sleep(0.2)


with DAG(
    "telemetry", schedule=timedelta(seconds={period}), start_date=timezone.datetime(2016, 2, 1), catchup=False,
    max_active_runs=1, default_args={{"owner": "ada"}},
) as dag:

    @task
    def in_time():
        pass

    @task
    def late():
        hold("release-late")

    @task
    def by_the_clock():
        hold("release-late")

    @task
    def recovers():
        hold("release-recovers")

    @task
    def fails():
        if (FOLDER / "first").exists():
            raise ValueError("no such table")

    @task
    def mapped(number):
        if number:
            hold("release-late")

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def end():
        pass

    [in_time(), late(), by_the_clock(), recovers(), fails(), mapped.expand(number=[0, 1])] >> end()

ALERTS = [
    SlackSlaMissNotifier(slack_conn_id="slack_api", channel="C012AB3CD"),
    VictorOpsSlaMissNotifier(victorops_conn_id="victorops"),
]

set_slas(
    dag,
    {{
        "in_time": timedelta(seconds=30),
        "late": timedelta(seconds=6),
        "by_the_clock": time_of_day.fromisoformat(BY.read_text() if BY.exists() else "00:00"),
        "recovers": timedelta(seconds=7),
        "mapped": timedelta(seconds=8),
        "fails": timedelta(seconds=20),
        DAG_RUN: timedelta(seconds=12),
    }},
    alerts=ALERTS,
    claims="sql:claims",
)

with DAG("first_of_all", schedule=None, start_date=timezone.datetime(2016, 2, 1)) as first:
    task(lambda: hold("release-first")).override(task_id="load")()

set_slas(first, {{"load": timedelta(seconds={first_sla})}}, alerts=ALERTS, claims="sql:claims")
"""
PERIOD = 600 if AIRFLOW_3 else 100  # seconds
FIRST_SLA = 5  # seconds
MISSED = {
    "late": "EP_STAGE - telemetry SLA Miss for task late on {date}",
    "by_the_clock": "EP_STAGE - telemetry SLA Miss for task by_the_clock on {date}",
    "recovers": "EP_STAGE - telemetry SLA Miss for task recovers on {date}",
    "mapped": "EP_STAGE - telemetry SLA Miss for task mapped on {date}",
    "fails": "EP_STAGE - telemetry SLA Miss for task fails on {date}",
    "run": "EP_STAGE - telemetry SLA Miss for the run on {date}",
}
RECOVERED = {
    "late": "EP_STAGE - telemetry SLA Miss recovered for task late on {date}",
    "by_the_clock": "EP_STAGE - telemetry SLA Miss recovered for task by_the_clock on {date}",
    "recovers": "EP_STAGE - telemetry SLA Miss recovered for task recovers on {date}",
    "mapped": "EP_STAGE - telemetry SLA Miss recovered for task mapped on {date}",
    "run": "EP_STAGE - telemetry SLA Miss recovered for the run on {date}",
}


@pytest.fixture
def airflow(tmp_path, alert_services, monkeypatch):
    without_settings_of_tests(monkeypatch)
    dag_file = DAG_FILE.format(period=PERIOD, first_sla=FIRST_SLA)
    airflow = Airflow(tmp_path, dag_file, alert_services.connections(), AIRFLOW__CORE__PARALLELISM="8", **EAGER)
    if AIRFLOW_3:
        (tmp_path / "dags" / "first").touch()
    with running(airflow, *(["first_of_all"] if AIRFLOW_3 else [])):
        yield airflow


def test_each_case(airflow, alert_services):
    dags = airflow.folder / "dags"
    first: dict[str, float] = {}
    if AIRFLOW_3:  # the first alert of a triggerer takes longer: only then does it prepare to answer questions
        airflow.api.trigger("first_of_all", datetime.now(UTC).isoformat(), {})
        airflow.wait(lambda: len(alert_services.received) >= 2, 60)
        due = datetime.fromisoformat(airflow.runs("first_of_all")[0]["queued_at"]).timestamp() + FIRST_SLA
        first = {"first_alert_seconds": round(alert_services.moments[1] - due, 1)}
        (dags / "release-first").touch()
        airflow.wait(lambda: len(alert_services.received) >= 4, 60)
        alert_services.forget()
        set_time_of_day(airflow, time.time() + 60)
        airflow.api.unpause("telemetry")
    else:
        airflow.wait(lambda: time.time() % PERIOD < 10 and airflow.api.knows("telemetry"), 2 * PERIOD)
        set_time_of_day(airflow, (time.time() // PERIOD + 1) * PERIOD + 14)
        airflow.api.unpause("telemetry")
        airflow.wait(lambda: [run["state"] for run in airflow.runs("telemetry")] == ["success"], 90)
        (dags / "first").touch()
    airflow.wait(lambda: len(alert_services.slack()) >= 4, 150)
    print("The alerts for the late tasks arrived; one of these tasks now finishes")
    (dags / "release-recovers").touch()
    airflow.wait(lambda: len(alert_services.received) >= 14, 120)
    run_id = alert_services.victorops()[0]["run_id"]
    date = run_id.removeprefix("scheduled__")[:19]
    time.sleep(12)  # the deadline of in_time has passed too, and a duplicate would have arrived by now
    expected = sorted(text.format(date=date) for text in [*MISSED.values(), RECOVERED["recovers"]])
    assert sorted(body["text"] for body in alert_services.slack()) == expected
    assert sorted(body["state_message"] for body in alert_services.victorops()) == expected

    print("All other late tasks now finish, except the one that failed")
    (dags / "release-late").touch()
    airflow.wait(lambda: len(told(alert_services, run_id)) >= 22, 60)
    time.sleep(5)
    expected = sorted(text.format(date=date) for text in [*MISSED.values(), *RECOVERED.values()])
    assert sorted(body["text"] for body in alert_services.slack() if date in body["text"]) == expected
    pages = [body for body in alert_services.victorops() if body["run_id"] == run_id]
    assert sorted((body["message_type"], body["state_message"]) for body in pages) == sorted(
        [("CRITICAL", text.format(date=date)) for text in MISSED.values()]
        + [("RECOVERY", text.format(date=date)) for text in RECOVERED.values()]
    )
    assert {body["entity_id"] for body in pages} == {f"airflow/EP_STAGE/telemetry/{run_id}/{name}" for name in MISSED}
    details = {
        body.get("task_id", "run"): body["details"].split()[0] for body in pages if body["message_type"] == "CRITICAL"
    }
    assert details == {
        "late": "Late",
        "recovers": "Late",
        "mapped": "Late",
        "by_the_clock": "Late",
        "run": "Late",
        "fails": "Failed,",
    }

    seconds = seconds_after_deadline(alert_services, run_id)
    assert max(seconds.values()) <= 10, seconds
    received = len(alert_services.received)
    airflow.airflow("dags", "test", "telemetry", "2016-02-01")
    print("`airflow dags test` ended with 0")
    assert AIRFLOW_3 is False or len(alert_services.received) == received
    assert airflow.secrets_shown() == []
    print_figures(each_case=len(told(alert_services, run_id)), seconds_after_deadline=seconds, **first)


def set_time_of_day(airflow, at: float) -> None:
    """Set the time by which one task is to be done; returns when Airflow has read the DAG since."""
    (airflow.folder / "dags" / "by").write_text(f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}")
    for _ in range(2):  # the first parse may have begun before the change
        before = airflow.last_parsed("telemetry")
        airflow.wait(lambda before=before: airflow.last_parsed("telemetry") != before, 60)
