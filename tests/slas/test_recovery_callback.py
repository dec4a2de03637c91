"""What the success of a late task, or of a late run, tells; the states of tasks are told by the test."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from airflow_agari_provider.notifications.victorops_sla_miss import VictorOpsSlaMissNotifier
from airflow_agari_provider.slas import SlaAlert, recovery_callback
from airflow_agari_provider.slas.recovery_callback import OnSuccess
from tests.slas.airflow_calls import DATE, MISSED, RECOVERED, RUN_ID, SLACK, VICTOROPS, missed, succeeded


def test_a_late_task_that_comes_in_is_told_in_the_thread_and_closes_the_incident(watch, states, alerts):
    told = watch(SLACK, VICTOROPS)
    missed(told)
    for _ in range(2):  # as where Airflow runs a callback twice
        succeeded(told, start=datetime.now(UTC) - timedelta(seconds=1805))
    assert [(message["text"], message.get("thread_ts")) for message in alerts.slack()] == [
        (MISSED, None),
        (RECOVERED, "17.000002"),
    ]
    first, second = alerts.victorops()
    assert (second["message_type"], second["state_message"]) == ("RECOVERY", RECOVERED)
    assert second["entity_id"] == first["entity_id"] == f"airflow/EP_STAGE/telemetry/{RUN_ID}/load"
    assert re.match(r"Finished \d\d? s late", second["details"])


def test_a_run_may_be_a_dict_or_an_object(watch, states, alerts):
    told = watch(VICTOROPS, task_id=None, dag_id="telemetry", claims="")
    facts = {"dag_id": "telemetry", "dag_run_id": RUN_ID, "start_date": "2016-02-26T19:00:01Z", "run_type": "scheduled"}
    OnSuccess(told)({"dag_run": facts})
    OnSuccess(told)({"dag_run": SimpleNamespace(dag_id="telemetry", run_id=RUN_ID, start_date=DATE)})
    assert [alert["run_id"] for alert in alerts.victorops()] == [RUN_ID, RUN_ID]


def test_a_success_without_a_miss_is_not_told(watch, states, alerts):
    succeeded(watch(SLACK, VICTOROPS))
    assert alerts.received == []


def test_a_mapped_task_has_come_in_with_its_last_index(watch, states, alerts):
    told = watch(VICTOROPS, mapped=["load"])
    states[:] = [{"load_0": "running", "load_1": "running"}]
    missed(told)
    succeeded(told, map_index=0)
    assert len(alerts.victorops()) == 1
    states[:] = [{"load_0": "success", "load_1": "running"}]  # its own state may not be known yet
    succeeded(told, map_index=1)
    assert [alert["message_type"] for alert in alerts.victorops()] == ["CRITICAL", "RECOVERY"]


def test_an_escalation_is_one_incident_with_one_recovery(watch, states, alerts):
    warning = SlaAlert(VictorOpsSlaMissNotifier(victorops_conn_id="victorops", message_type="WARNING"))
    told = watch(warning, SlaAlert(VICTOROPS, after=timedelta(minutes=15)))
    for after in told.steps:
        missed(told.step(after), deadline=str(after))
    succeeded(told)
    assert [alert["message_type"] for alert in alerts.victorops()] == ["WARNING", "CRITICAL", "RECOVERY"]
    assert len({alert["entity_id"] for alert in alerts.victorops()}) == 1


def incident(alerts):
    return [(alert["message_type"], alert["task_id"]) for alert in alerts.victorops()]


def test_a_shared_incident_is_closed_with_the_last_of_those_in_it(watch, states, alerts):
    shared = [watch(VICTOROPS, SLACK, task_id=name, incident="run") for name in ("extract", "load")]
    states[:] = [{"extract": "running", "load": "running"}]
    for number, one in enumerate(shared):
        missed(one, deadline=str(number))
    states[:] = [{"extract": "success", "load": "running"}]
    succeeded(shared[0], task_id="extract")
    assert incident(alerts) == [("CRITICAL", "extract"), ("CRITICAL", "load")]
    assert len(alerts.slack()) == 3  # whose threads are not shared
    states[:] = [{"extract": "success", "load": "success"}]
    succeeded(shared[1])
    assert incident(alerts)[2:] == [("RECOVERY", "load")]
    assert {alert["entity_id"] for alert in alerts.victorops()} == {f"airflow/EP_STAGE/telemetry/{RUN_ID}"}


def test_a_shared_incident_stays_open_for_what_has_failed(watch, states, alerts):
    shared = [watch(VICTOROPS, task_id=name, incident="dag") for name in ("extract", "load")]
    states[:] = [{"extract": "running", "load": "running"}]
    for number, one in enumerate(shared):
        missed(one, deadline=str(number))
    states[:] = [{"extract": "failed", "load": "success"}]
    succeeded(shared[1])
    assert [kind for kind, _ in incident(alerts)] == ["CRITICAL", "CRITICAL"]


@pytest.mark.parametrize(
    ("told", "recoveries"),
    [({"extract": "success", "load": "success"}, 1), (RuntimeError("Airflow does not answer"), 0)],
    ids=["marked as a success by hand", "unknown"],
)
def test_airflow_is_asked_about_the_others_in_an_incident(told, recoveries, watch, states, alerts):
    """... because a task that was marked as a success by hand has called nobody."""
    shared = [watch(VICTOROPS, task_id=name, incident="run") for name in ("extract", "load")]
    states[:] = [{"extract": "running", "load": "running"}]
    for number, one in enumerate(shared):
        missed(one, deadline=str(number))
    states[:] = [told]
    succeeded(shared[1])
    assert [kind for kind, _ in incident(alerts)].count("RECOVERY") == recoveries


def test_a_run_closes_the_incident_of_its_tasks_and_asks_airflow_nothing(watch, states, alerts):
    """Airflow calls back for a run where it does not answer questions about runs."""
    task, run = watch(VICTOROPS, incident="run"), watch(VICTOROPS, task_id=None, incident="run", dag_id="telemetry")
    missed(task, deadline="1")
    missed(run, deadline="2")
    states[:] = [AssertionError("Airflow was asked")]
    OnSuccess(run)({"dag_run": SimpleNamespace(dag_id="telemetry", run_id=RUN_ID, run_after=DATE)})
    assert [alert["message_type"] for alert in alerts.victorops()] == ["CRITICAL", "CRITICAL", "RECOVERY"]


def test_without_its_claims_a_shared_incident_stays_open(watch, states, alerts, caplog):
    succeeded(watch(VICTOROPS, incident="run", claims="sql:there_is_no_such_connection"))
    assert alerts.received == []
    assert "the incident that load shares stays open. Close it." in caplog.text


def test_without_claims_a_recovery_only_closes_incidents(watch, states, alerts):
    told = watch(SLACK, VICTOROPS, claims="")
    missed(told)
    succeeded(told)
    assert [alert["message_type"] for alert in alerts.victorops()] == ["CRITICAL", "RECOVERY"]
    assert len(alerts.slack()) == 1


def test_without_claims_a_success_in_time_is_not_told(watch, states, alerts):
    succeeded(watch(VICTOROPS, claims=""), start=datetime.now(UTC))
    assert alerts.received == []


def test_without_claims_a_success_before_its_time_of_day_is_not_told(watch, states, alerts):
    now = datetime.now(UTC)
    for minutes, told in ((5, 0), (-5, 1)):
        by = f"{now + timedelta(minutes=minutes):%H:%M:%S} UTC"
        succeeded(watch(VICTOROPS, claims="", sla=0, by=by), start=now - timedelta(minutes=10))
        assert len(alerts.victorops()) == told


HALF_AN_HOUR_AGO = datetime.now(UTC) - timedelta(minutes=31)


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({"reference": "logical_date", "sla": 90000}, {"logical_date": datetime.now(UTC) - timedelta(hours=26)}),
        ({"reference": "planned"}, {"run_after": None, "data_interval_end": HALF_AN_HOUR_AGO}),
        ({}, {"run_after": HALF_AN_HOUR_AGO}),
    ],
    ids=["from the logical date", "from the planned start", "queued for long"],
)
def test_without_claims_a_recovery_counts_from_where_the_sla_does(changes, facts, watch, states, alerts):
    succeeded(watch(VICTOROPS, claims="", **changes), start=datetime.now(UTC) - timedelta(minutes=5), **facts)
    assert [alert["message_type"] for alert in alerts.victorops()] == ["RECOVERY"]


def test_without_claims_a_run_that_is_not_watched_recovers_nothing(watch, states, alerts):
    succeeded(watch(VICTOROPS, claims="", silent_for=["backfill"]), run_type="backfill")
    assert alerts.received == []


def test_a_run_s_recovery_ends_before_airflow_ends_its_process(watch, states, alerts, monkeypatch, caplog):
    monkeypatch.setattr(recovery_callback, "RUN_RECOVERY_FOR", 0.1)
    told = watch(VICTOROPS, task_id=None)
    missed(told)
    alerts.failures = [503] * 50
    dag = SimpleNamespace(dag_id="telemetry")
    OnSuccess(told)({"dag": dag, "run_id": RUN_ID, "dag_run": SimpleNamespace(logical_date=DATE, start_date=DATE)})
    assert "Gave up alerts that were not sent within 0 s" in caplog.text
    assert len(alerts.failures) > 45


def test_an_error_never_reaches_the_task(watch, states, alerts, caplog):
    succeeded(watch(VICTOROPS, claims="sql:there_is_no_such_connection"))
    assert "Without claims, the recovery of load only closes incidents" in caplog.text
