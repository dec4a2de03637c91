from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airflow_agari_provider.alerts.miss import SlaMiss, TaskInState
from airflow_agari_provider.alerts.victorops_payload import checked_message_type, message_type_of, victorops_alert

DUE = datetime(2016, 2, 26, 19, 30, tzinfo=UTC)
MISS = SlaMiss(
    dag_id="telemetry",
    run_id="run",
    task_id="load",
    date="2016-02-26T18:00:00",
    environment="EP_STAGE",
    due=DUE,
    at=DUE + timedelta(minutes=3),
    owner="ada",
    blocking=(TaskInState("extract", "running", try_number=2),),
    run_url="https://airflow/run",
    task_url="https://airflow/task",
)


def test_an_alert_has_identity_title_text_facts_and_links():
    assert victorops_alert(MISS, "CRITICAL", fields={"team": "data"}) == {
        "message_type": "CRITICAL",
        "entity_id": "airflow/EP_STAGE/telemetry/run/load",
        "entity_display_name": "telemetry.load late by 3 min (run)",
        "state_message": "EP_STAGE - telemetry SLA Miss for task load on 2016-02-26T18:00:00",
        "state_start_time": 1456515000,
        "monitoring_tool": "Airflow",
        "details": "Late by 3 min, due 2016-02-26 19:30:00 UTC, owner ada",
        "dag_id": "telemetry",
        "run_id": "run",
        "task_id": "load",
        "owner": "ada",
        "blocking_tasks": "extract (running, try 2)",
        "vo_annotate.u.Task": "https://airflow/task",
        "vo_annotate.u.Run": "https://airflow/run",
        "team": "data",
    }


def test_a_recovery_has_the_entity_id_of_the_miss():
    recovery = victorops_alert(replace(MISS, event="recovery"), "RECOVERY")
    assert recovery["entity_id"] == "airflow/EP_STAGE/telemetry/run/load"
    assert recovery["state_message"] == "EP_STAGE - telemetry SLA Miss recovered for task load on 2016-02-26T18:00:00"


def test_a_text_that_is_too_long_is_cut_with_a_marker():
    message = victorops_alert(MISS, "INFO", "x" * 30_000)["state_message"]
    assert len(message) == 20_480
    assert message.endswith("x… (cut)")


@pytest.mark.parametrize(
    ("changes", "message_type"),
    [
        ({}, "CRITICAL"),
        ({"event": "failure"}, "CRITICAL"),
        ({"downgraded": True}, "WARNING"),
        ({"event": "retry"}, "INFO"),
        ({"event": "start"}, "INFO"),
        ({"event": "success"}, "RECOVERY"),
        ({"event": "recovery"}, "RECOVERY"),
    ],
    ids=["miss", "failure", "downgraded", "retry", "start", "success", "recovery"],
)
def test_only_a_miss_or_a_failure_opens_an_incident(changes, message_type):
    assert message_type_of(replace(MISS, **changes), "CRITICAL") == message_type


def test_types_are_written_in_upper_case_and_others_are_refused():
    assert checked_message_type("warning") == "WARNING"
    with pytest.raises(ValueError, match="CRITICAL, WARNING, INFO, ACKNOWLEDGEMENT, RECOVERY, not 'urgent'"):
        checked_message_type("urgent")
