"""Arguments of ``set_slas`` that cannot be; ``test_set_slas.py`` has what a DAG file is told."""

from __future__ import annotations

from datetime import time, timedelta
from types import SimpleNamespace

import pytest

from airflow_agari_provider.alerts.history import FromHistory
from airflow_agari_provider.alerts.variable_sla import FromVariable
from airflow_agari_provider.slas.arguments import (
    DAG_RUN,
    check,
    check_alerts,
    check_digest,
    check_incident,
    check_quiet,
)

DAG = SimpleNamespace(dag_id="telemetry", task_ids=["load", "żółw"])
HOUR = timedelta(hours=1)


def checked(slas, claims="sql:claims", reference="queued_at", incident="task", when_failed="page"):
    check(DAG, slas, claims, reference, incident, when_failed)


def alert(after):
    return SimpleNamespace(after=after)


@pytest.mark.parametrize(
    "sla",
    [timedelta(microseconds=1), timedelta(days=366), time(0), time(23, 59, 59), FromHistory(), FromVariable("x", HOUR)],
    ids=["shortest", "longest", "midnight", "before it", "history", "variable"],
)
@pytest.mark.parametrize("name", ["żółw", DAG_RUN])
def test_an_sla_may_be_any_of_these(sla, name):
    checked({name: sla})


@pytest.mark.parametrize(
    "sla",
    [timedelta(0), timedelta(seconds=-1), timedelta(days=366, microseconds=1), timedelta.max, timedelta.min],
    ids=str,
)
def test_an_sla_is_above_zero_and_ends_before_dates_do(sla):
    with pytest.raises(ValueError, match="telemetry: the SLA of load must be longer than zero, and at most 366 days"):
        checked({"load": sla})


@pytest.mark.parametrize("sla", [None, 30, 1.5, float("nan"), "1:00", "{{ x }}", [HOUR], True], ids=repr)
def test_an_sla_of_another_type_is_named(sla):
    with pytest.raises(TypeError, match="telemetry: the SLA of the run must be a timedelta, a time of day"):
        checked({DAG_RUN: sla})


def test_tasks_that_there_are_not_are_all_named():
    with pytest.raises(ValueError, match=r"telemetry has no task a, loda; call set_slas after all tasks are defined\."):
        checked({"loda": HOUR, "a": HOUR, "load": HOUR})


@pytest.mark.parametrize(
    "claims", ["", "claims", "sql:", "sql: x", "sql:a b", "sql:a\n", "SQL:a", "postgres://u:p@h/d", 5]
)
def test_claims_are_named_by_a_connection(claims):
    with pytest.raises(ValueError, match="claims must be 'sql:<conn_id>' or None, not "):
        checked({"load": HOUR}, claims=claims)


@pytest.mark.parametrize("sla", [FromHistory(), FromVariable("x", HOUR)], ids=["history", "variable"])
def test_an_sla_that_is_learnt_needs_claims(sla):
    with pytest.raises(ValueError, match="That needs claims=, which record who was told"):
        checked({"load": sla}, claims=None)


@pytest.mark.parametrize(
    ("choice", "value"), [("reference", "run_after"), ("incident", ""), ("incident", None), ("when_failed", "PAGE")]
)
def test_a_choice_that_there_is_not_lists_those_that_there_are(choice, value):
    with pytest.raises(ValueError, match=f"{choice} is one of .*, not {value!r}"):
        checked({"load": HOUR}, **{choice: value})


def test_two_steps_to_one_place_and_one_step_to_two_places_are_fine():
    check_alerts(DAG, [alert(timedelta(0)), alert(HOUR), alert(HOUR)], ["a", "a", "b"], "sql:claims")
    check_alerts(DAG, [alert(timedelta(0))], ["a"], None)


@pytest.mark.parametrize(
    "after", [timedelta(seconds=-1), timedelta(days=367), timedelta.max, 15, "15 min", 0.5], ids=repr
)
def test_a_step_is_a_time_after_the_sla(after):
    with pytest.raises(ValueError, match="after= of an alert must be a time after the SLA, as a timedelta of up"):
        check_alerts(DAG, [alert(after)], ["a"], "sql:claims")


@pytest.mark.parametrize(
    ("alerts", "places", "claims", "says"),
    [
        ([], [], "sql:claims", "alerts is empty, so no alert would be sent"),
        ([alert(HOUR)], ["a"], None, "an alert with after= needs claims="),
        (
            [alert(HOUR), alert(timedelta(minutes=60))],
            ["Slack x ", "Slack x "],
            "sql:claims",
            "two alerts go to Slack x at",
        ),
    ],
    ids=["none", "no claims", "twice"],
)
def test_alerts_that_would_never_be_sent_are_refused(alerts, places, claims, says):
    with pytest.raises(ValueError, match=f"telemetry: {says}"):
        check_alerts(DAG, alerts, places, claims)


def test_a_shared_incident_needs_claims_and_without_them_slack_may_hear_twice(caplog):
    caplog.set_level("INFO")
    check_incident(DAG, "sql:claims", "run")
    assert caplog.text == ""
    check_incident(DAG, None, "task")
    assert "Slack may get an alert twice" in caplog.text
    with pytest.raises(ValueError, match="telemetry: incident='dag' needs claims="):
        check_incident(DAG, "", "dag")


@pytest.mark.parametrize("digest", [None, timedelta(microseconds=1), timedelta(minutes=30)])
def test_misses_are_collected_for_up_to_half_an_hour(digest):
    check_digest(DAG, "sql:claims", digest)


@pytest.mark.parametrize(
    "digest", [timedelta(0), timedelta(minutes=30, microseconds=1), -HOUR, timedelta.max, 60, "60", False]
)
def test_and_no_longer(digest):
    with pytest.raises(ValueError, match="telemetry: digest must be above zero and at most 0:30:00, not"):
        check_digest(DAG, "sql:claims", digest)


def test_a_digest_and_quiet_hours_need_claims():
    with pytest.raises(ValueError, match="digest= needs claims="):
        check_digest(DAG, None, HOUR)
    with pytest.raises(ValueError, match="quiet= needs claims="):
        check_quiet(DAG, None, ["Sat 00:00-24:00"])
    check_digest(DAG, None, None)
    check_quiet(DAG, None, [])


def test_one_text_in_place_of_a_list_of_hours_is_no_list_of_letters():
    with pytest.raises(TypeError, match=r"telemetry: quiet must be a list, such as \['Sat'\], not one string"):
        check_quiet(DAG, "sql:claims", "Sat")
