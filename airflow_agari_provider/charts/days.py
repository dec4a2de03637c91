"""Sum up the runs of a DAG by days of a time zone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, tzinfo

QUARTER = 900  # seconds; the clocks of all time zones differ by whole quarters of an hour, so no quarter is in two days
STATES = ("success", "failed", "running", "queued")


@dataclass
class Day:
    """
    A day of a time zone; when the clocks change, it has 23 or 25 hours.

    :param start, end: epoch seconds; the end is the start of the next day.
    :param runs: number of runs by state.
    :param lost: seconds that failed tries ran.
    """

    date: str
    start: float
    end: float
    runs: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATES, 0))
    failed_tries: int = 0
    lost: float = 0.0


def days_of(runs: Iterable[tuple[int, str, int]], failed: Iterable[tuple[float, float]], zone: tzinfo) -> list[Day]:
    """
    Return the days on which runs were due, the oldest first.

    :param runs: quarter of an hour since 1970, state, and number of the runs that were due then.
    :param failed: when the run of a failed try was due, and the seconds that the try ran.
    """
    days: dict[str, Day] = {}
    for quarter, state, count in runs:
        day = _day(days, quarter * QUARTER, zone)
        if state in day.runs:
            day.runs[state] += count
    for due, seconds in failed:
        day = _day(days, due, zone)
        day.failed_tries += 1
        day.lost += seconds
    return [days[date] for date in sorted(days)]


def _day(days: dict[str, Day], moment: float, zone: tzinfo) -> Day:
    date = datetime.fromtimestamp(moment, zone).date()
    name = date.isoformat()
    if name not in days:
        start, end = (datetime.combine(day, time.min, zone) for day in (date, date + timedelta(days=1)))
        days[name] = Day(name, start.timestamp(), end.timestamp())
    return days[name]
