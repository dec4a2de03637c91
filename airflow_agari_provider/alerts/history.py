"""SLAs from what earlier runs took: a high percentile of the last ones, times a factor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

MOST_RUNS = 1000  # runs that are looked at


@dataclass(frozen=True)
class FromHistory:
    """
    An SLA that follows what a task, or the run, usually takes.

    It is the time from when a run was queued until the task was done, of the last successful runs: a percentile of
    these, times a factor, and at least ``floor``. A task is not watched before there are ``least`` such runs.

    :param runs: how many of the last successful runs count, up to 1,000.
    :param percentile: between 0 and 100; 95: one run of twenty took longer.
    :param factor: how much longer than that it may take.
    :param floor: the shortest SLA.
    :param least: runs without which there is no SLA yet.
    :raises ValueError: a number out of its range.
    """

    runs: int = 20
    percentile: float = 95
    factor: float = 1.5
    floor: timedelta = timedelta(minutes=5)
    least: int = 5

    def __post_init__(self) -> None:
        wrong = [
            name
            for name, is_right in (
                ("runs", 1 <= self.runs <= MOST_RUNS),
                ("percentile", 0 < self.percentile <= 100),
                ("factor", 0 < self.factor < math.inf),
                ("floor", self.floor >= timedelta(seconds=1)),
                ("least", 1 <= self.least <= self.runs),
            )
            if not is_right
        ]
        if wrong:
            raise ValueError(
                f"FromHistory({wrong[0]}={getattr(self, wrong[0])!r}) is out of range. There may be 1 to {MOST_RUNS:,} "
                "runs, of which one to all are needed, a percentile up to 100, a factor above 0, a floor of a second."
            )

    @property
    def text(self) -> str:
        """As it travels to other processes, such as ``20 95 1.5 300 5``."""
        return f"{self.runs} {self.percentile:g} {self.factor:g} {self.floor.total_seconds():g} {self.least}"

    @classmethod
    def from_text(cls, text: str) -> FromHistory:
        """Read what :attr:`text` wrote."""
        runs, percentile, factor, floor, least = text.split()
        return cls(int(runs), float(percentile), float(factor), timedelta(seconds=float(floor)), int(least))

    def sla(self, durations: Sequence[float]) -> timedelta | None:
        """
        Return the SLA; ``None`` if too few runs have succeeded.

        :param durations: seconds that the last successful runs took; a negative one, as of a run that was cleared, does
            not count.
        """
        known = sorted(seconds for seconds in durations if seconds >= 0)
        if len(known) < self.least:
            return None
        # The nearest rank: a time that a run really took
        high = known[math.ceil(self.percentile / 100 * len(known)) - 1]
        return max(self.floor, timedelta(seconds=high * self.factor))
