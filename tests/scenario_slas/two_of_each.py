"""
Two schedulers and two triggerers on PostgreSQL: 100 misses at the same moment; senders killed before and after the
post; services that are down for a minute, and services that refuse. Each alert arrives once, and a digest too.

No task runs: all wait for a slot of a pool that has none, so that the machine has its hands free for the alerts.
"""

from __future__ import annotations

import re
import threading
import time
from datetime import UTC, datetime

import pytest

from airflow_agari_provider.local.airflow_home import AIRFLOW_3
from tests.fix_airflow import EAGER, Airflow, running, without_settings_of_tests
from tests.scenario_slas.figures import print_figures

DAG_FILE = """
from datetime import timedelta

from airflow_agari_provider.airflow_compat import DAG, task, timezone
from airflow_agari_provider.notifications.slack_sla_miss import SlackSlaMissNotifier
from airflow_agari_provider.notifications.victorops_sla_miss import VictorOpsSlaMissNotifier
from airflow_agari_provider.slas import set_slas

ALERTS = [
    SlackSlaMissNotifier(slack_conn_id="slack_api", channel="C012AB3CD"),
    VictorOpsSlaMissNotifier(victorops_conn_id="victorops"),
]

for dag_id in {dag_ids}:
    with DAG(dag_id, schedule={schedule}, start_date=timezone.datetime(2016, 2, 1), catchup=False) as dag:
        for number in range({misses}.get(dag_id, 1)):

            @task(task_id=f"task_{{number}}", pool="default_pool" if dag_id == "healthy" else "closed")
            def work():
                pass

            work()
    slas = dict.fromkeys(dag.task_ids, timedelta(seconds=5))
    digest = timedelta(seconds=30) if dag_id == "digest" else None
    set_slas(dag, slas, alerts=ALERTS, claims="sql:claims", digest=digest)
    globals()[dag_id] = dag
"""
MISSES = 100
DIGESTED = 30
KILLED = ("killed_before", "killed_after")
DAG_IDS = ("storm", "digest", *KILLED, "outage", "refused", "healthy") if AIRFLOW_3 else ("storm",)
OUTAGE = 60  # seconds


@pytest.fixture
def airflow(tmp_path, alert_services, postgres_server, monkeypatch):
    without_settings_of_tests(monkeypatch)
    schedule = "None" if AIRFLOW_3 else "timedelta(seconds=120)"
    misses = {"storm": MISSES, "digest": DIGESTED}
    dag_file = DAG_FILE.format(dag_ids=DAG_IDS, misses=misses, schedule=schedule)
    two = {"scheduler": 2, "triggerer": 2}

    def postgres(name: str) -> str:
        postgres_server.psql(f"create database {name};")
        return str(postgres_server.get_uri(name))

    airflow = Airflow(tmp_path, dag_file, alert_services.connections(), postgres, two, **EAGER)
    with running(airflow, "storm"):
        yield airflow


def miss(airflow, dag_id: str) -> None:
    """Let a run of the DAG be late."""
    airflow.api.unpause(dag_id)
    airflow.api.trigger(dag_id, datetime.now(UTC).isoformat(), {})


def received(services, dag_id: str) -> list[str]:
    """Who was told of this DAG, sorted: ``Slack`` or ``VictorOps`` for each message."""
    slack = ["Slack" for body in services.slack() if f" {dag_id} " in body["text"]]
    return slack + ["VictorOps" for body in services.victorops() if body["dag_id"] == dag_id]


def test_two_of_each(airflow, alert_services):
    services = alert_services
    airflow.airflow("pools", "set", "closed", "0", "nothing runs")
    figures = {}
    if AIRFLOW_3:
        miss(airflow, "storm")
    else:  # which watches no task that has not succeeded before
        airflow.wait(lambda: bool(airflow.runs("storm")), 90)
        airflow.mark_success("storm", airflow.runs("storm")[0]["dag_run_id"])
    airflow.wait(lambda: len(services.received) >= 2 * MISSES, 240)
    time.sleep(15)  # whoever would double has had the time
    texts = [body["text"] for body in services.slack()]
    entities = incidents(services, "storm")
    assert (len(texts), len(set(texts))) == (MISSES, MISSES)
    assert (len(entities), len(set(entities))) == (MISSES, MISSES)
    due = services.victorops()[0]["state_start_time"]
    seconds = sorted(moment - due for moment in services.moments)
    figures |= {"misses": MISSES, "storm_first_seconds": round(seconds[0], 1)}
    figures |= {"storm_last_seconds": round(seconds[-1], 1)}
    print(f"{MISSES} misses at once: each told once, after {seconds[0]:.1f} to {seconds[-1]:.1f} s")
    if AIRFLOW_3:
        figures |= killed(airflow, services)
        figures |= refused(airflow, services)
    assert airflow.secrets_shown() == []
    print_figures(**figures)


def killed(airflow, services):
    """The sender of one alert before Slack has it, of another one just after; and a minute without any service."""
    held: dict[str, int] = {}
    killed = threading.Event()

    def gate(path, body, port):
        for dag_id in KILLED:
            if f" {dag_id} " in str(body.get("text")) and dag_id not in held:
                if dag_id == "killed_after":
                    services.take(path, body)
                held[dag_id] = port
                killed.wait(60)
                return "nothing"
        return None

    miss(airflow, "digest")  # whose window ends in the middle of all this
    airflow.wait(lambda: bool(digested(services)), 60)
    services.gate = gate
    began = time.time()
    for dag_id in KILLED:
        killed.clear()
        miss(airflow, dag_id)
        airflow.wait(lambda dag_id=dag_id: dag_id in held, 60)
        victim = airflow.kill_owner_of(held[dag_id])
        killed.set()
        print(f"{victim} was killed {dag_id.partition('_')[2]} its post; started again")
        name, _, number = victim.rpartition("-")
        airflow.start_service(name, int(number))
    services.gate = None
    figures = outage(airflow, services)
    airflow.wait(lambda: all(len(received(services, dag_id)) >= 2 for dag_id in KILLED), 240)
    figures["after_kill_seconds"] = round(time.time() - began, 1)
    print(f"what the killed ones were about to tell was told by {figures['after_kill_seconds']} s after")
    airflow.wait(lambda: sum(digested(services)) >= DIGESTED, 60)
    airflow.wait(lambda: len(incidents(services, "digest")) >= DIGESTED, 180)
    time.sleep(10)
    for dag_id in KILLED:
        assert received(services, dag_id) == ["Slack", "VictorOps"]
    print(f"{DIGESTED} misses with a digest: messages of {digested(services)} misses")
    assert sum(digested(services)) == DIGESTED
    assert len(incidents(services, "digest")) == len(set(incidents(services, "digest"))) == DIGESTED
    return {**figures, "digest_messages": len(digested(services))}


def digested(services) -> list[int]:
    """How many misses each message tells of the DAG with a digest."""
    texts = [body["text"] for body in services.slack() if " digest " in body["text"]]
    return [int(more[1]) if (more := re.search(r"for (\d+) more$", text)) else 1 for text in texts]


def incidents(services, dag_id: str) -> list[str]:
    return [body["entity_id"] for body in services.victorops() if body["dag_id"] == dag_id]


def outage(airflow, services):
    services.close()
    miss(airflow, "outage")
    time.sleep(OUTAGE)
    services.open()
    back = time.time()
    airflow.wait(lambda: len(received(services, "outage")) >= 2, 120)
    seconds = round(time.time() - back, 1)
    print(f"nobody listened for {OUTAGE} s; the alerts arrived {seconds} s after that")
    time.sleep(5)
    assert received(services, "outage") == ["Slack", "VictorOps"]
    return {"after_outage_seconds": seconds}


def refused(airflow, services):
    def gate(path, body, port):
        if " refused " in str(body):
            return 404 if path.startswith("/integrations/") else "channel_not_found"
        return None

    services.gate = gate
    miss(airflow, "refused")
    airflow.wait(lambda: len(errors(airflow)) >= 2, 60)
    airflow.api.unpause("healthy")
    run_id = airflow.api.trigger("healthy", datetime.now(UTC).isoformat(), {})
    airflow.wait(lambda: airflow.api.run_state("healthy", run_id) == "success", 60)
    time.sleep(5)
    for error in errors(airflow):
        print(f"in the log, once: {error}")
    assert len(errors(airflow)) == 2  # one for each service
    assert received(services, "refused") == []
    assert airflow.api.run_state("refused", airflow.runs("refused")[0]["dag_run_id"]) == "running"
    assert airflow.api.healthy()
    return {"errors_when_refused": len(errors(airflow))}


def errors(airflow) -> list[str]:
    """Lines of Airflow's logs that say that an alert was refused."""
    lines = [line for _, text in airflow.logs() for line in text.splitlines()]
    return [line for line in lines if "was refused" in line]
