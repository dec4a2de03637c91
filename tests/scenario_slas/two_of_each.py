"""
Two schedulers and two triggerers on PostgreSQL: 100 misses at the same moment; senders killed before and after the
post; services that are down for a minute, and services that refuse. Each alert arrives once, and a digest too.

No task runs: all wait for a slot of an empty pool, so that the machine is free for the alerts.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from datetime import UTC, datetime

import pytest

from airflow_agari_provider.local.demo.airflow_home import AIRFLOW_3
from tests.airflow_processes import EAGER, Airflow, running, without_settings_of_tests
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
    period = {schedules}.get(dag_id)
    schedule = timedelta(seconds=period) if period else None
    with DAG(dag_id, schedule=schedule, start_date=timezone.datetime(2016, 2, 1), catchup=False) as dag:
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
DAG_IDS = ("storm", *KILLED, "outage", "refused", "healthy", *(("digest",) if AIRFLOW_3 else ()))
OUTAGE = 60  # seconds
# Airflow 2.11 watches scheduled runs only: there each run of a DAG is late, from the second on. Seconds between them:
SCHEDULES = {} if AIRFLOW_3 else {"storm": 120, **dict.fromkeys(DAG_IDS[1:], 30)}


@pytest.fixture
def airflow(tmp_path, alert_services, postgres_server, monkeypatch):
    without_settings_of_tests(monkeypatch)
    misses = {"storm": MISSES, "digest": DIGESTED}
    dag_file = DAG_FILE.format(dag_ids=DAG_IDS, misses=misses, schedules=SCHEDULES)
    two = {"scheduler": 2, "triggerer": 2}

    def postgres(name: str) -> str:
        postgres_server.psql(f"create database {name};")
        return str(postgres_server.get_uri(name))

    airflow = Airflow(tmp_path, dag_file, alert_services.connections(), postgres, two, **EAGER)
    with running(airflow, "storm"):
        yield airflow


def miss(airflow, dag_id: str) -> None:
    """Let a run of the DAG be late; on Airflow 2.11 the next one, and those after it."""
    airflow.api.unpause(dag_id)
    if AIRFLOW_3:
        airflow.api.trigger(dag_id, datetime.now(UTC).isoformat(), {})
    else:  # which watches no task that has not succeeded before
        airflow.wait(lambda: bool(airflow.runs(dag_id)), 90)
        airflow.mark_success(dag_id, airflow.runs(dag_id)[0]["dag_run_id"])


def texts(services, dag_id: str) -> dict[str, Counter[str]]:
    """What each service was told of this DAG, and how often."""
    return {
        "Slack": Counter(body["text"] for body in services.slack() if f" {dag_id} " in body["text"]),
        "VictorOps": Counter(body["state_message"] for body in services.victorops() if body["dag_id"] == dag_id),
    }


def arrived(services, dag_id: str, text: str = "") -> bool:
    """Whether both services were told this of the DAG; by default, anything."""
    return all(any(text in one for one in told) for told in texts(services, dag_id).values())


def assert_each_once(services, dag_id: str) -> None:
    """Each late run of the DAG was told once to each service."""
    slack, victorops = texts(services, dag_id).values()
    assert slack == victorops
    assert set(slack.values()) == {1}
    assert len(slack) == 1 or not AIRFLOW_3


def test_two_of_each(airflow, alert_services):
    services = alert_services
    airflow.airflow("pools", "set", "closed", "0", "nothing runs")
    figures: dict[str, float] = {}
    miss(airflow, "storm")
    airflow.wait(lambda: len(services.received) >= 2 * MISSES, 240)
    time.sleep(15)  # a duplicate alert would have arrived by now
    told, entities = texts(services, "storm")["Slack"], incidents(services, "storm")
    assert (told.total(), len(told)) == (MISSES, MISSES)
    assert (len(entities), len(set(entities))) == (MISSES, MISSES)
    due = services.victorops()[0]["state_start_time"]
    seconds = sorted(moment - due for moment in services.moments)
    figures |= {"misses": MISSES, "storm_first_seconds": round(seconds[0], 1)}
    figures |= {"storm_last_seconds": round(seconds[-1], 1)}
    print(f"{MISSES} misses at once: one alert for each, after {seconds[0]:.1f} to {seconds[-1]:.1f} s")
    airflow.pause("storm")
    figures |= killed(airflow, services)
    figures |= refused(airflow, services)
    assert airflow.secrets_shown() == []
    print_figures(**figures)


def killed(airflow, services):
    """Kill one sender before Slack has its alert and another just after; then stop the services for a minute."""
    held: dict[str, tuple[int, str]] = {}
    killed = threading.Event()

    def gate(path, body, port):
        for dag_id in KILLED:
            if f" {dag_id} " in str(body.get("text")) and dag_id not in held:
                if dag_id == "killed_after":
                    services.take(path, body)
                held[dag_id] = port, body["text"]
                killed.wait(60)
                return "nothing"
        return None

    if AIRFLOW_3:
        miss(airflow, "digest")  # its window ends during the kills
        airflow.wait(lambda: bool(digested(services)), 60)
    services.gate = gate
    began = time.time()
    for dag_id in KILLED:
        killed.clear()
        miss(airflow, dag_id)
        airflow.wait(lambda dag_id=dag_id: dag_id in held, 90)
        victim = airflow.kill_owner_of(held[dag_id][0])
        killed.set()
        print(f"{victim} was killed {dag_id.partition('_')[2]} its post to Slack; it is started again")
        name, _, number = victim.rpartition("-")
        airflow.start_service(name, int(number))
    services.gate = None
    figures = outage(airflow, services)
    airflow.wait(lambda: all(arrived(services, dag_id, text) for dag_id, (_, text) in held.items()), 240)
    figures["after_kill_seconds"] = round(time.time() - began, 1)
    print(f"The alerts of the killed senders arrived within {figures['after_kill_seconds']} s")
    if AIRFLOW_3:
        airflow.wait(lambda: sum(digested(services)) >= DIGESTED, 60)
        airflow.wait(lambda: len(incidents(services, "digest")) >= DIGESTED, 180)
    for dag_id in KILLED:
        airflow.pause(dag_id)
    time.sleep(10)
    for dag_id in KILLED:
        assert_each_once(services, dag_id)
    if not AIRFLOW_3:
        return figures
    print(f"{DIGESTED} misses with a digest; misses per message: {digested(services)}")
    assert sum(digested(services)) == DIGESTED
    assert len(digested(services)) < DIGESTED / 3  # one or two windows, and perhaps some that Airflow found later
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
    time.sleep(OUTAGE + SCHEDULES.get("outage", 0))
    services.open()
    back = time.time()
    airflow.wait(lambda: arrived(services, "outage"), 120)
    seconds = round(time.time() - back, 1)
    print(f"The service was down for {OUTAGE} s; alerts arrived {seconds} s later")
    airflow.pause("outage")
    time.sleep(5)
    assert_each_once(services, "outage")
    return {"after_outage_seconds": seconds}


def refused(airflow, services):
    def gate(path, body, port):
        if " refused " in str(body):
            return 404 if path.startswith("/integrations/") else "channel_not_found"
        return None

    services.gate = gate
    miss(airflow, "refused")
    airflow.wait(lambda: len(refusals(airflow)) >= 2, 90)
    airflow.api.unpause("healthy")
    if AIRFLOW_3:
        airflow.api.trigger("healthy", datetime.now(UTC).isoformat(), {})
    airflow.wait(lambda: "success" in [run["state"] for run in airflow.runs("healthy")], 90)
    airflow.pause("refused")
    time.sleep(5)
    for error in refusals(airflow):
        print(f"Logged once: {error}")
    assert set(refusals(airflow).values()) == {1}
    assert len(refusals(airflow)) == 2 or not AIRFLOW_3  # one for each service
    assert not any(texts(services, "refused").values())
    assert {"running"} <= {run["state"] for run in airflow.runs("refused")} <= {"running", "success"}
    assert airflow.api.healthy()
    return {"errors_when_refused": len(refusals(airflow))}


def refusals(airflow) -> Counter[str]:
    """What Airflow's logs say of alerts that were refused, and how often."""
    return Counter(found for _, text in airflow.logs() for found in re.findall("Alert .* was refused.*?[.]", text))
