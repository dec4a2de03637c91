"""Silences on the way of a miss: nobody is told while it is quiet, and everybody afterwards."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from airflow_agari_provider.alerts import delivery
from airflow_agari_provider.alerts.silence_table import SilenceTable
from airflow_agari_provider.alerts.silences import Silence
from airflow_agari_provider.notifications.sla_miss_notifier import Stats
from airflow_agari_provider.slas import deadline_callback, dispatch
from airflow_agari_provider.slas.claiming import claims_of
from airflow_agari_provider.slas.dispatch import dispatch_miss
from tests.slas.airflow_calls import DATE, MISSED, RECOVERED, RUN, SLACK, VICTOROPS, missed, recorded, succeeded
from tests.slas.test_sweep import MISS, runs, swept, told

BEGUN = DATE.timestamp()  # Friday, 26 February 2016, 18:00


@pytest.fixture
def silenced(watch):
    """Silences what fits, for some seconds from a time on; returns the table."""

    def silence(since, seconds, dag="telemetry", task="*"):
        watch(SLACK)  # makes the connection
        table = SilenceTable(claims_of("sql:claims").database)
        return table, table.add(Silence("", dag, task, since, since + seconds, "ada", "upgrade"), since)

    return silence


def row(path):
    with closing(sqlite3.connect(path)) as connection:
        sql = "SELECT state, silence, silenced_until - ? FROM agari_alert_claims WHERE due_at IS NOT NULL"
        return connection.execute(sql, (BEGUN,)).fetchone()


def test_a_silenced_miss_is_told_when_the_silence_is_over_and_it_is_still_late(watch, silenced, alerts, sqlite_path):
    _, silence = silenced(BEGUN, 600)
    triggerers = [dispatch_miss(watch(SLACK, VICTOROPS), RUN, DATE, BEGUN) for _ in range(2)]
    for now in (BEGUN, BEGUN + 599):
        for one in triggerers:
            assert one.attempt(MISS, now) <= 60
    assert alerts.received == []
    assert row(sqlite_path) == ("silenced", f"ada: upgrade ({silence.id})", 600)
    for one in triggerers:
        one.attempt(MISS, BEGUN + 600)
    assert sorted(map(str, told(alerts))) == sorted(map(str, [MISSED, ("CRITICAL", "Miss for task")]))
    assert row(sqlite_path) == ("sent", f"ada: upgrade ({silence.id})", 600)


def test_who_comes_in_during_a_silence_is_told_to_nobody(watch, silenced, states, alerts, sqlite_path, monkeypatch):
    monkeypatch.setattr(delivery, "QUIET_PAUSE", 0.05)
    silenced(time.time(), 3000)
    states[:] = [{"load": "running"}, {"load": "success"}]
    one = watch(SLACK, VICTOROPS)
    assert set(missed(one).values()) == {"silenced, and nothing to tell any more"}
    succeeded(one)
    assert alerts.received == []
    assert row(sqlite_path)[0] == "silenced"


@pytest.mark.parametrize("changes", [{"dag": "other"}, {"task": "__dag_run__"}, {"task": "extract"}], ids=str)
def test_a_silence_of_others_silences_nobody_else(changes, watch, silenced, alerts):
    silenced(BEGUN, 600, **changes)
    assert dispatch_miss(watch(SLACK), RUN, DATE, BEGUN).attempt(MISS, BEGUN) is None
    assert told(alerts) == [MISSED]


def test_a_recovery_goes_through_a_silence(watch, silenced, states, alerts):
    one = watch(SLACK, VICTOROPS)
    missed(one)
    silenced(time.time(), 3000)
    succeeded(one)
    assert [text for text in told(alerts) if text != MISSED][1:] == [("RECOVERY", "Miss recovere"), RECOVERED]


def test_a_silence_that_a_person_ends_is_over_within_a_minute(watch, silenced, alerts):
    table, silence = silenced(BEGUN, 3000)
    sending = dispatch_miss(watch(SLACK), RUN, DATE, BEGUN)
    sending.attempt(MISS, BEGUN)
    assert table.end(silence.id, "ada", BEGUN + 30)
    assert sending.attempt(MISS, BEGUN + 61) is None
    assert told(alerts) == [MISSED]


@pytest.mark.parametrize(
    "trouble",
    ["DROP TABLE agari_alert_silences", "UPDATE agari_alert_silences SET dag_pattern = NULL"],
    ids=["missing", "broken"],
)
def test_if_silences_cannot_be_read_alerts_are_sent(trouble, watch, silenced, alerts, sqlite_path, caplog):
    silenced(BEGUN, 600)
    with closing(sqlite3.connect(sqlite_path)) as connection, connection:
        connection.execute(trouble)
    assert dispatch_miss(watch(SLACK), RUN, DATE, BEGUN).attempt(MISS, BEGUN) is None
    assert told(alerts) == [MISSED]


def test_a_long_silence_is_left_to_who_sweeps(watch, silenced, states, alerts, sqlite_path, monkeypatch):
    counted = []
    monkeypatch.setattr(Stats, "incr", lambda name, tags: counted.append((name, tags["service"])))
    table, silence = silenced(time.time(), 4000)
    one = watch(SLACK)
    (outcome,) = missed(one).values()
    assert outcome.startswith("silenced until ")
    assert counted == [("agari.alerts.silenced", "Slack")]
    assert swept(runs()).sent == 0
    assert alerts.received == []
    table.end(silence.id, "ada", time.time())
    assert swept(runs()).sent == 1
    assert told(alerts) == [MISSED]


def test_what_came_in_during_a_long_silence_is_closed_by_who_sweeps(watch, silenced, states, alerts, sqlite_path):
    silenced(time.time(), 4000)
    missed(watch(SLACK, VICTOROPS))
    swept(runs("success"))
    with closing(sqlite3.connect(sqlite_path)) as connection:
        found = connection.execute("SELECT state, closed_as FROM agari_alert_claims").fetchall()
    assert found == [("silenced", "recovered")] * 2
    assert alerts.received == []


def test_quiet_hours_of_the_sla_silence_it_too(watch, alerts, sqlite_path):
    one = watch(SLACK, quiet=["Fri 17:00-18:30 UTC"])
    sending = dispatch_miss(one, RUN, DATE, BEGUN)
    assert 59 < sending.attempt(MISS, BEGUN + 1740) <= 60
    assert alerts.received == []
    assert row(sqlite_path) == ("silenced", "quiet Fri 17:00-18:30 UTC", 1800)
    assert sending.attempt(MISS, BEGUN + 1800) is None
    assert told(alerts) == [MISSED]


def test_quiet_hours_hold_while_the_claims_are_down_and_the_alert_is_not_forgotten(watch, alerts, monkeypatch):
    one = watch(VICTOROPS, quiet=["Fri 17:00-23:00 UTC"])
    sending = dispatch_miss(one, RUN, DATE, BEGUN)
    with monkeypatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_CLAIMS", json.dumps({"conn_type": "sqlite", "host": "/nowhere/claims.db"}))
        assert 50 < sending.attempt(MISS, BEGUN) <= 60
        assert 50 < sending.attempt(MISS, BEGUN + 4000) <= 60
    assert alerts.received == []


def test_what_was_told_before_a_silence_stays_told(watch, silenced, alerts, sqlite_path):
    one = watch(SLACK)
    dispatch_miss(one, RUN, DATE, BEGUN).attempt(MISS, BEGUN)
    silenced(BEGUN + 1, 600)
    again = dispatch_miss(one, RUN, DATE, BEGUN)
    assert again.attempt(MISS, BEGUN + 2) is None
    assert (list(again.outcomes.values()), row(sqlite_path)[0]) == (["sent already"], "sent")


def test_2_looks_again_when_the_silence_is_over(watch, silenced, airflow_2, states, alerts, monkeypatch):
    table, silence = silenced(time.time(), 3000)
    one = watch(SLACK)
    assert airflow_2(one, misses=[recorded(31)]) == 0
    table.end(silence.id, "ada", time.time())
    airflow_2(one, misses=[recorded(31)])
    assert told(alerts) == [MISSED]


def test_a_silenced_failure_does_not_silence_who_is_late_because_of_it(watch, silenced, states, alerts):
    silenced(time.time(), 4000, task="extract")
    states[:] = [{"extract": "failed", "load": "upstream_failed"}]
    for one in (watch(SLACK, task_id="extract", sla=600), watch(SLACK, reported_earlier=["extract"])):
        deadline_callback._jobs.clear()
        missed(one)
    assert told(alerts) == [MISSED]


def test_after_a_silence_there_is_as_much_time_to_send_as_ever(watch, silenced, alerts):
    silenced(BEGUN, 3500)
    sending = dispatch_miss(watch(SLACK), RUN, DATE, BEGUN)
    sending.attempt(MISS, BEGUN)
    alerts.failures = [(429, {"Retry-After": "0"})]
    assert sending.attempt(MISS, BEGUN + 3500) is not None
    assert sending.attempt(replace(MISS, at=datetime.now(UTC)), BEGUN + dispatch.GIVE_UP_AFTER + 600) is None
    assert told(alerts) == [MISSED]


def test_after_a_silence_a_digest_is_one_message_again_and_the_sweep_adds_none(watch, silenced, states, alerts):
    silenced(BEGUN, 600)
    tasks = [watch(SLACK, task_id=name, digest=60) for name in ("load", "extract", "report")]
    sending = [dispatch_miss(one, RUN, DATE, BEGUN) for one in tasks]
    misses = [replace(MISS, task_id=one.task_id) for one in tasks]
    for now in (BEGUN, BEGUN + 601, BEGUN + 700):
        for one, miss in zip(sending, misses, strict=True):
            one.attempt(miss, now)
    swept(runs(extract="running"))
    assert told(alerts) == [MISSED, "EP_STAGE - telemetry SLA Miss for 2 more"]
