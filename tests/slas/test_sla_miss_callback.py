"""What Airflow 2.11's check of SLAs does with recorded misses; the states of tasks are told by the test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_agari_provider.slas import FromHistory, FromVariable, SlaAlert, sla_miss_callback
from tests.slas.airflow_calls import MISSED, RECOVERED, RUN_ID, SLACK, VICTOROPS, WEBHOOK, recorded, succeeded


def test_2_tells_a_recorded_miss_once_and_looks_at_it_until_it_comes_in(watch, airflow_2, alerts, states):
    told, miss = watch(SLACK, VICTOROPS), recorded(31)
    assert airflow_2(told, misses=[miss]) == 0
    assert airflow_2(told, misses=[miss]) == 0
    assert [message["text"] for message in alerts.slack()] == [MISSED]
    assert [alert["entity_display_name"] for alert in alerts.victorops()] == [
        f"telemetry.load late by 1 min ({RUN_ID})"
    ]


def test_2_shows_again_what_could_not_be_sent(watch, airflow_2, alerts):
    told, miss = watch(VICTOROPS), recorded(31)
    alerts.failures = [503]
    for _ in range(3):
        assert airflow_2(told, misses=[miss]) == 0
    assert len(alerts.victorops()) == 1


def test_2_shows_a_miss_again_until_the_last_step_is_due(watch, airflow_2, alerts, monkeypatch):
    told = watch(SLACK, SlaAlert(VICTOROPS, after=timedelta(minutes=15)))
    assert airflow_2(told, misses=[recorded(31)]) == 0
    assert (len(alerts.slack()), len(alerts.victorops())) == (1, 0)
    airflow_2(told, misses=[recorded(46)])
    assert (len(alerts.slack()), len(alerts.victorops())) == (1, 1)


def test_2_looks_no_longer_at_what_failed_or_is_a_day_late(watch, airflow_2, alerts, states):
    assert airflow_2(watch(SLACK), misses=[recorded(31 + 1440)]) == 1
    states[:] = [{"load": "failed"}]
    assert airflow_2(watch(SLACK), misses=[recorded(31)]) == 1


def test_2_tells_a_recovery_of_what_came_in_while_its_page_was_on_its_way(watch, airflow_2, alerts, states):
    """... and whose own callback found nothing told yet."""
    told = watch(VICTOROPS)
    states[:] = [{"load": "running"}, {"load": "success"}]
    assert airflow_2(told, misses=[recorded(31)]) == 1
    assert [alert["message_type"] for alert in alerts.victorops()] == ["CRITICAL", "RECOVERY"]


def test_2_finds_out_whether_a_miss_was_told_and_tells_its_recovery(watch, airflow_2, alerts, states):
    told = watch(SLACK)
    alerts.failures = ["taken, then silence"]
    assert airflow_2(told, misses=[recorded(31)]) == 0
    states[:] = [{"load": "success"}]
    assert airflow_2(told, misses=[recorded(31)]) == 1
    assert [message["text"] for message in alerts.slack()] == [MISSED, RECOVERED]


def test_2_tells_the_recovery_of_two_indexes_that_came_in_at_once(watch, airflow_2, alerts, states):
    told = watch(VICTOROPS, mapped=["load"])
    states[:] = [{"load_0": "running", "load_1": "running"}]  # 2.11 calls the tasks' callbacks before it commits
    airflow_2(told, misses=[recorded(31)])
    succeeded(told, map_index=0)
    succeeded(told, map_index=1)
    assert len(alerts.victorops()) == 1
    states[:] = [{"load_0": "success", "load_1": "success"}]
    assert airflow_2(told, misses=[recorded(31)]) == 1
    assert [alert["message_type"] for alert in alerts.victorops()] == ["CRITICAL", "RECOVERY"]


def test_2_shows_a_miss_again_whose_recovery_could_not_be_told(watch, airflow_2, alerts, states):
    told = watch(VICTOROPS)
    airflow_2(told, misses=[recorded(31)])
    states[:] = [{"load": "success"}]
    alerts.failures = [503]
    assert [airflow_2(told, misses=[recorded(31)]) for _ in range(2)] == [0, 1]
    assert [alert["message_type"] for alert in alerts.victorops()] == ["CRITICAL", "RECOVERY"]


def test_2_tells_how_late_it_was_and_not_how_long_ago_it_was_told(watch, airflow_2, alerts):
    told = watch(VICTOROPS, reference="planned")
    miss = recorded(91)
    airflow_2(told, misses=[miss])
    succeeded(told, run_after=None, data_interval_end=miss.execution_date)
    assert [alert["details"].split(",")[0] for alert in alerts.victorops()] == [
        "Late by 1 h 1 min",
        "Finished 1 h 1 min late",
    ]


def test_2_waits_for_a_time_of_day(watch, airflow_2, alerts):
    now = datetime.now(UTC)
    for minutes, told in ((5, 0), (-5, 1)):
        by = f"{now + timedelta(minutes=minutes):%H:%M:%S} UTC"
        assert airflow_2(watch(VICTOROPS, sla=0, by=by), misses=[recorded(10)]) == 0
        assert len(alerts.victorops()) == told


def test_2_tells_the_fallback_in_the_same_check(watch, airflow_2, alerts):
    alerts.failures = [404]
    airflow_2(watch(SlaAlert(VICTOROPS, fallback=WEBHOOK)), misses=[recorded(31)])
    assert len(alerts.slack()) == 1


def test_2_tells_the_fallback_after_an_hour_of_failing(watch, airflow_2, alerts):
    alerts.failures = [503, None]
    airflow_2(watch(SlaAlert(VICTOROPS, fallback=WEBHOOK)), misses=[recorded(91)])
    assert (len(alerts.slack()), len(alerts.victorops())) == (1, 0)


def test_2_drops_misses_of_finished_and_of_unwatched_tasks(watch, airflow_2, alerts, states):
    assert airflow_2(watch(VICTOROPS), misses=[recorded(31, "other")]) == 1
    states[:] = [{"load": "success"}]
    assert airflow_2(watch(VICTOROPS), misses=[recorded(31)]) == 1
    assert alerts.received == []


def test_2_without_claims_tries_within_the_check(watch, airflow_2, alerts):
    alerts.failures = [503]
    assert airflow_2(watch(VICTOROPS, claims=""), misses=[recorded(31)]) == 1
    assert len(alerts.victorops()) == 1


def test_2_leaves_misses_to_its_next_check_when_a_service_takes_its_time(watch, airflow_2, alerts, monkeypatch):
    monkeypatch.setattr(sla_miss_callback, "CHECK_FOR", 1)
    told, misses = watch(WEBHOOK), [recorded(33), recorded(32), recorded(31)]
    alerts.failures = ["silence", None, None]
    assert airflow_2(told, misses=misses) == 0
    assert alerts.failures == [None, None]


def test_2_survives_an_error_and_shows_the_miss_again(watch, airflow_2, alerts, states, caplog):
    states[:] = [RuntimeError("database is gone")]
    assert airflow_2(watch(VICTOROPS), misses=[recorded(31)]) == 0
    assert "The alerts of the SLA miss of telemetry.load could not be sent" in caplog.text


@pytest.mark.parametrize(("value", "told"), [("900", 1), ("3600", 0), (None, 1), ("no number", 1)])
def test_an_sla_from_a_variable_is_over_when_that_says(value, told, watch, airflow_2, states, alerts, monkeypatch):
    """Of a task that is 31 min late; without a number, the default of half an hour holds."""
    monkeypatch.setattr(sla_miss_callback, "ask_database", lambda work: value)
    variable = FromVariable("load_sla", default=timedelta(minutes=30)).text
    airflow_2(watch(SLACK, sla=60, variable=variable), misses=[recorded(31)])
    assert len(alerts.slack()) == told


@pytest.mark.parametrize(("took", "told"), [([600.0] * 5, 1), ([3600.0] * 5, 0), ([600.0] * 4, 0)])
def test_an_sla_from_history_is_over_when_earlier_runs_say(took, told, watch, airflow_2, states, alerts, monkeypatch):
    """After 15 min, after an hour and a half, and never, of a task that is 31 min late."""
    monkeypatch.setattr(sla_miss_callback, "ask_database", lambda work: took)
    airflow_2(watch(SLACK, sla=300, history=FromHistory().text), misses=[recorded(31)])
    assert len(alerts.slack()) == told
