from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from dateutil import tz

from airflow_agari_provider.alerts.time_of_day import first_after, time_of_day_text


@pytest.mark.parametrize(
    ("planned", "by", "due"),
    [
        ("2016-02-26T02:00:00", "06:00:00 UTC", "2016-02-26T06:00:00"),
        ("2016-02-26T06:00:00", "06:00:00 UTC", "2016-02-27T06:00:00"),
        ("2016-02-26T23:30:00", "00:15:00 UTC", "2016-02-27T00:15:00"),
        ("2016-02-26T23:30:00", "06:00:00 Europe/Berlin", "2016-02-27T05:00:00"),
        ("2016-03-26T23:30:00", "06:00:00 Europe/Berlin", "2016-03-27T04:00:00"),
        ("2016-02-26T23:30:00", "06:00:00+02:00", "2016-02-27T04:00:00"),
        ("2016-02-26T23:30:00", "15:00:00 Pacific/Auckland", "2016-02-27T02:00:00"),
        ("2016-03-26T23:30:00", "02:30:00 Europe/Berlin", "2016-03-27T01:30:00"),
        ("2016-10-29T23:30:00", "02:30:00 Europe/Berlin", "2016-10-30T00:30:00"),
    ],
    ids=[
        "later that day",
        "at the very time",
        "after midnight",
        "in a zone",
        "with an offset",
        "the night of summer time",
        "a day ahead",
        "a time that the clocks leave out",
        "a time that comes twice",
    ],
)
def test_it_is_due_at_the_first_such_time_after_the_planned_start(planned, by, due):
    found = first_after(datetime.fromisoformat(planned).replace(tzinfo=UTC), by)
    assert found.isoformat() == f"{due}+00:00"


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (time(6), "06:00:00 Europe/Berlin"),
        (time(6, 30, tzinfo=ZoneInfo("Asia/Tokyo")), "06:30:00 Asia/Tokyo"),
        (time(6, tzinfo=ZoneInfo("UTC")), "06:00:00 UTC"),
        (time(6, tzinfo=UTC), "06:00:00+00:00"),
        (time(6, tzinfo=timezone(timedelta(hours=2))), "06:00:00+02:00"),
    ],
    ids=["the DAG's zone", "its own", "UTC", "no offset", "an offset"],
)
def test_it_travels_with_its_time_zone(at, text):
    assert time_of_day_text(at, ZoneInfo("Europe/Berlin")) == text


def test_a_zone_without_a_name_and_with_a_summer_time_is_refused():
    with pytest.raises(ValueError, match="needs a time zone with a name, such as ZoneInfo"):
        time_of_day_text(time(6), tz.gettz("Europe/Berlin"))
