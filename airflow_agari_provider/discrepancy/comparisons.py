"""What is compared with what, and how much may differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Literal


@dataclass(frozen=True)
class Tolerance:
    """
    A difference is a discrepancy only when it is beyond **both** limits; the default allows none.

    :param count: messages.
    :param percent: percent of the comparison's ``percent_of`` stage; without messages there, ``count`` alone decides.
    :param min_volume: a key with fewer messages than this in every compared stage is not judged.
    """

    count: int = 0
    percent: float = 0.0
    min_volume: int = 0

    def allows(self, difference: int, base: int, volume: int) -> bool:
        """
        Whether a difference is within this tolerance.

        :param difference: messages; the sign does not matter.
        :param base: what 100 % is.
        :param volume: the largest count of the key.
        """
        if volume < self.min_volume or abs(difference) <= self.count:
            return True
        return base > 0 and 100 * abs(difference) <= Decimal(str(self.percent)) * base

    def __str__(self) -> str:
        return f"{self.count:,} and {self.percent} %"


@dataclass(frozen=True)
class Comparison:
    """
    One difference: ``base - other``. Positive is lost, negative is duplicated.

    :param name: heading of the column.
    :param base: name of the earlier stage.
    :param other: name of the later stage.
    :param percent_of: stage that is 100 %; ``None`` shows no percentage, and the tolerance then counts of ``base``.
    :param percent_name: heading of the percentage; ``name`` and `` %`` when not given.
    :param judge: ``"difference"``: any difference beyond the tolerance is a discrepancy. ``"gain"``: fewer is expected
        (some are skipped on purpose), so only more than the base, or nothing at all of a key, is one. ``"nothing"``:
        the difference is only shown.
    :param tolerance: this comparison's own; ``None`` takes the check's.
    """

    name: str
    base: str
    other: str
    percent_of: str | None = None
    percent_name: str | None = None
    judge: Literal["difference", "gain", "nothing"] = "difference"
    tolerance: Tolerance | None = None

    @property
    def percent_heading(self) -> str:
        """Heading of the percentage's column."""
        return self.percent_name or f"{self.name} %"

    @property
    def stages(self) -> set[str]:
        """Names of all stages this comparison reads."""
        return {self.base, self.other, self.percent_of or self.base}


# The report Agari published in 2016; NRT is a second, near-real-time way into the database that was being rolled out.
PUBLISHED = (
    Comparison("Discrepancy", "Agg", "DB", percent_of="Collector", percent_name="Discr %"),
    Comparison("NRT Discrepancy", "DB", "NRT DB", percent_of="Collector", percent_name="NRT Discr %", judge="nothing"),
    Comparison("Skipped", "Collector", "Agg", judge="gain"),
)
PUBLISHED_STAGES = {"Collector", "Agg", "DB"}


def check_names(stages: Sequence[str], comparisons: Sequence[Comparison]) -> None:
    """
    Refuse what could not be compared.

    :raises ValueError: fewer than two stages, two of one name, or a comparison of a stage that is not there.
    """
    if len(set(stages)) != len(stages) or len(stages) < 2:
        raise ValueError(f"A discrepancy check needs two or more stages with names of their own, not {list(stages)}.")
    for comparison in comparisons:
        if unknown := comparison.stages - set(stages):
            raise ValueError(
                f"Comparison {comparison.name!r} names the stage(s) {sorted(unknown)}, but there are {list(stages)}."
            )


def default_comparisons(stages: Sequence[str]) -> tuple[Comparison, ...]:
    """
    The published comparisons for the published stages (``NRT DB`` may lack), otherwise each stage with the next.

    :param stages: names in the order of the pipeline.
    """
    if PUBLISHED_STAGES <= set(stages) <= PUBLISHED_STAGES | {"NRT DB"}:
        return tuple(comparison for comparison in PUBLISHED if comparison.stages <= set(stages))
    return tuple(Comparison(f"{base} - {other}", base, other, percent_of=stages[0]) for base, other in pairwise(stages))
