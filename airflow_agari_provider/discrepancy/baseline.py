"""Which earlier runs a run is compared with: the last ones of the same hour of the week, or of the day, or any."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Literal
from zoneinfo import ZoneInfo

from airflow_agari_provider.exceptions import require_one_of

Same = Literal["hour_of_week", "hour_of_day", "any"]
Slot = tuple[int, int]
_SLOTS: dict[str, int] = {"hour_of_week": 168, "hour_of_day": 24, "any": 1}
_DAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
LEAST_KEPT = 200  # runs; the spread is learnt from more of them than are in one hour of the week


@dataclass(frozen=True)
class Baseline:
    """
    The earlier runs that a run is compared with; the parameters are those of ``Expected`` and ``Distribution``.

    :raises ValueError: one of them is not usable.
    """

    runs: int = 8
    learning: int = 4
    same: Same = "hour_of_week"
    timezone: str = "UTC"
    since: str | datetime | None = None

    def __post_init__(self) -> None:
        require_one_of("same", self.same, tuple(_SLOTS))
        for name in ("runs", "learning"):
            number = getattr(self, name)
            if type(number) is not int or number < 2:
                raise ValueError(f"{name} is a whole number of runs, 2 or more, not {number!r}.")
        if self.learning > self.runs:
            raise ValueError(
                f"learning={self.learning} is more than runs={self.runs}: it would never learn enough. Give fewer."
            )
        try:
            _ = self._zone, self._begin
        except (ValueError, OSError, KeyError) as error:
            raise ValueError(
                f"timezone={self.timezone!r} or since={self.since!r} cannot be read ({error}): give the name of a time"
                " zone, such as Europe/Berlin, and a time in ISO 8601."
            ) from error

    @property
    def kept_runs(self) -> int:
        """How many runs the history must keep, if there is one each hour."""
        return max(LEAST_KEPT, _SLOTS[self.same] * self.runs)

    def slot_of(self, moment: datetime) -> Slot:
        """Return what two moments have in common if they are compared with each other."""
        local = moment.astimezone(self._zone)
        return (
            local.weekday() if self.same == "hour_of_week" else 0,
            local.hour if self.same != "any" else 0,
        )

    def slot_name(self, moment: datetime) -> str:
        """Return such runs in words, after a number: ``runs of Thursdays, 05:00``."""
        day, hour = self.slot_of(moment)
        zone = "" if self.timezone == "UTC" else f" {self.timezone}"
        at = {"hour_of_week": f" of {_DAYS[day]}, {hour:02}:00{zone}", "hour_of_day": f" of {hour:02}:00{zone}"}
        return f"runs{at.get(self.same, '')}"

    def counts(self, moment: datetime) -> bool:
        """Whether a run of this moment is looked at."""
        return self._begin is None or moment >= self._begin

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @cached_property
    def _begin(self) -> datetime | None:
        return None if self.since is None else in_utc(self.since)


def in_utc(moment: str | datetime) -> datetime:
    """
    Return a time, or the text of one, in UTC; without a zone, it is in UTC.

    :raises ValueError: the text is not a time in ISO 8601.
    """
    time = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def moment_of_window(window: str, run_at: str) -> datetime:
    """
    Return the time that a run is about: that of its window, if its text is a time; otherwise that of the run.

    A person may start a run today for an hour of last week.
    """
    try:
        return in_utc(window)
    except ValueError:
        return in_utc(run_at)
