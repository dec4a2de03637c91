"""SLAs from an Airflow Variable, which people change without a change of the DAG."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

logger = logging.getLogger(__name__)

LONGEST = timedelta(days=366)


@dataclass(frozen=True)
class FromVariable:
    """
    An SLA that an Airflow Variable says: a number of seconds, as for Airflow's own ``VariableInterval``.

    It is read anew for each run: on Airflow 3 when the run is created, on 2.11 at each check.

    :param key: of the variable.
    :param default: the SLA if there is no such variable, or it is no number above zero, which is an error in the log.
    :param floor: the shortest SLA: a smaller number counts as this much.
    :raises ValueError: an empty key, or a time out of its range.
    """

    key: str
    default: timedelta
    floor: timedelta = timedelta(minutes=1)

    def __post_init__(self) -> None:
        if not self.key.strip():
            raise ValueError("FromVariable needs the key of an Airflow Variable.")
        if not timedelta(seconds=1) <= self.floor <= self.default <= LONGEST:
            raise ValueError(
                f"FromVariable({self.key!r}): floor is at least a second, and default from floor up to {LONGEST.days} "
                f"days, not {self.floor} and {self.default}."
            )

    @property
    def text(self) -> str:
        """As it travels to other processes, such as ``3600 60 load_sla``."""
        return f"{self.default.total_seconds():g} {self.floor.total_seconds():g} {self.key}"

    @classmethod
    def from_text(cls, text: str) -> FromVariable:
        """Read what :attr:`text` wrote."""
        default, floor, key = text.split(" ", 2)
        return cls(key, timedelta(seconds=float(default)), timedelta(seconds=float(floor)))

    def sla(self, value: str | None) -> timedelta:
        """Return the SLA. :param value: of the variable; ``None``: there is none."""
        try:
            seconds = float(value or "")
        except ValueError:
            seconds = 0
        if not 0 < seconds <= LONGEST.total_seconds():
            problem = "does not exist" if value is None else "is no number of seconds above zero"
            logger.error(
                "Airflow Variable %s %s, so the SLA is %s. Set it to seconds.", self.key, problem, self.default
            )
            return self.default
        return max(self.floor, timedelta(seconds=seconds))
