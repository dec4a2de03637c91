"""Who is told the end of a miss; ``test_recovery_callback.py`` and ``test_sweep.py`` have when that is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airflow_agari_provider.alerts.alert_database import ClaimsUnavailable
from airflow_agari_provider.alerts.miss import SlaMiss
from airflow_agari_provider.slas import SlaAlert
from airflow_agari_provider.slas.follow_up import tell_failure, tell_recovery, tell_recovery_or_close
from tests.slas.airflow_calls import MISSED, RECOVERED, RUN, SLACK, VICTOROPS, WEBHOOK, missed

NOWHERE = "sql:there_is_no_such_connection"
FAILURE = SlaMiss("telemetry", RUN.run_id, "load", "2016-02-26T18:00:00", environment="EP_STAGE", standing="failed")


def now():
    return datetime.now(UTC)


def told(alerts):
    pages = [alert["message_type"] for alert in alerts.victorops()]
    return [message["text"] for message in alerts.slack()], pages


def recover(watch, **changes):
    return tell_recovery(watch, RUN, now(), **{"seconds": 0, "runs": None, **changes})


def test_who_was_not_told_of_a_miss_is_not_told_of_its_end(watch, states, alerts):
    both = watch(SLACK, VICTOROPS)
    assert recover(both)
    assert alerts.received == []
    missed(watch(SLACK))
    assert recover(both)
    assert told(alerts) == ([MISSED, RECOVERED], [])


def test_the_end_is_told_once_however_often_it_is_asked_for(watch, states, alerts):
    both = watch(SLACK, VICTOROPS)
    missed(both)
    assert [recover(both) for _ in range(3)] == [True] * 3
    assert told(alerts) == ([MISSED, RECOVERED], ["CRITICAL", "RECOVERY"])


def test_of_several_steps_to_one_place_there_is_one_end(watch, states, alerts):
    steps = watch(*(SlaAlert(SLACK, after=timedelta(minutes=minutes)) for minutes in (30, 0, 15)))
    for after in (0, 900):
        missed(steps.step(after), deadline=str(after))
    recover(steps)
    assert [message["text"] for message in alerts.slack()].count(RECOVERED) == 1


def test_a_service_that_fails_keeps_no_other_from_being_told_and_is_told_later(watch, states, alerts):
    both = watch(SLACK, VICTOROPS)
    missed(both)
    alerts.gate = lambda path, body, port: 503 if path.startswith("/integrations/") else None
    assert not recover(both)
    assert told(alerts) == ([MISSED, RECOVERED], ["CRITICAL"])
    alerts.gate = None
    assert recover(both)
    assert told(alerts) == ([MISSED, RECOVERED], ["CRITICAL", "RECOVERY"])


def test_a_recovery_before_the_sla_was_over_says_no_time(watch, states, alerts):
    late = watch(VICTOROPS, claims="")
    recover(late, due=now() + timedelta(hours=1))
    recover(late, due=now() - timedelta(minutes=5))
    first, second = (alert["details"] for alert in alerts.victorops())
    assert first.partition("\n")[0].startswith("Finished late")  # by how much is not known
    assert second.startswith("Finished 5 min late")


def test_without_claims_only_incidents_are_closed_and_a_failure_is_told_where_it_does_no_harm(watch, alerts):
    blind = watch(SLACK, WEBHOOK, VICTOROPS, claims="")
    assert recover(blind)
    assert told(alerts) == ([], ["RECOVERY"])


def test_a_failure_is_told_to_who_was_told_that_it_is_late(watch, states, alerts):
    both = watch(SLACK, VICTOROPS)
    assert tell_failure(both, RUN, FAILURE, 0)
    assert alerts.received == []
    missed(watch(SLACK))
    for _ in range(2):
        assert tell_failure(both, RUN, FAILURE, 0)
    messages, pages = told(alerts)
    assert (messages[0], len(messages), pages) == (MISSED, 2, [])


@pytest.mark.parametrize("tell", [recover, lambda watch: tell_failure(watch, RUN, FAILURE, 0)], ids=["end", "failure"])
def test_claims_that_cannot_be_used_are_an_error_because_it_is_unknown_who_was_told(watch, alerts, tell):
    with pytest.raises(ClaimsUnavailable):
        tell(watch(SLACK, VICTOROPS, claims=NOWHERE))
    assert alerts.received == []


@pytest.mark.parametrize(
    ("incident", "pages", "says"),
    [
        ("task", ["RECOVERY"], "the recovery of load only closes incidents"),
        ("run", [], "the incident that load shares stays open. Close it."),
    ],
)
def test_or_the_incident_is_closed_if_nobody_shares_it(watch, alerts, caplog, incident, pages, says):
    tell_recovery_or_close(watch(SLACK, VICTOROPS, claims=NOWHERE, incident=incident), RUN, now(), None, 0, None)
    assert told(alerts) == ([], pages)
    assert says in caplog.text


def test_another_run_of_the_same_task_is_another_miss(watch, states, alerts):
    late = watch(SLACK)
    missed(late)
    tell_recovery(late, replace(RUN, run_id="manual__x\ny"), now(), seconds=0, runs=None)
    assert told(alerts) == ([MISSED], [])
