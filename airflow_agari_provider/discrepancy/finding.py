"""One difference beyond what is allowed, and the sentence that tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from airflow_agari_provider.discrepancy.comparisons import STRICT, Comparison, Tolerance
from airflow_agari_provider.discrepancy.table import DiscrepancyTable, cell_text, percentage, short_text
from airflow_agari_provider.exceptions import cut

SHOWN_REASONS = 10  # of the reasons to skip messages; the result has all
Level = Literal["alarm", "warn"]
Scope = Literal["key", "together", "empty", "silent", "volume", "shares"]


@dataclass(frozen=True)
class Finding:
    """
    One difference beyond what is allowed: mostly of one key in one comparison.

    :param key: empty, unless the finding is about one key.
    :param difference: number of messages, without the counted skips; positive: lost, negative: duplicated.
    :param percent_of: number of messages that is 100 %.
    :param percent: the difference in percent of the comparison's base, as the table shows it.
    :param first_step: the first two neighbouring stages between which the count changed in that direction.
    :param first_difference: difference between those two stages, in messages.
    :param missing_in: stages that have no messages of the key.
    :param skipped: reason -> how many of the key's messages were rightly skipped; ``None``: not counted.
    :param limit: what was allowed, as text; empty: the tolerance.
    :param level: ``"warn"``: it is told, and nothing else happens.
    :param scope: ``"together"``: keys that are each within their limit, but not together; ``"empty"``: nothing was
        counted; ``"silent"``: an expected key without messages; ``"volume"`` and ``"shares"``: unlike the runs before,
        see :mod:`~airflow_agari_provider.discrepancy.unusual`.
    :param keys: how many keys the difference is of.
    :param told: what was found, if the other fields do not say it.
    """

    key: str
    comparison: str
    base: str
    other: str
    difference: int
    percent: float | str
    first_step: tuple[str, str]
    first_difference: int
    missing_in: tuple[str, ...] = ()
    tolerance: Tolerance = STRICT
    skipped: Mapping[str, int] | None = None
    limit: str = ""
    level: Level = "alarm"
    scope: Scope = "key"
    keys: int = 1
    percent_of: int = 0
    told: str = ""

    def __str__(self) -> str:
        return f"{self.what}; {self.allowed}" if self.allowed else self.what

    @property
    def allowed(self) -> str:
        """What was allowed; empty if nothing could have been."""
        return "" if self.scope in ("empty", "silent") else self.limit or f"allowed {self.tolerance}"

    @property
    def what(self) -> str:
        """What was found, without what was allowed."""
        if self.told:
            return self.told
        if self.scope == "empty":
            return f"Nothing was counted: all stages from {self.base} to {self.other} are empty"
        if self.scope == "silent":
            return f"{short_text(self.key)}: expected, but silent in every stage"
        name = short_text(self.key) if self.scope == "key" else f"{self.keys:,} keys together"
        text = f"{name}: {_moved(self.difference)} between {self.base} and {self.other} ({self._percent_text})"
        if self.skipped is not None:
            text += f", besides {skip_text(self.skipped)}"
        if self.first_step != (self.base, self.other):
            text += f", first {abs(self.first_difference):,} between {self.first_step[0]} and {self.first_step[1]}"
        if self.missing_in:
            text += f", missing in {', '.join(self.missing_in)}"
        return text

    @property
    def is_unusual(self) -> bool:
        """Whether it is about the runs before, not about a loss between two stages."""
        return self.scope in ("volume", "shares")

    @property
    def identity(self) -> tuple[str, str, str, bool]:
        """What makes a finding of another reading or run the same one."""
        return self.scope, self.key, self.comparison, self.difference > 0

    @property
    def _percent_text(self) -> str:
        return self.percent if isinstance(self.percent, str) else f"{cell_text(abs(self.percent))} %"


def finding_of_key(
    table: DiscrepancyTable,
    key: str,
    comparison: Comparison,
    difference: int,
    tolerance: Tolerance,
    level: Level = "alarm",
    limit: str = "",
) -> Finding:
    """Return the finding of one key, with the stage that it names and what else is known about it."""
    counts = table.counts_of(key)
    left = {**counts, comparison.other: counts[comparison.base] - difference}
    step = _first_step(table, comparison, left)
    return Finding(
        key=key,
        comparison=comparison.name,
        base=comparison.base,
        other=comparison.other,
        difference=difference,
        percent=percentage(difference, counts[comparison.percent_of or comparison.base]),
        first_step=step,
        first_difference=left[step[0]] - left[step[1]],
        missing_in=tuple(table.missing_in(key)),
        tolerance=tolerance,
        skipped=table.skipped(key) if table.balances(comparison) else None,
        limit=limit,
        level=level,
        percent_of=counts[comparison.percent_of or comparison.base],
    )


def finding_together(comparison: Comparison, keys: int, difference: int, base: int, limit: str) -> Finding:
    """Return the finding of keys that are each within their limit, but not together."""
    step = (comparison.base, comparison.other)
    return Finding(
        key="",
        comparison=comparison.name,
        base=comparison.base,
        other=comparison.other,
        difference=difference,
        percent=percentage(difference, base),
        first_step=step,
        first_difference=difference,
        limit=limit,
        scope="together",
        keys=keys,
        percent_of=base,
    )


def finding_without_difference(table: DiscrepancyTable, scope: Scope, key: str = "", level: Level = "alarm") -> Finding:
    """Return the finding that nothing was counted, or that an expected key is silent."""
    first, *_, last = table.counts
    return Finding(key, scope, first, last, 0, 0.0, (first, last), 0, level=level, scope=scope)


def _first_step(table: DiscrepancyTable, comparison: Comparison, counts: Mapping[str, int]) -> tuple[str, str]:
    stages = list(table.counts)
    start, end = stages.index(comparison.base), stages.index(comparison.other)
    lost = counts[comparison.base] > counts[comparison.other]
    for earlier, later in pairwise(stages[start : end + 1]):
        if counts[earlier] != counts[later] and (counts[earlier] > counts[later]) == lost:
            return earlier, later
    return comparison.base, comparison.other


def skip_text(skipped: Mapping[str, int]) -> str:
    """Return the number of skipped messages, and how many were skipped for each of the most frequent reasons."""
    text = f"{sum(skipped.values()):,} skipped"
    reasons = [f"{cut(reason, 60, '...')} {count:,}" for reason, count in list(skipped.items())[:SHOWN_REASONS]]
    reasons += ["..."] if len(skipped) > SHOWN_REASONS else []
    return f"{text} ({', '.join(reasons)})" if reasons else text


def _moved(difference: int) -> str:
    return f"lost {difference:,}" if difference > 0 else f"gained {-difference:,}"
