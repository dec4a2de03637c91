"""Who looks later: what was lost is told, once, and what is over is closed."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airflow_agari_provider.airflow_compat import Stats
from airflow_agari_provider.alerts.claims import ClaimTable
from airflow_agari_provider.alerts.miss import SlaMiss, TaskInState
from airflow_agari_provider.alerts.sweeper import RunAsItIs
from airflow_agari_provider.notifications.slack_sla_miss import SlackSlaMissNotifier
from airflow_agari_provider.slas import SlaAlert, claiming, follow_up, sweep
from airflow_agari_provider.slas.dispatch import dispatch_miss
from tests.slas.airflow_calls import MISSED, RECOVERED, RUN, SLACK, VICTOROPS, WEBHOOK, missed, succeeded

MISS = SlaMiss("telemetry", RUN.run_id, "load", "2016-02-26T18:00:00", environment="EP_STAGE")
FAILED = "EP_STAGE - telemetry Failure after SLA Miss for task load on 2016-02-26T18:00:00"


def told(alerts):
    """What both services were told, in order."""
    messages = [body for path, body in alerts.received if "conversations" not in path]
    return [
        body["text"] if "text" in body else (body["message_type"], body["state_message"].partition(" SLA ")[2][:13])
        for body in messages
    ]


def runs(load="running", state="running", extract="success", until=None):
    """An Airflow in which every run stands so."""
    tasks = [TaskInState("extract", extract), TaskInState("load", load, until=until)]
    return lambda dag_id, run_id, mapped=(), others=(): RunAsItIs(state, tasks)


def gone(*_):
    return None


def swept(found, **changes):
    return sweep.sweep("sql:claims", found, **{"give_up_days": 7, "keep_days": 90, **changes})


def rows(path, columns):
    with closing(sqlite3.connect(path)) as connection:
        where = "WHERE due_at IS NOT NULL ORDER BY destination, id"
        return connection.execute(f"SELECT {columns} FROM agari_alert_claims {where}").fetchall()


def send_all(watch, miss=MISS, due=None):
    """The first alerts, as a triggerer sends them."""
    dispatch_miss(watch, RUN, due or datetime.now(UTC), time.time()).attempt(miss, time.time())


def test_a_recovery_that_the_worker_could_not_send_is_sent_later(watch, states, alerts, monkeypatch, sqlite_path):
    monkeypatch.setattr("airflow_agari_provider.slas.recovery_callback.RECOVERY_FOR", 0.05)
    monkeypatch.setattr("airflow_agari_provider.alerts.delivery.FIRST_PAUSE", 5)
    one = watch(VICTOROPS, SLACK)
    missed(one)
    alerts.gate = lambda path, body, port: 503 if body.get("message_type") == "RECOVERY" else None
    succeeded(one)
    assert told(alerts) == [("CRITICAL", "Miss for task"), MISSED, RECOVERED]
    alerts.gate = None
    end = datetime.now(UTC) + timedelta(minutes=17, seconds=9)
    assert swept(runs("success", until=end)).recovered == 1
    assert told(alerts)[3:] == [("RECOVERY", "Miss recovere")]
    assert "Finished 17 min late" in alerts.victorops()[-1]["details"]
    assert [row[:1] for row in rows(sqlite_path, "closed_as")] == [("recovered",), ("recovered",)]
    assert swept(runs("success")).open == 0
    succeeded(one)
    assert len(told(alerts)) == 4


def test_a_task_that_was_marked_as_a_success_is_told_once_by_two_who_sweep(watch, states, alerts, sqlite_path):
    send_all(watch(VICTOROPS, SLACK, SlaAlert(WEBHOOK, fallback=VICTOROPS)))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(swept, [runs("success")] * 2))
    swept(runs("success"))
    assert sorted(map(str, told(alerts)[3:])) == sorted(map(str, [RECOVERED, RECOVERED, ("RECOVERY", "Miss recovere")]))
    assert {row[0] for row in rows(sqlite_path, "closed_as")} == {"recovered"}


def test_several_steps_have_one_recovery_whoever_sends_it(watch, states, alerts):
    steps = watch(SlaAlert(SLACK, after=timedelta(minutes=15)), SLACK)
    for after in (0.0, 900.0):
        send_all(steps.step(after))
    succeeded(steps)
    swept(runs("success"))
    assert told(alerts) == [MISSED, MISSED, RECOVERED]


def test_two_slas_of_a_task_are_two_recoveries(watch, states, alerts):
    for one in (watch(SLACK), watch(SLACK, sla=3600)):
        send_all(one)
    swept(runs("success"))
    assert told(alerts) == [MISSED, MISSED, RECOVERED, RECOVERED]


def test_what_failed_for_good_after_it_was_told_as_late_is_told_once(watch, states, alerts, sqlite_path):
    mail = SlackSlaMissNotifier(slack_conn_id="slack_hook")
    send_all(watch(VICTOROPS, SLACK, mail))
    assert swept(runs("up_for_retry")).failed == 0
    for _ in range(2):
        swept(runs("failed"))
    assert told(alerts)[3:] == [("CRITICAL", "Miss for task"), FAILED, FAILED]
    assert "Failed, due " in alerts.victorops()[-1]["details"]
    assert alerts.victorops()[0]["entity_id"] == alerts.victorops()[1]["entity_id"]
    assert "thread_ts" in alerts.slack()[2]
    assert all(row[0] for row in rows(sqlite_path, "failed_at"))
    swept(runs("success"))  # it was cleared
    assert sorted(map(str, told(alerts)[6:])) == sorted(map(str, [("RECOVERY", "Miss recovere"), RECOVERED, RECOVERED]))


def test_a_failure_that_could_not_be_told_is_told_at_the_next_sweep(watch, states, alerts):
    send_all(watch(SLACK))
    alerts.failures = [(429, {"Retry-After": "0"})]
    swept(runs("failed"))
    assert told(alerts) == [MISSED]
    time.sleep(0.1)
    swept(runs("failed"))
    assert told(alerts) == [MISSED, FAILED]


def test_what_was_told_as_failed_is_not_told_again(watch, states, alerts):
    send_all(watch(SLACK), replace(MISS, standing="failed"))
    swept(runs("failed"))
    assert told(alerts) == [MISSED]


def test_the_incident_of_a_run_that_was_deleted_is_closed(watch, states, alerts, sqlite_path):
    send_all(watch(VICTOROPS))
    swept(gone)
    assert told(alerts)[1:] == [("RECOVERY", "Miss recovere")]
    assert alerts.victorops()[-1]["details"] == "The run was deleted"
    assert rows(sqlite_path, "closed_as") == [("deleted",)]


def test_a_shared_incident_is_closed_with_the_last(watch, states, alerts):
    load, extract = watch(VICTOROPS, incident="run"), watch(VICTOROPS, task_id="extract", incident="run")
    for one in (load, extract):
        send_all(one)
    swept(runs("success", extract="running"))
    assert len(told(alerts)) == 2
    swept(runs("success"))
    assert [alert["message_type"] for alert in alerts.victorops()] == ["CRITICAL", "CRITICAL", "RECOVERY"]


def die(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize(("point", "texts"), [("send", [MISSED]), ("mark_sent", [MISSED])])
def test_an_alert_whose_sender_died_is_sent_once_its_lease_is_over(
    point, texts, watch, states, alerts, monkeypatch, sqlite_path
):
    one = watch(SLACK)
    with monkeypatch.context() as patch:
        patch.setattr(SlackSlaMissNotifier if point == "send" else ClaimTable, point, die)
        with pytest.raises(KeyboardInterrupt):
            send_all(one)
    assert swept(runs()).sent == 0
    with closing(sqlite3.connect(sqlite_path)) as connection, connection:
        connection.execute("UPDATE agari_alert_claims SET claimed_at = claimed_at - 130")
    assert swept(runs()).sent == 1
    assert told(alerts) == texts
    swept(runs("success"))
    assert told(alerts) == [*texts, RECOVERED]


def test_what_is_open_for_too_long_is_given_up_with_an_error_and_counted(
    watch, states, alerts, monkeypatch, caplog, sqlite_path
):
    counted = []
    send_all(watch(VICTOROPS))
    monkeypatch.setattr(Stats, "incr", lambda name, tags: counted.append((name, tags["service"])))
    done = swept(runs(), give_up_days=0)
    assert (done.given_up, counted) == (1, [("agari.alerts.given_up", "VictorOps")])
    assert "to VictorOps victorops  is given up: it is still open" in caplog.text
    assert rows(sqlite_path, "closed_as") == [("given up",)]
    assert len(told(alerts)) == 1


def test_an_airflow_that_does_not_answer_changes_nothing(watch, states, alerts, sqlite_path):
    def down(*_):
        raise OSError("no answer")

    send_all(watch(VICTOROPS))
    done = swept(down)
    assert (done.open, done.unknown, done.recovered) == (1, 1, 0)
    assert rows(sqlite_path, "closed_at") == [(None,)]


def test_one_that_cannot_be_looked_at_does_not_keep_others_from_being_told(watch, states, alerts, sqlite_path, caplog):
    for one in (watch(VICTOROPS), watch(VICTOROPS, sla=3600), watch(VICTOROPS, sla=7200)):
        send_all(one)
    with closing(sqlite3.connect(sqlite_path)) as connection, connection:
        connection.execute("UPDATE agari_alert_claims SET payload = '{}' WHERE sla = '1800'")
        sql = "UPDATE agari_alert_claims SET payload = replace(payload, 'VictorOpsSla', 'Gone') WHERE sla = '3600'"
        connection.execute(sql)
    swept(runs("success"))
    assert [alert["message_type"] for alert in alerts.victorops()] == ["CRITICAL"] * 3 + ["RECOVERY"]
    assert "cannot be read" in caplog.text
    assert "could not be looked at" in caplog.text


def test_a_sweep_has_an_end_and_the_next_begins_with_what_is_left(watch, states, alerts):
    for sla in (1800, 3600):
        send_all(watch(VICTOROPS, sla=sla))
    done = swept(runs("success"), seconds=0)
    assert (done.open, done.left, len(alerts.victorops())) == (2, 2, 2)


def test_old_rows_are_deleted_and_a_setting_that_deletes_open_ones_is_refused(watch, states, alerts, sqlite_path):
    send_all(watch(VICTOROPS))
    with pytest.raises(ValueError, match="Keep rows for at least 2 days longer"):
        swept(runs(), keep_days=8)
    with closing(sqlite3.connect(sqlite_path)) as connection, connection:
        connection.execute("UPDATE agari_alert_claims SET first_at = first_at - 91 * 86400")
    assert swept(runs("success")).pruned == 1  # its recovery is sent first, and has a row of its own
    assert rows(sqlite_path, "state") == []


def test_a_worker_and_a_sweep_at_once_send_one_recovery(watch, states, alerts, monkeypatch):
    one = watch(SLACK)
    send_all(one)
    sent = follow_up.Dispatch.attempt

    def attempt(dispatch, miss, now):
        monkeypatch.setattr(follow_up.Dispatch, "attempt", sent)
        swept(runs("success"))  # between the worker's question and its message
        return sent(dispatch, miss, now)

    monkeypatch.setattr(follow_up.Dispatch, "attempt", attempt)
    succeeded(one)
    assert told(alerts) == [MISSED, RECOVERED]
    assert claiming.claims_of("sql:claims").sent(f"recovery|{claiming.key_of(one, RUN, one.alerts[0])}")
