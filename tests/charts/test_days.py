from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from airflow_agari_provider.charts.days import QUARTER, days_of


def quarter(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) // QUARTER


def short(days):
    return [(day.date, (day.end - day.start) / 3600, day.runs["success"]) for day in days]


@pytest.mark.parametrize(
    ("zone", "due", "expected"),
    [
        ("UTC", ["11-20T00:00", "11-20T23:45"], [("11-20", 24, 2)]),
        ("Europe/Berlin", ["11-19T22:45", "11-19T23:00"], [("11-19", 24, 1), ("11-20", 24, 1)]),
        ("Asia/Kathmandu", ["11-19T18:00", "11-19T18:15"], [("11-19", 24, 1), ("11-20", 24, 1)]),
        ("Europe/Berlin", ["03-28T23:00", "03-29T21:45", "03-29T22:00"], [("03-29", 23, 2), ("03-30", 24, 1)]),
        ("Europe/Berlin", ["10-24T22:00", "10-25T22:45", "10-25T23:00"], [("10-25", 25, 2), ("10-26", 24, 1)]),
    ],
    ids=["UTC", "an hour before UTC", "a quarter of an hour", "the clocks go forward", "the clocks go back"],
)
def test_a_day_is_a_day_of_the_reader_s_time_zone(zone, due, expected):
    runs = [(quarter(f"2026-{text}"), "success", 1) for text in due]
    found = short(days_of(runs, [], ZoneInfo(zone)))
    assert found == [(f"2026-{date}", hours, count) for date, hours, count in expected]


def test_runs_failed_tries_and_lost_time_are_of_the_day_on_which_the_run_was_due():
    runs = [(0, "success", 3), (1, "failed", 1), (96, "running", 1), (97, "restarting", 1)]
    first, second = days_of(runs, [(10.0, 5.0), (86399.0, 7.5), (86400.0, 1.0)], UTC)
    assert (first.date, first.runs["success"], first.runs["failed"]) == ("1970-01-01", 3, 1)
    assert (first.failed_tries, first.lost) == (2, 12.5)
    assert (second.failed_tries, second.lost, sum(second.runs.values())) == (1, 1.0, 1)
    assert days_of([], [], UTC) == []
