"""What is left to tell of an alert whose task nobody watches any more."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from airflow_agari_provider.alerts.miss import TaskInState
from airflow_agari_provider.alerts.open_claims import OpenClaim
from airflow_agari_provider.alerts.sla import Watch
from airflow_agari_provider.alerts.sweeper import RunAsItIs, unanswered, verdict

NOW, WEEK = 10_000.0, 7 * 86400.0
SENT = OpenClaim("id", "sent", NOW - 600, NOW - 600, "Slack", NOW - 600, "{}", "late", None)
WATCH = Watch(task_id="load", sla=1800, alerts=[])
STATES = ("sent", "sending", "doubtful", "postponed", "silenced", "refused", "collected", "told")


def run(load, state="running", extract="success"):
    return RunAsItIs(state, [TaskInState("extract", extract), TaskInState("load", load)])


def claim(state, **changes):
    return replace(SENT, state=state, **changes)


@pytest.mark.parametrize(
    ("state", "over"),
    [
        ("sent", "recovered"),
        ("sending", "recovered"),
        ("doubtful", "recovered"),
        ("postponed", "unsent"),
        ("silenced", "unsent"),
        ("refused", "unsent"),
        ("collected", "unsent"),
        ("told", "unsent"),
    ],
)
def test_what_was_told_recovers_and_what_was_not_is_only_closed(state, over):
    for done in ("success", "skipped", "removed"):
        assert verdict(claim(state), WATCH, run(done), NOW, WEEK) == over
    assert verdict(claim(state), WATCH, None, NOW, WEEK) == over.replace("recovered", "deleted")


@pytest.mark.parametrize(
    ("state", "late"),
    [
        ("sent", "wait"),
        ("sending", "send"),
        ("doubtful", "send"),
        ("postponed", "send"),
        ("silenced", "send"),
        ("refused", "wait"),
        ("collected", "wait"),
        ("told", "wait"),
    ],
)
def test_what_was_never_told_and_is_still_late_is_sent(state, late):
    assert verdict(claim(state), WATCH, run("running"), NOW, WEEK) == late


def test_who_sends_looks_whether_a_silence_has_ended_before_its_time():
    assert verdict(claim("silenced", claimed_at=NOW + 1), WATCH, run("running"), NOW, WEEK) == "send"


@pytest.mark.parametrize("state", ["doubtful", "postponed"])
def test_it_is_not_sent_before_its_time(state):
    assert verdict(claim(state, claimed_at=NOW + 1), WATCH, run("running"), NOW, WEEK) == "wait"


def test_who_is_sending_has_the_time_of_a_lease():
    for load in ("running", "success"):
        assert verdict(claim("sending", claimed_at=NOW - 119), WATCH, run(load), NOW, WEEK) == "wait"
    assert verdict(claim("sending", claimed_at=NOW - 120), WATCH, run("running"), NOW, WEEK) == "send"


@pytest.mark.parametrize(
    ("changes", "found", "told"),
    [
        ({}, run("failed"), "failed"),
        ({}, run("upstream_failed", extract="failed"), "failed"),
        ({}, run(None, state="failed"), "failed"),
        ({}, run("up_for_retry"), "wait"),
        ({}, run("running", extract="failed"), "wait"),
        ({"standing": "perhaps late"}, run("failed"), "failed"),
        ({"standing": "failed"}, run("failed"), "wait"),
        ({"standing": "failed and therefore late"}, run("upstream_failed"), "wait"),
        ({"failed_at": NOW - 60}, run("failed"), "wait"),
    ],
    ids=["failed", "before it", "run", "retry", "other", "perhaps", "as failed", "as therefore late", "told already"],
)
def test_who_was_told_that_it_is_late_is_told_once_that_it_has_failed(changes, found, told):
    assert verdict(replace(SENT, **changes), WATCH, found, NOW, WEEK) == told


def test_who_wants_no_failures_is_not_told_of_a_later_one_either():
    assert verdict(SENT, replace(WATCH, when_failed="skip"), run("failed"), NOW, WEEK) == "wait"
    assert verdict(SENT, replace(WATCH, when_failed="downgrade"), run("failed"), NOW, WEEK) == "failed"


@pytest.mark.parametrize("state", STATES)
def test_an_alert_is_given_up_after_a_time_but_not_its_recovery(state):
    old = claim(state, first_at=NOW - WEEK, claimed_at=NOW - WEEK)
    assert verdict(old, WATCH, run("running"), NOW, WEEK) == "given up"
    assert verdict(old, WATCH, run("running"), NOW - 1, WEEK) != "given up"
    assert verdict(old, WATCH, run("success"), NOW, WEEK) in ("recovered", "unsent")
    assert (unanswered(old, NOW, WEEK), unanswered(old, NOW - 1, WEEK)) == ("given up", "wait")


def test_the_run_itself_is_late_until_it_has_succeeded():
    watch = replace(WATCH, task_id=None)
    assert verdict(SENT, watch, run("success", state="success"), NOW, WEEK) == "recovered"
    assert verdict(SENT, watch, run("success"), NOW, WEEK) == "wait"
    assert verdict(SENT, watch, run("success", state="failed"), NOW, WEEK) == "failed"


def test_a_task_was_done_with_the_last_of_its_indexes():
    at = [datetime(2016, 2, 26, 18, minute, tzinfo=UTC) for minute in range(4)]
    tasks = [TaskInState("load", "success", index, until=at[2 - index]) for index in range(2)]
    found = RunAsItIs("success", [*tasks, TaskInState("report", "success", until=at[3])])
    assert found.ended_of("load") == at[2]
    assert (found.ended_of(None), replace(found, ended=at[0]).ended_of(None)) == (at[3], at[0])
    assert replace(found, tasks=[*tasks, TaskInState("load", "success", 2)]).ended_of("load") is None
