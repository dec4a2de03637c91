"""Hours of each week in which nobody is told of a miss, such as ``Sun 02:00-06:00 Europe/Berlin``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from airflow_agari_provider.alerts.silences import Quiet, quiet_until

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WEEK = timedelta(days=7)
_DAY = r"[a-z]{3,9}"
_TIME = r"\d{1,2}:\d{2}"
_EACH_DAY = re.compile(
    rf"(?P<days>daily|{_DAY}(?:\s*[-,]\s*{_DAY})*)\s+(?P<begin>{_TIME})\s*-\s*(?P<end>{_TIME})(?:\s+(?P<zone>\S+))?",
    re.IGNORECASE,
)
_OVER_DAYS = re.compile(
    rf"(?P<first>{_DAY})\s+(?P<begin>{_TIME})\s*-\s*(?P<last>{_DAY})\s+(?P<end>{_TIME})(?:\s+(?P<zone>\S+))?",
    re.IGNORECASE,
)
EXAMPLES = "'Sun 02:00-06:00', 'Mon-Fri 22:00-23:30', 'daily 01:00-02:00 UTC', 'Sat 22:00 - Mon 06:00 Europe/Berlin'"


def quiet_hours(windows: Sequence[str], zone: str) -> list[str]:
    """
    Check hours of a week, and return them with their time zone.

    :param zone: time zone of those that name none.
    :raises ValueError: they are not to be understood, or leave no minute of the week in which anybody is told.
    """
    whole = []
    for window in windows:
        found = _parsed(window)
        text = " ".join(window.split()) if found["zone"] else f"{' '.join(window.split())} {zone}"
        list(_weekly(text, datetime(2026, 1, 1, tzinfo=UTC)))  # whether there are such days, times and zones
        whole.append(text)
    now = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    quiet = quiet_until(quiet_hours_around(whole, now), now)
    if quiet and quiet.until - now >= WEEK.total_seconds():
        raise ValueError(f"quiet={list(windows)!r} is all of the week, so no miss would ever be told.")
    return whole


def quiet_hours_around(windows: Iterable[str], now: float) -> list[Quiet]:
    """
    Return when it is quiet, from a week before a time until a week after it.

    :param windows: as :func:`quiet_hours` returns them.
    """
    moment = datetime.fromtimestamp(now, UTC)
    return [
        Quiet(begin.timestamp(), end.timestamp(), f"quiet {window}")
        for window in windows
        for begin, end in _weekly(window, moment)
    ]


def _weekly(window: str, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield begin and end of a window in the weeks around a moment."""
    found = _parsed(window)
    zone = _zone(found["zone"] or "UTC", window)
    begin, end = (_time(found[name], window) for name in ("begin", "end"))
    first_days = _days(found["days"] if "days" in found else found["first"], window)
    for back in range(-8, 9):
        day = moment.astimezone(zone).date() + timedelta(days=back)
        if day.weekday() not in first_days:
            continue
        if "days" in found:
            days = 1 if end <= begin else 0
        else:
            (last,) = _days(found["last"], window)
            days = (last - day.weekday()) % 7
            days += 7 if days == 0 and end <= begin else 0
        yield _at(day, begin, zone), _at(day + timedelta(days=days), end, zone)


def _at(day: date, of_day: timedelta, zone: tzinfo) -> datetime:
    """A time of day, which may be 24:00."""
    day += timedelta(days=of_day.days)
    return datetime.combine(day, (datetime.min + (of_day - timedelta(days=of_day.days))).time(), zone).astimezone(UTC)


def _parsed(window: str) -> dict[str, str | None]:
    text = window.strip()
    if found := _OVER_DAYS.fullmatch(text) or _EACH_DAY.fullmatch(text):
        return found.groupdict()
    raise ValueError(f"quiet={window!r} is not understood. Write hours of a week such as {EXAMPLES}.")


def _days(text: str | None, window: str) -> set[int]:
    found: set[int] = set()
    for part in (text or "").lower().split(","):
        if part.strip() == "daily":
            return set(range(7))
        first, _, last = (name.strip() for name in part.partition("-"))
        begin = _day(first, window)
        end = _day(last, window) if last else begin
        found |= {(begin + step) % 7 for step in range((end - begin) % 7 + 1)}
    return found


def _day(name: str, window: str) -> int:
    for number, whole in enumerate(DAYS):
        if whole.startswith(name):
            return number
    raise ValueError(f"quiet={window!r}: {name!r} is no day of the week. Write hours such as {EXAMPLES}.")


def _time(text: str | None, window: str) -> timedelta:
    hours, minutes = (int(part) for part in (text or "").split(":"))
    if (hours, minutes) != (24, 0) and not (hours < 24 and minutes < 60):
        raise ValueError(f"quiet={window!r}: {text} is no time of day.")
    return timedelta(hours=hours, minutes=minutes)


def _zone(name: str, window: str) -> tzinfo:
    try:
        offset = re.fullmatch(r"[+-]\d{2}:\d{2}(:\d{2})?", name)
        zone = time.fromisoformat(f"00:00{name}").tzinfo if offset else ZoneInfo(name)
    except Exception as error:
        raise ValueError(f"quiet={window!r}: {name!r} is no time zone, such as Europe/Berlin.") from error
    assert zone is not None
    return zone
