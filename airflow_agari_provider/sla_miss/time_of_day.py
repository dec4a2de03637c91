"""SLAs by a time of day, such as "by six in the morning, in Berlin"."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def time_of_day_text(at: time, zone: tzinfo) -> str:
    """
    A time of day as it travels to other processes, such as ``06:00:00 Europe/Berlin``.

    :param zone: where the time is meant that has no time zone of its own.
    :raises ValueError: the zone has no name that others would know it by.
    """
    zone = at.tzinfo or zone
    name = getattr(zone, "key", None) or getattr(zone, "name", None) or str(zone)
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(
            f"The SLA by {at} needs a time zone with a name, such as Europe/Berlin, not {name}."
        ) from error
    return f"{at.replace(tzinfo=None).isoformat()} {name}"


def first_after(moment: datetime, time_of_day: str) -> datetime:
    """
    The first such time of day after a moment, in UTC.

    Where clocks are put forward over it, it is as much later; where they are put back, it is the first of the two.

    :param time_of_day: as :func:`time_of_day_text` has it.
    """
    at, _, name = time_of_day.partition(" ")
    zone = ZoneInfo(name)
    day = moment.astimezone(zone).date()
    while True:
        found = datetime.combine(day, time.fromisoformat(at), zone).astimezone(UTC)
        if found > moment:
            return found
        day += timedelta(days=1)
