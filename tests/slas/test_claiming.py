"""The claims of SLAs: names of alerts, and what their rows tell about a run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airflow_agari_provider.alerts.alert_database import ClaimsUnavailable
from airflow_agari_provider.alerts.claim_rows import CLAIMS
from airflow_agari_provider.alerts.miss import TaskInState
from airflow_agari_provider.alerts.sweeper import RunAsItIs
from airflow_agari_provider.slas import SlaAlert
from airflow_agari_provider.slas.claiming import (
    about,
    claims_of,
    key_of,
    mark_recovered,
    others_are_open,
    reported_tasks,
)
from tests.slas.airflow_calls import DATE, RUN, SLACK, VICTOROPS, missed, succeeded

DUE = datetime(2016, 2, 26, 18, 30, tzinfo=UTC)
NOWHERE = "sql:there_is_no_such_connection"


def keys(told, run=RUN):
    return [key_of(told, run, alert) for alert in told.alerts]


def test_without_claims_there_is_no_table_and_nobody_was_told(watch):
    assert claims_of("") is None
    assert reported_tasks(watch(SLACK, claims=""), RUN) == set()


def test_a_connection_that_there_is_not_is_an_error_of_the_claims_and_not_before_they_are_used():
    claims = claims_of(NOWHERE)
    with pytest.raises(ClaimsUnavailable, match="there_is_no_such_connection"):
        claims.reported("x")


def test_the_name_of_an_alert_is_the_same_in_every_process(watch):
    (key,) = keys(watch(SLACK))
    assert key == f"EP_STAGE|telemetry|{RUN.run_id}|load|1800|0|Slack slack_api C012AB3CD"
    assert keys(watch(SLACK)) == [key]


@pytest.mark.parametrize(
    "changes",
    [
        {"environment": "PROD"},
        {"task_id": None},
        {"task_id": "load "},
        {"sla": 1801},
        {"by": "06:00:00 UTC"},
        {"reference": "logical_date"},
        {"history": "20 95 1.5 300 5"},
        {"variable": "x 1800"},
    ],
    ids=str,
)
def test_what_differs_has_another_name(watch, changes):
    assert keys(watch(SLACK, **changes)) != keys(watch(SLACK))


def test_another_step_another_place_and_another_run_are_other_alerts(watch):
    steps = [SlaAlert(SLACK, after=timedelta(seconds=seconds)) for seconds in (0, 900, 0.5)]
    names = keys(watch(*steps, VICTOROPS)) + keys(watch(SLACK), replace(RUN, run_id="manual__2016-02-26"))
    assert len(set(names)) == 5
    assert "|900|" in names[1]


def test_the_settings_of_a_text_do_not_change_the_name(watch):
    assert keys(watch(SLACK, owner="eve", digest=60, when_failed="skip")) == keys(watch(SLACK))


def test_a_row_tells_what_the_alert_is_about(watch):
    told = watch(SlaAlert(SLACK, after=timedelta(minutes=15)), owner="eve", incident="run")
    row = about(told, RUN, told.alerts[0], DUE)
    assert (row.run, row.task) == (f"EP_STAGE|telemetry|{RUN.run_id}", "load")
    assert row.incident == f"airflow/EP_STAGE/telemetry/{RUN.run_id}"
    assert (row.due_at, row.step, row.sla, row.task_owner) == (1456511400.0, 900.0, "1800", "eve")
    assert (row.service, row.destination) == ("Slack", "Slack slack_api C012AB3CD")
    assert set(vars(row)) <= set(CLAIMS.kinds)


def test_the_row_of_a_run_has_no_task(watch):
    told = watch(SLACK, task_id=None, environment="")
    row = about(told, RUN, told.alerts[0], DUE)
    assert (row.task, row.incident) == ("", f"airflow/default/telemetry/{RUN.run_id}/run")


def test_only_what_was_told_everywhere_is_reported_until_it_recovers(watch, states, alerts):
    missed(watch(SLACK))
    assert reported_tasks(watch(SLACK), RUN) == {"load"}
    assert reported_tasks(watch(SLACK, VICTOROPS), RUN) == set()
    assert reported_tasks(watch(SLACK), replace(RUN, run_id="another")) == set()
    missed(watch(SLACK, task_id=None), deadline="2")
    assert reported_tasks(watch(SLACK), RUN) == {"load", None}
    succeeded(watch(SLACK))
    assert reported_tasks(watch(SLACK), RUN) == {None}


def test_claims_that_cannot_be_used_tell_of_nobody_and_say_what_that_means(watch, caplog):
    assert reported_tasks(watch(SLACK, claims=NOWHERE), RUN) == set()
    assert "so one failure may be told twice" in caplog.text


@pytest.fixture
def shared(watch, states, alerts):
    """An SLA that shares its incident with that of ``extract``, which was told."""
    states[:] = [{"extract": "running", "load": "running"}]
    missed(watch(VICTOROPS, task_id="extract", incident="dag"))
    return watch(VICTOROPS, incident="dag")


def is_open(shared, runs, now=None):
    return others_are_open(claims_of(shared.claims), shared, RUN, now or datetime.now(UTC).timestamp(), runs)


def airflow(state, extract):
    return lambda *_: RunAsItIs(state, [TaskInState("extract", extract)])


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        (airflow("running", "running"), True),
        (airflow("running", "success"), False),
        (airflow("failed", "failed"), True),
        (airflow("success", "skipped"), False),
        (lambda *_: None, False),
    ],
    ids=["late", "marked as a success", "failed", "skipped", "deleted"],
)
def test_an_incident_is_open_as_long_as_another_task_in_it_is_late(shared, runs, expected):
    assert is_open(shared, runs) is expected


def test_where_airflow_does_not_answer_another_task_counts_as_late(shared, caplog):
    def fail(*_):
        raise OSError("no connection")

    assert is_open(shared, fail)
    assert "It is unknown whether extract of scheduled__2016-02-26T18:00:00+00:00 is still late. OSError" in caplog.text


def test_where_airflow_cannot_be_asked_tasks_of_the_run_are_done_with_it(shared):
    assert not is_open(shared, None)
    other = replace(RUN, run_id="scheduled__2016-02-26T19:00:00+00:00")
    assert others_are_open(claims_of(shared.claims), shared, other, datetime.now(UTC).timestamp(), None)


def test_what_was_told_more_than_a_week_ago_keeps_no_incident_open(shared):
    in_a_week = datetime.now(UTC).timestamp() + 7 * 86400
    assert is_open(shared, airflow("running", "running"), in_a_week - 60)
    assert not is_open(shared, airflow("running", "running"), in_a_week + 60)


def test_what_has_recovered_is_not_open(shared):
    claims = claims_of(shared.claims)
    mark_recovered(claims, replace(shared, task_id="extract"), RUN, DATE.timestamp())
    assert not is_open(shared, airflow("running", "running"))
