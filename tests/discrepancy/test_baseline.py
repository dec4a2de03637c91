from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_agari_provider.discrepancy.baseline import Baseline, moment_of_window

THURSDAY = datetime(2016, 4, 28, 5, 30, tzinfo=UTC)
WINTER, SUMMER = datetime(2016, 3, 24, 8, tzinfo=UTC), datetime(2016, 3, 31, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("same", "name", "kept"),
    [("hour_of_week", "runs of Thursdays, 05:00", 1344), ("hour_of_day", "runs of 05:00", 200), ("any", "runs", 200)],
)
def test_runs_of_one_hour_are_compared_and_so_many_are_kept(same, name, kept):
    baseline = Baseline(same=same)
    assert (baseline.slot_name(THURSDAY), baseline.kept_runs) == (name, kept)
    assert (baseline.slot_of(THURSDAY) == baseline.slot_of(THURSDAY.replace(hour=6))) == (same == "any")
    assert (baseline.slot_of(THURSDAY) == baseline.slot_of(THURSDAY.replace(day=29))) == (same != "hour_of_week")


@pytest.mark.parametrize(("timezone", "alike"), [("Europe/Berlin", True), ("UTC", False)], ids=str)
def test_an_hour_is_the_same_in_summer_where_people_live(timezone, alike):
    baseline = Baseline(timezone=timezone)
    assert (baseline.slot_of(WINTER) == baseline.slot_of(SUMMER)) == alike


def test_runs_before_a_date_are_not_looked_at():
    baseline = Baseline(since="2016-04-28T07:30:00+02:00")
    assert [baseline.counts(moment) for moment in (THURSDAY, THURSDAY.replace(minute=29))] == [True, False]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"same": "week"}, "same is one of hour_of_week, hour_of_day, any"),
        ({"runs": 1}, "runs is a whole number of runs, 2 or more, not 1"),
        ({"learning": True}, "learning is a whole number of runs, 2 or more, not True"),
        ({"learning": 9}, "it would never learn enough"),
        ({"timezone": "Mars/Olympus"}, "timezone='Mars/Olympus' or since=None cannot be read"),
        ({"timezone": "../etc/passwd"}, "cannot be read"),
        ({"since": "yesterday"}, "since='yesterday' cannot be read"),
    ],
    ids=["same", "runs", "learning", "more than runs", "zone", "path", "since"],
)
def test_settings_that_cannot_work_are_refused(settings, says):
    with pytest.raises(ValueError, match=says):
        Baseline(**settings)


@pytest.mark.parametrize(
    ("window", "hour"),
    [("2016-04-28 03:00:00", 3), ("2016-04-28T05:00:00+02:00", 3), ("2016-04-28", 0), ("05:00", 9), ("hour 5", 9)],
)
def test_a_run_is_about_its_window_if_that_is_a_time(window, hour):
    assert moment_of_window(window, "2016-04-28 09:00:00.123456").hour == hour
