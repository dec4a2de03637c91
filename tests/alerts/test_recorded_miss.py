"""From rows of the claims to misses."""

from __future__ import annotations

import pytest

from airflow_agari_provider.alerts.recorded_miss import RecordedMiss, Standing, recorded_misses, settled
from tests.alerts.alert_rows import DUE, alert_row

SLACK = {
    "service": "Slack",
    "destination": "Slack slack_default #late",
    "state": "sent",
    "at": DUE + 1,
    "step": 0.0,
    "reference": "C012AB3CD:17.000001",
    "silence": "",
    "recovery": "",
}


def test_all_alerts_of_a_miss_are_one_miss():
    pager = alert_row(destination="VictorOps pager data", service="VictorOps", state="refused", first_at=DUE + 2)
    (miss,) = recorded_misses([pager, alert_row()])
    told = {**SLACK, "service": "VictorOps", "destination": "VictorOps pager data", "state": "refused", "at": DUE + 2}
    assert miss.told == [SLACK, {**told, "reference": ""}]
    assert miss == RecordedMiss(
        environment="EP",
        dag_id="scoring",
        run_id="r1",
        task_id="load",
        sla="1800",
        owner="data",
        incident="airflow/EP/scoring/r1/load",
        due_at=DUE,
        found_at=DUE + 1,
        came_in_at=None,
        outcome="open",
        alerts=[alert_row(), pager],
        recoveries={},
    )


@pytest.mark.parametrize(
    "other",
    [
        alert_row("r2"),
        alert_row(task=""),
        alert_row(sla="3600", due_at=DUE + 1800),
        alert_row(sla="07:00:00 UTC"),
    ],
    ids=["another run", "the run itself", "another SLA of the task", "an SLA of the same moment"],
)
def test_other_runs_tasks_and_slas_are_other_misses(other):
    assert len(recorded_misses([alert_row(), other])) == 2


def test_the_latest_miss_comes_first():
    late, later = alert_row("r1"), alert_row("r2", due_at=DUE + 60)
    assert [miss.run_id for miss in recorded_misses([late, later])] == ["r2", "r1"]


@pytest.mark.parametrize(
    ("changed", "outcome", "late"),
    [
        ({}, "open", None),
        ({"recovered_at": DUE + 90}, "came in", 90.0),
        ({"recovered_at": DUE - 5}, "came in", 0.0),
        ({"closed_at": DUE + 90, "closed_as": "given up"}, "given up", None),
        ({"closed_at": DUE + 90, "closed_as": "deleted"}, "run deleted", None),
        ({"closed_at": DUE + 90, "closed_as": "recovered"}, "came in", None),
        ({"closed_at": DUE + 90}, "closed", None),
        ({"closed_at": DUE + 99, "closed_as": "given up", "recovered_at": DUE + 90}, "came in", 90.0),
    ],
    ids=["open", "came in", "in before its SLA", "given up", "deleted", "recovered", "closed", "both"],
)
def test_what_has_become_of_a_miss(changed, outcome, late):
    (miss,) = recorded_misses([alert_row(**changed)])
    assert (miss.outcome, miss.came_in_late, miss.is_open) == (outcome, late, outcome == "open")


def test_a_task_that_came_in_for_one_alert_came_in_for_all():
    (miss,) = recorded_misses([alert_row(recovered_at=DUE + 60), alert_row(destination="VictorOps pager data")])
    assert miss.outcome == "came in"


def test_the_recovery_of_an_alert_is_no_miss_of_its_own():
    recovery = alert_row(alert=f"recovery|{alert_row().alert}", run=None, due_at=None, state="doubtful")
    (miss,) = recorded_misses([recovery, alert_row()])
    assert [told["recovery"] for told in miss.told] == ["doubtful"]


def test_a_name_that_was_cut_finds_its_recovery():
    name = alert_row("x" * 1200).alert
    miss = alert_row("x" * 1200, alert=name[:1000])
    recovery = alert_row(alert=f"recovery|{name}"[:1000], run="", state="sent")
    assert recorded_misses([miss, recovery])[0].told[0]["recovery"] == "sent"


def test_an_environment_may_be_named_recovery():
    row = alert_row(run="recovery|scoring|r1", alert="recovery|scoring|r1|load|1800|0|Slack", environment="recovery")
    assert [miss.environment for miss in recorded_misses([row])] == ["recovery"]


@pytest.mark.parametrize(
    ("changed", "at"),
    [
        ({"sent_at": DUE + 9}, DUE + 9),
        ({"claimed_at": DUE + 5}, DUE + 5),
        ({"state": "silenced", "claimed_at": DUE + 86400}, DUE + 1),
    ],
    ids=["sent", "sent by an older version", "silenced until tomorrow"],
)
def test_when_an_alert_was_sent_or_should_have_been(changed, at):
    assert recorded_misses([alert_row(**changed)])[0].told[0]["at"] == at


def test_a_silenced_alert_says_who_silenced_it():
    (miss,) = recorded_misses([alert_row(state="silenced", silence="ada: upgrade (3f2a)")])
    assert miss.told[0]["silence"] == "ada: upgrade (3f2a)"


def test_rows_of_digests_are_no_misses():
    assert recorded_misses([alert_row(run=""), alert_row(run=None, state="first")]) == []


def test_rows_of_an_older_version_say_less_and_are_shown_all_the_same():
    older = {"environment": None, "dag_id": None, "run_id": None, "task_owner": None, "service": None, "sla": None}
    row = alert_row(run="EP|scoring|manual|1", sent_at=None, **older)
    (miss,) = recorded_misses([row, row._replace(destination="VictorOps pager data")])
    assert (miss.environment, miss.dag_id, miss.run_id, miss.sla) == ("EP", "scoring", "manual|1", "")
    assert [told["service"] for told in miss.told] == ["Slack", "VictorOps"]


LOAD = ("scoring", "r1", "load")


@pytest.mark.parametrize(
    ("standing", "environment", "outcome", "state", "came_in"),
    [
        (Standing("success", DUE + 60), "EP", "came in", "success", DUE + 60),
        (Standing("skipped", None), "EP", "came in", "skipped", None),
        (Standing("failed", DUE + 60), "EP", "open", "failed", None),
        (Standing("running", None), "EP", "open", "running", None),
        (Standing("deleted", None), "EP", "run deleted", "deleted", None),
        (Standing("deleted", None), "OTHER", "open", "", None),
    ],
    ids=["marked by hand", "skipped", "failed", "running", "deleted", "a run of another Airflow"],
)
def test_an_open_miss_is_as_airflow_says(standing, environment, outcome, state, came_in):
    (miss,) = settled(recorded_misses([alert_row()]), {LOAD: standing}, environment)
    assert (miss.outcome, miss.state, miss.came_in_at) == (outcome, state, came_in)


def test_what_nobody_asked_about_stays_as_it_was_recorded():
    misses = recorded_misses([alert_row(), alert_row("r2", recovered_at=DUE + 60)])
    asked = {("scoring", "r2", "load"): Standing("running", None)}
    assert settled(misses, asked, "EP") == misses
