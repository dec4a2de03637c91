"""The parameters of the alerts' API."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_agari_provider.exceptions import BadQuestion
from airflow_agari_provider.views.alerts_question import AlertsQuestion, alerts_question

NOW = datetime(2026, 11, 30, 12, 34, 56, tzinfo=UTC).timestamp()


def at(*moment):
    return datetime(*moment, tzinfo=UTC).timestamp()


def test_without_parameters_it_is_about_the_last_thirty_days():
    assert alerts_question([]) == AlertsQuestion(30, "", ())


def test_parameters_are_read():
    asked = [("month", "2026-11"), ("dag_id", "a"), ("dag_id", "b"), ("days", "7"), ("limit", "5000")]
    assert alerts_question(asked) == AlertsQuestion(7, "2026-11", ("a", "b"), 5000)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("month", "2026-13"),
        ("month", "2026-1"),
        ("month", "november"),
        ("month", "9999-12"),
        ("month", "2026-11; DROP"),
        ("month", "2026-11\n"),
        ("days", "0"),
        ("days", "367"),
        ("days", "9" * 5000),
        ("days", "x"),
        ("limit", "0"),
        ("limit", "50001"),
        ("day", "1"),
    ],
)
def test_a_bad_parameter_is_named(name, value):
    with pytest.raises(BadQuestion) as caught:
        alerts_question([(name, value)])
    assert name in str(caught.value)


def test_days_begin_at_a_full_hour():
    assert AlertsQuestion(2, "", ()).window(NOW) == (at(2026, 11, 28, 12), NOW)


@pytest.mark.parametrize(
    ("month", "window"),
    [
        ("2026-10", (at(2026, 10, 1), at(2026, 11, 1))),
        ("2026-11", (at(2026, 11, 1), NOW)),
        ("2026-12", (at(2026, 12, 1), at(2026, 12, 1))),
        ("2024-02", (at(2024, 2, 1), at(2024, 3, 1))),
    ],
    ids=["past", "this", "to come", "leap year"],
)
def test_a_month_ends_now_at_the_latest(month, window):
    assert AlertsQuestion(30, month, ()).window(NOW) == window
