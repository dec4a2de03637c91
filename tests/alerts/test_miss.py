from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airflow_agari_provider.alerts.miss import SlaMiss, TaskInState, duration_text

DUE = datetime(2016, 2, 26, 19, 30, tzinfo=UTC)
MISS = SlaMiss(
    dag_id="ep_telemetry_v2",
    run_id="scheduled__2016-02-26T18:00:00+00:00",
    task_id="send_email_notification_flow_successful",
    date="2016-02-26T18:00:00",
    environment="EP_STAGE",
    due=DUE,
    at=DUE + timedelta(minutes=17, seconds=5),
    owner="telemetry",
)


def test_the_text_is_the_published_sentence():
    assert MISS.text == (
        "EP_STAGE - ep_telemetry_v2 SLA Miss for task send_email_notification_flow_successful on 2016-02-26T18:00:00"
    )


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"environment": ""}, "ep_telemetry_v2 SLA Miss for task load on 2016-02-26T18:00:00"),
        ({"task_id": None}, "EP_STAGE - ep_telemetry_v2 SLA Miss for the run on 2016-02-26T18:00:00"),
        ({"event": "recovery"}, "EP_STAGE - ep_telemetry_v2 SLA Miss recovered for task load on 2016-02-26T18:00:00"),
        ({"event": "failure"}, "EP_STAGE - ep_telemetry_v2 Failure of task load on 2016-02-26T18:00:00"),
    ],
    ids=["no environment", "the run", "recovery", "failure"],
)
def test_other_texts(changes, text):
    assert replace(MISS, **{"task_id": "load", **changes}).text == text


@pytest.mark.parametrize(
    ("changes", "details"),
    [
        ({}, "Late by 17 min, due 2016-02-26 19:30:00 UTC, owner telemetry"),
        ({"standing": "failed"}, "Failed, due 2016-02-26 19:30:00 UTC, owner telemetry"),
        ({"standing": "failed and therefore late", "owner": "", "due": None}, "Failed and therefore late"),
        ({"event": "recovery"}, "Finished 17 min late, owner telemetry"),
        ({"due": None, "at": None, "owner": ""}, "Late"),
    ],
    ids=["late", "failed", "failed before", "recovery", "nothing known"],
)
def test_the_details_say_how_it_stands(changes, details):
    assert replace(MISS, **changes).details == details


@pytest.mark.parametrize(
    ("scope", "task_id", "environment", "entity_id"),
    [
        ("task", "load", "EP_STAGE", "airflow/EP_STAGE/ep_telemetry_v2/scheduled__2016-02-26T18:00:00+00:00/load"),
        ("task", None, "EP_STAGE", "airflow/EP_STAGE/ep_telemetry_v2/scheduled__2016-02-26T18:00:00+00:00/run"),
        ("run", "load", "EP_STAGE", "airflow/EP_STAGE/ep_telemetry_v2/scheduled__2016-02-26T18:00:00+00:00"),
        ("dag", "load", "", "airflow/default/ep_telemetry_v2"),
    ],
)
def test_one_incident_per_task_run_or_dag(scope, task_id, environment, entity_id):
    assert replace(MISS, scope=scope, task_id=task_id, environment=environment).entity_id == entity_id


def test_the_incident_s_title_says_what_and_how_late():
    assert replace(MISS, task_id="load").display_name == (
        "ep_telemetry_v2.load late by 17 min (scheduled__2016-02-26T18:00:00+00:00)"
    )
    assert replace(MISS, task_id=None, standing="failed").display_name == (
        "ep_telemetry_v2 failed (scheduled__2016-02-26T18:00:00+00:00)"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7500, "2 h 5 min"), (86400 * 3 + 4 * 3600, "3 d 4 h"), (-5, "0 s")],
)
def test_durations_are_short(seconds, text):
    assert duration_text(timedelta(seconds=seconds)) == text


def test_a_task_is_told_with_index_state_and_try():
    assert str(TaskInState("load", "up_for_retry", 3, try_number=2)) == "load[3] (up for retry, try 2)"
    assert str(TaskInState("load", None)) == "load (not scheduled)"
