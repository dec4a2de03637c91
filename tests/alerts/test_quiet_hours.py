"""Hours of each week in which nobody is told of a miss."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_agari_provider.alerts.quiet_hours import quiet_hours, quiet_hours_around
from airflow_agari_provider.alerts.silences import quiet_until


def quiet(window, now, zone="UTC"):
    """When it ends to be quiet, in UTC; times without a zone are in UTC."""
    moment = datetime.fromisoformat(f"{now}+00:00").timestamp()
    found = quiet_until(quiet_hours_around(quiet_hours([window], zone), moment), moment)
    return datetime.fromtimestamp(found.until, UTC).isoformat()[:16] if found else None


@pytest.mark.parametrize(
    ("window", "now", "until"),
    [
        ("Sun 02:00-06:00", "2026-11-29T02:00", "2026-11-29T06:00"),
        ("sunday 2:00 - 6:00", "2026-11-29T05:59", "2026-11-29T06:00"),
        ("Sun 02:00-06:00", "2026-11-29T06:00", None),
        ("Sun 02:00-06:00", "2026-11-30T03:00", None),
        ("daily 22:00-02:00", "2026-11-30T01:59", "2026-11-30T02:00"),
        ("daily 22:00-02:00", "2026-11-30T23:00", "2026-12-01T02:00"),
        ("daily 22:00-24:00", "2026-11-30T23:00", "2026-12-01T00:00"),
        ("Mon-Fri 22:00-23:00", "2026-11-28T22:30", None),
        ("Mon-Fri 22:00-23:00", "2026-11-27T22:30", "2026-11-27T23:00"),
        ("Fri-Mon 22:00-23:00", "2026-11-29T22:30", "2026-11-29T23:00"),
        ("Sat,Sun 22:00-23:00", "2026-11-28T22:30", "2026-11-28T23:00"),
        ("Sat 22:00 - Mon 06:00", "2026-11-29T12:00", "2026-11-30T06:00"),
        ("Sat 22:00 - Mon 06:00", "2026-11-28T21:59", None),
        ("Mon 08:00 - Mon 06:00", "2026-11-30T07:00", None),
        ("Mon 08:00 - Mon 06:00", "2026-11-30T05:00", "2026-11-30T06:00"),
        ("Sun 02:00-06:00 Europe/Berlin", "2026-11-29T01:30", "2026-11-29T05:00"),
        ("Sun 02:00-06:00 +02:00", "2026-11-29T01:30", "2026-11-29T04:00"),
    ],
)
def test_it_is_quiet_in_these_hours(window, now, until):
    assert quiet(window, now) == until


def test_a_window_without_a_zone_is_in_that_of_the_dag():
    assert quiet("Sun 02:00-06:00", "2026-11-29T01:30", "Europe/Berlin") == "2026-11-29T05:00"


def test_hours_follow_the_clock_when_it_is_put_back():
    """On 2026-10-25 in Berlin, 02:00 to 06:00 takes five hours."""
    assert quiet("Sun 02:00-06:00 Europe/Berlin", "2026-10-25T00:00") == "2026-10-25T05:00"
    assert quiet("Sun 02:00-06:00 Europe/Berlin", "2026-10-24T23:59") is None


@pytest.mark.parametrize(
    ("windows", "problem"),
    [
        (["Sunday morning"], "is not understood"),
        (["Sun 02:00"], "is not understood"),
        (["Son 02:00-06:00"], "'son' is no day of the week"),
        (["Sun 02:00-25:00"], "25:00 is no time of day"),
        (["Sun 02:60-06:00"], "02:60 is no time of day"),
        (["Sun 02:00-06:00 Europe/Atlantis"], "is no time zone"),
        (["Sun 02:00-06:00 ../etc"], "is no time zone"),
        (["daily 00:00-24:00"], "all of the week"),
        (["daily 12:00-12:00"], "all of the week"),
        (["daily 00:00-12:00", "daily 12:00-24:00"], "all of the week"),
        (["Mon 00:00 - Mon 00:00"], "all of the week"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_hours_that_cannot_be_are_refused_with_what_to_write(windows, problem):
    with pytest.raises(ValueError, match=problem):
        quiet_hours(windows, "UTC")
