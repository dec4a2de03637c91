"""Which stages are compared with each other, and how much their counts may differ."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, Literal

from airflow_agari_provider.exceptions import require_one_of

CEILING_FROM = 1_000  # messages; an organisation of the published table rightly skips 65 % of its 315
Judge = Literal["difference", "gain", "nothing"]


def _require_number(name: str, value: Any, *kinds: type) -> None:
    is_number = type(value) in kinds  # which a boolean is not
    if not is_number or value != value or not 0 <= value < float("inf"):  # a NaN is not itself
        number = "a number" if float in kinds else "a whole number"
        raise ValueError(
            f"The tolerance's {name} is {number}, 0 or more, not {value!r}. It is fixed when the DAG is parsed:"
            " a tolerance is not a template."
        )


@dataclass(frozen=True)
class Tolerance:
    """
    How large a difference may be. It is a discrepancy only if it exceeds **both** limits.

    By default, no difference is allowed.

    :param count: number of messages.
    :param percent: percent of the comparison's ``percent_of`` stage; if that has no messages, ``count`` alone decides.
    :param min_volume: a key with fewer messages than this in every compared stage is not judged.
    """

    count: int = 0
    percent: float = 0.0
    min_volume: int = 0

    def __post_init__(self) -> None:
        for name in ("count", "min_volume"):
            _require_number(name, getattr(self, name), int)
        _require_number("percent", self.percent, int, float, Decimal)

    def allows(self, difference: int, base: int, volume: int) -> bool:
        """
        Whether a difference is within this tolerance.

        :param difference: messages; the sign does not matter.
        :param base: number of messages that is 100 %.
        :param volume: the largest count of the key among the compared stages.
        """
        if volume < self.min_volume or abs(difference) <= self.count:
            return True
        return base > 0 and 100 * abs(difference) <= Decimal(str(self.percent)) * base

    def for_one(self, base: int) -> int:
        """
        Return the most messages by which one key may differ.

        :param base: number of messages that is 100 %.
        """
        return max(self.count, self.min_volume - 1, int(Decimal(str(self.percent)) * base / 100))

    def __str__(self) -> str:
        return f"{self.count:,} and {self.percent} %"


STRICT = Tolerance()


def require_tolerances(arguments: Mapping[str, object]) -> None:
    """:raises ValueError: an argument is no tolerance."""
    for name, value in arguments.items():
        if not isinstance(value, Tolerance):
            raise ValueError(f"{name} is a Tolerance, not {value!r}: such as Tolerance(count=10, percent=0.5).")


@dataclass(frozen=True)
class Comparison:
    """
    One difference: ``base - other``. If positive, messages were lost; if negative, messages were duplicated.

    :param name: heading of the column.
    :param base: name of the earlier stage.
    :param other: name of the later stage.
    :param percent_of: stage that is 100 %. ``None``: no percentage is shown, and the tolerance's percentage refers to
        ``base``.
    :param percent_name: heading of the percentage; by default ``name`` followed by `` %``.
    :param judge: ``"difference"``: any difference beyond the tolerance is a discrepancy. ``"gain"``: fewer messages are
        expected (some are skipped on purpose), so a discrepancy is only a key with more messages than in ``base``, or
        with none, or with too few (``most_skipped``); if the check has counted skips, any difference that they do not
        account for. ``"nothing"``: the difference is only shown.
    :param tolerance: this comparison's own; ``None``: the check's.
    :param most_skipped: percent of ``base`` that may be skipped, with ``judge="gain"`` and without counted skips: of
        each key that has 1,000 messages or more in ``base``, and of all keys together if they have as many. 100: any.
    """

    name: str
    base: str
    other: str
    percent_of: str | None = None
    percent_name: str | None = None
    judge: Judge = "difference"
    tolerance: Tolerance | None = None
    most_skipped: float = 50.0

    def __post_init__(self) -> None:
        require_one_of("judge", self.judge, ("difference", "gain", "nothing"))
        if self.base == self.other:
            raise ValueError(f"Comparison {self.name!r} compares the stage {self.base!r} with itself.")
        if type(self.most_skipped) not in (int, float) or not 0 <= self.most_skipped <= 100:
            raise ValueError(f"most_skipped is a percentage from 0 to 100, not {self.most_skipped!r}.")
        require_tolerances({f"tolerance of Comparison {self.name!r}": self.tolerance or STRICT})

    @property
    def percent_heading(self) -> str:
        """Heading of the percentage's column."""
        return self.percent_name or f"{self.name} %"

    @property
    def stages(self) -> set[str]:
        """Names of all stages this comparison reads."""
        return {self.base, self.other, self.percent_of or self.base}


# The report that Agari published in 2016. NRT is a second, near-real-time path into the database, which was being
# introduced then.
PUBLISHED = (
    Comparison("Discrepancy", "Agg", "DB", percent_of="Collector", percent_name="Discr %"),
    Comparison("NRT Discrepancy", "DB", "NRT DB", percent_of="Collector", percent_name="NRT Discr %", judge="nothing"),
    Comparison("Skipped", "Collector", "Agg", judge="gain"),
)
PUBLISHED_STAGES = {"Collector", "Agg", "DB"}


def check_skips(comparisons: Sequence[Comparison]) -> None:
    """
    Check that it is clear between which stages messages are skipped.

    :raises ValueError: not exactly one comparison is judged by its gains.
    """
    skipping = [comparison.name for comparison in comparisons if comparison.judge == "gain"]
    if len(skipping) != 1:
        raise ValueError(
            f'skips needs exactly one comparison with judge="gain", between whose stages messages are skipped, not '
            f"{skipping}. Give comparisons with one, or leave skips out."
        )


def check_names(stages: Sequence[str], comparisons: Sequence[Comparison], hidden: Collection[str] = ()) -> None:
    """
    Check that the stages can be compared.

    :param hidden: names of the stages that the report does not show.
    :raises ValueError: there are fewer than two stages, two have the same name, the first one is hidden, or a
        comparison names a stage that does not exist, or two comparisons have the same name.
    """
    if len(set(stages)) != len(stages) or len(stages) < 2:
        raise ValueError(f"A discrepancy check needs two or more stages with different names, not {list(stages)}.")
    if stages[0] in hidden:
        raise ValueError(f"The first stage, {stages[0]!r}, is what the others are compared with: it must be shown.")
    names = [comparison.name for comparison in comparisons]
    if len(set(names)) != len(names):
        raise ValueError(f"Two comparisons have the same name: {names}.")
    for comparison in comparisons:
        if unknown := comparison.stages - set(stages):
            raise ValueError(
                f"Comparison {comparison.name!r} names the stage(s) {sorted(unknown)}, which the check does not have. "
                f"Its stages are {list(stages)}."
            )


def default_comparisons(stages: Sequence[str], hidden: Collection[str] = ()) -> tuple[Comparison, ...]:
    """
    Return the published comparisons for the published stages (``NRT DB`` is optional).

    For other stages, compare each stage with the next. In both cases, compare each hidden stage with the one before.

    :param stages: names in the order of the pipeline.
    :param hidden: names of the stages that the report does not show.
    """
    checks = [Comparison(f"{base} - {other}", base, other) for base, other in pairwise(stages) if other in hidden]
    shown = [stage for stage in stages if stage not in hidden]
    if PUBLISHED_STAGES <= set(shown) <= PUBLISHED_STAGES | {"NRT DB"}:
        return (*(comparison for comparison in PUBLISHED if comparison.stages <= set(shown)), *checks)
    steps = [Comparison(f"{base} - {other}", base, other, percent_of=shown[0]) for base, other in pairwise(shown)]
    return (*steps, *checks)
