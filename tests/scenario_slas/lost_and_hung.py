"""
Recoveries that get lost while VictorOps is down, and a database of claims that hangs.

Who looks later sends what got lost, once, within 30 s and one sweep. Nothing else in Airflow waits for the claims.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_agari_provider.local.demo.airflow_home import AIRFLOW_3
from tests.airflow_processes import EAGER, Airflow, running, without_settings_of_tests
from tests.scenario_slas.figures import print_figures
from tests.scenario_slas.hanging_proxy import HangingProxy

SWEEP = 30  # seconds between two sweeps
OUTAGE = 60  # seconds for which VictorOps is down
HANG = 120  # seconds for which the claims hang
PERIOD = 40  # seconds between two runs on Airflow 2.11, which watches scheduled runs only, from the second on
MISSES = 12

DAG_FILE = """
from datetime import timedelta
from pathlib import Path
import time

from airflow_agari_provider.airflow_compat import DAG, task, timezone
from airflow_agari_provider.notifications.slack_sla_miss import SlackSlaMissNotifier
from airflow_agari_provider.notifications.victorops_sla_miss import VictorOpsSlaMissNotifier
from airflow_agari_provider.slas import set_slas

FOLDER = Path(__file__).parent
ALERTS = [
    SlackSlaMissNotifier(slack_conn_id="slack_api", channel="C012AB3CD"),
    VictorOpsSlaMissNotifier(victorops_conn_id="victorops"),
]


def hold(dag_id, number):
    first = FOLDER / f"first-{{dag_id}}-{{number}}"
    if not {airflow_3} and not first.exists():
        first.touch()  # Airflow 2.11 watches no task that has not succeeded before
        return
    while not (FOLDER / f"release-{{dag_id}}").exists():
        time.sleep(0.2)


def dag_of(dag_id, claims, late=1):
    schedule = None if {airflow_3} else timedelta(seconds={period})
    with DAG(
        dag_id, schedule=schedule, start_date=timezone.datetime(2016, 2, 1), catchup=False, max_active_runs=1
    ) as dag:

        @task
        def in_time():
            pass

        @task
        def slow(number):
            hold(dag_id, number)
            if dag_id == "fails" and (FOLDER / "release-fails").exists():
                raise ValueError("no such table")

        in_time()
        for number in range(late):
            slow.override(task_id=f"slow_{{number}}")(number)
    slas = {{name: timedelta(seconds=300 if name == "in_time" else 5) for name in dag.task_ids}}
    set_slas(dag, slas, alerts=ALERTS, claims=claims)
    return dag


recovers = dag_of("recovers", "sql:claims")
fails = dag_of("fails", "sql:claims")
hung = dag_of("hung", "sql:slow_claims", late={misses})
other = dag_of("other", "sql:claims")

with DAG(
    "sweeps", schedule=timedelta(seconds={sweep}), start_date=timezone.datetime(2016, 2, 1), catchup=False
) as sweeps:

    @task
    def sweep():
        from airflow_agari_provider.slas.maintenance import sweep_alerts

        return sweep_alerts("claims")

    sweep()
"""


@pytest.fixture
def airflow(tmp_path, alert_services, postgres_server, monkeypatch):
    without_settings_of_tests(monkeypatch)

    def postgres(name: str) -> str:
        postgres_server.psql(f"create database {name};")
        return str(postgres_server.get_uri(name))

    postgres("slow_claims")
    (folder,) = parse_qs(urlsplit(postgres_server.get_uri("slow_claims")).query)["host"]
    proxy = HangingProxy(folder)
    facts = {"host": "127.0.0.1", "port": proxy.port, "login": "postgres", "schema": "slow_claims"}
    connections = {**alert_services.connections(), "slow_claims": json.dumps({"conn_type": "postgres", **facts})}
    dag_file = DAG_FILE.format(airflow_3=AIRFLOW_3, period=PERIOD, sweep=SWEEP, misses=MISSES)
    two = {"scheduler": 2, "triggerer": 2} if AIRFLOW_3 else {"scheduler": 2}
    airflow = Airflow(tmp_path, dag_file, connections, postgres, two, AIRFLOW__CORE__PARALLELISM="24", **EAGER)
    with running(airflow, "sweeps"):
        airflow.proxy = proxy
        yield airflow
    proxy.close()


def miss(airflow, dag_id):
    airflow.api.unpause(dag_id)
    if AIRFLOW_3:
        airflow.api.trigger(dag_id, datetime.now(UTC).isoformat(), {})


def release(airflow, dag_id):
    airflow.pause(dag_id)
    (airflow.folder / "dags" / f"release-{dag_id}").touch()


def pages(services, dag_id, kind):
    return [body for body in services.victorops() if body["dag_id"] == dag_id and body["message_type"] == kind]


def texts(services, dag_id, about):
    return [body["text"] for body in services.slack() if f" {dag_id} {about}" in body["text"]]


def test_what_gets_lost_is_told_later_and_a_database_that_hangs_holds_up_nobody(airflow, alert_services):
    figures = {**lost(airflow, alert_services), **failed(airflow, alert_services), **hung(airflow, alert_services)}
    assert airflow.secrets_shown() == []
    print_figures(**figures)


def lost(airflow, services):
    """VictorOps is down while the late task comes in."""
    miss(airflow, "recovers")
    airflow.wait(lambda: bool(pages(services, "recovers", "CRITICAL")), 180)
    services.gate = lambda path, body, port: 503 if path.startswith("/integrations/") else None
    release(airflow, "recovers")
    time.sleep(OUTAGE)
    services.gate = None
    back = time.time()
    airflow.wait(lambda: bool(pages(services, "recovers", "RECOVERY")), 30 + 2 * SWEEP)
    seconds = round(time.time() - back, 1)
    time.sleep(2 * SWEEP)  # a second one would have arrived by now
    assert len(pages(services, "recovers", "CRITICAL")) == len(pages(services, "recovers", "RECOVERY")) == 1
    assert len(texts(services, "recovers", "SLA Miss recovered for")) == 1
    assert seconds <= 30 + SWEEP
    print(f"VictorOps was down for {OUTAGE} s across a recovery; RECOVERY came {seconds} s after it was back")
    return {"recovery_after_outage_seconds": seconds}


def failed(airflow, services):
    """A task that was told as late fails for good."""
    miss(airflow, "fails")
    airflow.wait(lambda: bool(texts(services, "fails", "SLA Miss for task")), 180)
    release(airflow, "fails")
    began = time.time()
    airflow.wait(lambda: bool(texts(services, "fails", "Failure after SLA Miss for task slow_0")), 4 * SWEEP)
    seconds = round(time.time() - began, 1)
    time.sleep(SWEEP + 5)
    assert len(texts(services, "fails", "Failure after SLA Miss")) == 1
    assert len(pages(services, "fails", "CRITICAL")) == 2  # late, and then failed, in one incident
    assert len({body["entity_id"] for body in pages(services, "fails", "CRITICAL")}) == 1
    print(f"The late task failed for good; that was told {seconds} s later")
    return {"failed_since_seconds": seconds}


def hung(airflow, services):
    """The claims of one DAG hang; another DAG has its alert, and tasks in time are done, as ever."""
    miss(airflow, "hung")
    airflow.proxy.hang()
    began = time.time()
    miss(airflow, "other")
    airflow.wait(lambda: bool(texts(services, "other", "SLA Miss for task")), 120)
    due = pages(services, "other", "CRITICAL")[0]["state_start_time"]
    other = max(0.0, round(moment_of(services, "other") - due, 1))
    airflow.wait(lambda: len(pages(services, "hung", "CRITICAL")) >= MISSES, 120)
    due = pages(services, "hung", "CRITICAL")[0]["state_start_time"]
    paged = round(max(moments_of(services, "hung")) - due, 1)
    time.sleep(max(0.0, began + HANG - time.time()))
    airflow.proxy.flow()
    airflow.wait(lambda: len(set(texts(services, "hung", "SLA Miss for task"))) >= MISSES, 240)
    assert len({body["entity_id"] for body in pages(services, "hung", "CRITICAL")}) == MISSES
    for dag_id in ("hung", "other"):
        release(airflow, dag_id)
    # Measured: without a hanging database an alert comes 1 to 3 s after its deadline, the first of a triggerer later
    assert other <= 10 if AIRFLOW_3 else other <= 60
    assert paged <= 60 if AIRFLOW_3 else paged <= 120
    assert airflow.api.healthy()
    print(f"The claims hung for {HANG} s: {MISSES} pages within {paged} s, another DAG's alert after {other} s")
    return {"pages_while_claims_hung_seconds": paged, "other_dag_meanwhile_seconds": other}


def moments_of(services, dag_id):
    pairs = zip(services.moments, services.received, strict=True)
    return [moment for moment, (_, body) in pairs if body.get("dag_id") == dag_id]


def moment_of(services, dag_id):
    return moments_of(services, dag_id)[0]
