"""The month in figures."""

from __future__ import annotations

import pytest

from airflow_agari_provider.alerts.miss_figures import (
    alerts_by_state,
    gathered,
    hit_rate,
    incidents,
    misses_by_day,
    month_window,
    p95_late,
    sla_figures,
    sla_text,
)
from airflow_agari_provider.alerts.recorded_miss import recorded_misses
from tests.alerts.alert_rows import DUE, alert_row


def misses(*late: float | None, **changed):
    """A miss of each run that came in so many seconds late, or is open."""
    rows = [
        alert_row(f"r{number}", recovered_at=None if seconds is None else DUE + seconds, **changed)
        for number, seconds in enumerate(late)
    ]
    return gathered(recorded_misses(rows))


def test_an_sla_that_four_of_a_hundred_runs_missed():
    (found,) = sla_figures(misses(60, 120, 600, None), {"scoring": 100})
    assert (found.dag_id, found.task_id, found.sla, found.owner) == ("scoring", "load", "within 30 min", "data")
    assert (found.missed, found.open, found.runs, found.hit_rate) == (4, 1, 100, 0.96)
    assert (found.p95_late, found.worst_late) == (pytest.approx(552), 600)


@pytest.mark.parametrize(
    ("runs", "known"),
    [({}, None), ({"scoring": 1}, None), ({"scoring": 2}, 0.0), ({"scoring": 0}, None)],
    ids=["not counted", "deleted runs", "all missed", "no run"],
)
def test_a_hit_rate_that_cannot_be_known_is_not_zero(runs, known):
    slas = sla_figures(misses(60, 60), runs)
    assert ([one.hit_rate for one in slas], hit_rate(slas)) == ([known], known)


def test_what_has_not_come_in_has_no_lateness():
    (found,) = sla_figures(misses(None), {"scoring": 10})
    assert (found.p95_late, found.worst_late, p95_late(misses(None))) == (None, None, None)


def test_the_most_missed_sla_comes_first_and_slas_of_one_task_are_apart():
    found = sla_figures(
        [*misses(60), *misses(60, 60, task=""), *misses(60, sla="3600"), *misses(60, dag_id="other")],
        {"scoring": 10, "other": 4},
    )
    assert [(one.dag_id, one.task_id, one.sla, one.missed, one.hit_rate) for one in found] == [
        ("scoring", "", "within 30 min", 2, 0.8),
        ("other", "load", "within 30 min", 1, 0.75),
        ("scoring", "load", "within 1 h 0 min", 1, 0.9),
        ("scoring", "load", "within 30 min", 1, 0.9),
    ]
    assert hit_rate(found) == pytest.approx(1 - 5 / 34)


def test_a_day_without_a_miss_is_there_too():
    since = 1_779_926_400.0  # 2026-05-28 00:00 UTC, the day of DUE
    found = misses_by_day(misses(1, 2), since - 86400, since + 86401)
    assert found == [(since - 86400, 0), (since, 2), (since + 86400, 0)]


def test_doubtful_refused_and_silenced_alerts_are_counted_recoveries_too():
    first, second = alert_row(state="doubtful"), alert_row("r2", state="silenced")
    recovery = alert_row(alert=f"recovery|{second.alert}", run="", state="refused")
    assert alerts_by_state(recorded_misses([first, second, recovery])) == {"doubtful": 1, "refused": 1, "silenced": 1}


def test_misses_that_share_an_incident_are_one():
    shared = [alert_row("r1", incident="airflow/EP/scoring"), alert_row("r2", incident="airflow/EP/scoring")]
    closed = alert_row("r3", recovered_at=DUE + 1)
    assert incidents(recorded_misses([*shared, alert_row("r4", incident=None), closed])) == 2


@pytest.mark.parametrize(
    ("sla", "text"),
    [
        ("1800", "within 30 min"),
        ("0.5", "within 0 s"),
        ("06:00:00 Europe/Berlin", "by 06:00:00 Europe/Berlin"),
        ("history 20 95 1.5 300 5", "from history"),
        ("variable 3600 60 load sla", "from Variable load sla"),
        ("", ""),
        ("nan", "by nan"),
        ("1e99", "by 1e99"),
    ],
)
def test_an_sla_in_words(sla, text):
    assert sla_text(sla) == text


@pytest.mark.parametrize(
    ("month", "window"),
    [("2026-11", (1_793_491_200, 1_796_083_200)), ("2026-12", (1_796_083_200, 1_798_761_600))],
)
def test_a_month_of_the_calendar(month, window):
    assert month_window(month) == window
