"""SLAs by a time of day, such as "by six in the morning, in Berlin"."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def time_of_day_text(at: time, zone: tzinfo) -> str:
    """
    Write a time of day as it travels to other processes, such as ``06:00:00 Europe/Berlin`` or ``06:00:00+02:00``.

    :param zone: time zone of a time that has none of its own.
    :raises ValueError: the zone has neither a name that other processes know, nor the same offset all year.
    """
    zone = at.tzinfo or zone
    name = getattr(zone, "key", None) or getattr(zone, "name", None)
    if isinstance(name, str) and _is_known(name):
        return f"{at.replace(tzinfo=None).isoformat()} {name}"
    offset = zone.utcoffset(None)
    if offset is None:
        raise ValueError(f"The SLA by {at} needs a time zone with a name, such as ZoneInfo('Europe/Berlin').")
    return at.replace(tzinfo=timezone(offset)).isoformat()


def first_after(moment: datetime, time_of_day: str) -> datetime:
    """
    Return when a time of day comes first after a moment, in UTC.

    If clocks are put forward over it, it comes as much later; if they are put back, it is the first of the two times.

    :param time_of_day: as :func:`time_of_day_text` writes it.
    """
    text, _, name = time_of_day.partition(" ")
    at = time.fromisoformat(text)
    zone = ZoneInfo(name) if name else at.tzinfo
    day = moment.astimezone(zone).date()
    while True:
        found = datetime.combine(day, at.replace(tzinfo=None), zone).astimezone(UTC)
        if found > moment:
            return found
        day += timedelta(days=1)


def _is_known(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True
