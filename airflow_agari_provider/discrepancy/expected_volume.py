"""
How many messages are usual at this hour, learnt from the runs before, without a figure that somebody has to guess.

What is usual is the median of the last runs of the same hour of the week, corrected by how far the latest runs of all
hours were off, so that growth is followed. How far a run may be off is learnt from the differences of *all* hours: the
eight values of one hour say little about their spread, a thousand of all hours say it well.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import islice
from statistics import median

from airflow_agari_provider.discrepancy.baseline import Baseline, Same, Slot
from airflow_agari_provider.discrepancy.comparisons import Tolerance
from airflow_agari_provider.discrepancy.finding import Level
from airflow_agari_provider.exceptions import require_one_of

# Of 1,000 runs with log-normal noise of 0.10, at most one is then beyond them, and of 100 halved ones 99 are; both are
# measured by `make bench-discrepancy`.
DEVIATIONS = 3.5
FLOOR = Tolerance(count=20, percent=30.0)
LEAST_RESIDUALS = 8  # of all hours, before anything is judged
LATEST = 100  # residuals that say how far the level has moved; at one run an hour, four days
BUSY, LEAST_BUSY = 100, 20  # below 100 messages an hour, chance alone makes a tenth
ROUNDING = 1e-6  # messages; the logarithm of 1,000 does not come back as exactly 1,000
TO_DEVIATION = 1.4826  # of a median absolute deviation, if the noise is normal


@dataclass(frozen=True)
class Expected:
    """
    The usual volume of a stage, learnt from the check's own history (``history_conn_id``).

    A run is unusual only if it is beyond **both** what was learnt and ``floor``. That nothing came where more than
    ``floor.count`` messages are usual always is. Runs that were unusual teach nothing, unless their window is in
    ``accepted_windows``.

    :param stage: name of the stage.
    :param keys: how many of the largest keys are judged on their own too; 0: only the total is.
    :param runs: how many of the last runs say what is usual.
    :param learning: as long as there are fewer of them, nothing is judged, and the report says so.
    :param same: which runs these are: of the ``"hour_of_week"``, of the ``"hour_of_day"``, or ``"any"``. The hour is
        that of the check's ``window``, if that is a time; otherwise of the run's date.
    :param timezone: of the hours; people in zones with a summer time should name theirs.
    :param since: time in ISO 8601; runs before it are not looked at, for example since a large customer came.
    :param deviations: how many standard deviations a run may be off; several keys are each allowed more, so that they
        do not alarm more often together.
    :param floor: differences within this are never unusual.
    :param level: ``"alarm"``, or ``"warn"``: it is told, and nothing else happens.
    """

    stage: str
    keys: int = 0
    runs: int = 8
    learning: int = 4
    same: Same = "hour_of_week"
    timezone: str = "UTC"
    since: str | datetime | None = None
    deviations: float = DEVIATIONS
    floor: Tolerance = FLOOR
    level: Level = "alarm"

    def __post_init__(self) -> None:
        require_one_of("level", self.level, ("alarm", "warn"))
        require_deviations(self.deviations)
        if type(self.keys) is not int or not 0 <= self.keys <= 1000:
            raise ValueError(f"keys is a number of keys from 0 to 1,000, not {self.keys!r}.")
        if not isinstance(self.floor, Tolerance):
            raise ValueError(f"floor is a Tolerance, not {self.floor!r}: such as Tolerance(count=20, percent=30.0).")
        _ = self.baseline

    @cached_property
    def baseline(self) -> Baseline:
        return Baseline(self.runs, self.learning, self.same, self.timezone, self.since)

    @property
    def name(self) -> str:
        """Name of the comparison, in findings and in the history."""
        return f"Expected {self.stage}"


def require_deviations(deviations: object) -> None:
    """:raises ValueError: it is not a number above 0."""
    if type(deviations) not in (int, float) or not 0 < float(deviations) < math.inf:  # type: ignore[arg-type]
        raise ValueError(f"deviations is a number above 0, such as {DEVIATIONS}, not {deviations!r}.")


@dataclass(frozen=True)
class Band:
    """
    What is usual in a run.

    :param usual: messages.
    :param low: fewer are unusual.
    :param high: more are unusual.
    :param runs: how many runs of the same hour say so.
    """

    usual: int
    low: int
    high: int
    runs: int

    def holds(self, count: int, share: float = 1.0) -> bool:
        """
        Whether a count is usual.

        :param share: of the usual volume that came altogether.
        """
        return self.low * share <= count <= self.high * share


class Volumes:
    """
    Volumes of earlier runs, added from the oldest to the newest.

    :param among: how many such series are judged in a run.
    """

    def __init__(self, expected: Expected, among: int = 1) -> None:
        self._baseline, self._floor = expected.baseline, expected.floor
        # the largest of n differences grows with the root of 2 ln n
        self._deviations = math.sqrt(expected.deviations**2 + 2 * math.log(max(1, among)))
        self._slots: dict[Slot, deque[float]] = {}
        kept = expected.baseline.kept_runs
        self._residuals: deque[float] = deque(maxlen=kept)
        self._busy: deque[float] = deque(maxlen=kept)

    def add(self, moment: datetime, count: int) -> None:
        """Learn from a run that was as usual."""
        before = self._slots.setdefault(self._baseline.slot_of(moment), deque(maxlen=self._baseline.runs))
        level = math.log1p(count)
        if len(before) >= 2:
            usual = median(before)
            self._residuals.append(level - usual)
            if usual >= math.log(BUSY):
                self._busy.append(level - usual)
        before.append(level)

    def learnt(self, moment: datetime) -> int:
        """How many runs there are of the same hour."""
        return len(self._slots.get(self._baseline.slot_of(moment), ()))

    def band(self, moment: datetime) -> Band | None:
        """Return what is usual at a time; ``None``: there are too few runs to say."""
        runs = self.learnt(moment)
        residuals = self._busy if len(self._busy) >= LEAST_BUSY else self._residuals
        if runs < self._baseline.learning or len(residuals) < LEAST_RESIDUALS:
            return None
        centre = median(self._slots[self._baseline.slot_of(moment)])
        centre += median(islice(residuals, max(0, len(residuals) - LATEST), None))
        usual = max(0.0, math.expm1(centre))
        middle = median(residuals)
        spread = TO_DEVIATION * median(abs(each - middle) for each in residuals)
        if residuals is self._busy:
            spread = math.sqrt(spread**2 + 1 / (usual + 1))  # quiet hours vary by chance as well
        spread *= 1 + 6 / len(residuals)  # which few runs tell only roughly
        width = self._deviations * spread
        allowed = max(self._floor.count, float(self._floor.percent) * usual / 100)
        low = math.ceil(max(0.0, min(math.expm1(centre - width), usual - allowed)) - ROUNDING)
        if usual > self._floor.count:
            low = max(low, 1)
        high = math.floor(max(_expm1(centre + width), usual + allowed) + ROUNDING)
        return Band(round(usual), low, high, runs)


def _expm1(exponent: float) -> float:
    return math.expm1(min(exponent, 43.0))  # no count has more than 63 bits
