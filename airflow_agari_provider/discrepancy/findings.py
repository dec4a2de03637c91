"""Which keys differ by more than is allowed, and between which stages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from airflow_agari_provider.discrepancy.comparisons import Comparison, Tolerance
from airflow_agari_provider.discrepancy.table import DiscrepancyTable, cell_text, percentage
from airflow_agari_provider.exceptions import cut

SHOWN_REASONS = 10  # of the reasons to skip messages; the result has all


@dataclass(frozen=True)
class Finding:
    """
    One key whose difference in one comparison is beyond the tolerance.

    :param difference: number of messages, without the counted skips; positive: lost, negative: duplicated.
    :param percent: the difference in percent of the comparison's base, as the table shows it.
    :param first_step: the first two neighbouring stages between which the count changed in that direction.
    :param first_difference: difference between those two stages, in messages.
    :param missing_in: stages that have no messages of the key.
    :param skipped: reason -> how many of the key's messages were rightly skipped; ``None``: not counted.
    """

    key: str
    comparison: str
    base: str
    other: str
    difference: int
    percent: float | str
    first_step: tuple[str, str]
    first_difference: int
    missing_in: tuple[str, ...]
    tolerance: Tolerance
    skipped: Mapping[str, int] | None = None

    def __str__(self) -> str:
        text = f"{self.key}: {_moved(self.difference)} between {self.base} and {self.other} ({self._percent_text})"
        if self.skipped is not None:
            text += f", besides {skip_text(self.skipped)}"
        if self.first_step != (self.base, self.other):
            text += f", first {abs(self.first_difference):,} between {self.first_step[0]} and {self.first_step[1]}"
        if self.missing_in:
            text += f", missing in {', '.join(self.missing_in)}"
        return f"{text}; allowed {self.tolerance}"

    @property
    def _percent_text(self) -> str:
        return self.percent if isinstance(self.percent, str) else f"{cell_text(abs(self.percent))} %"


def find_discrepancies(
    table: DiscrepancyTable, tolerance: Tolerance, tolerances: Mapping[str, Tolerance]
) -> list[Finding]:
    """
    Return a finding for every key and comparison beyond its tolerance, the largest difference first.

    :param tolerance: for comparisons without a tolerance of their own.
    :param tolerances: key -> tolerance that replaces every other tolerance for this key.
    """
    findings = [
        finding
        for key in table.keys
        for finding in _of_key(table, key, table.counts_of(key), tolerances.get(key), tolerance)
    ]
    return sorted(findings, key=lambda finding: -abs(finding.difference))


def _of_key(
    table: DiscrepancyTable, key: str, counts: Mapping[str, int], own: Tolerance | None, general: Tolerance
) -> Iterator[Finding]:
    for comparison in table.comparisons:
        difference = table.difference(key, comparison)
        if difference == 0:
            continue
        limit = own or comparison.tolerance or general
        whole = counts[comparison.percent_of or comparison.base]
        volume = max(counts[stage] for stage in comparison.stages)
        if not _is_judged(table, comparison, counts) or limit.allows(difference, whole, volume):
            continue
        skipped = table.skipped(key) if table.balances(comparison) else None
        left = {**counts, comparison.other: counts[comparison.base] - difference}
        step = _first_step(table, comparison, left)
        yield Finding(
            key=key,
            comparison=comparison.name,
            base=comparison.base,
            other=comparison.other,
            difference=difference,
            percent=percentage(difference, whole),
            first_step=step,
            first_difference=left[step[0]] - left[step[1]],
            missing_in=tuple(table.missing_in(key)),
            tolerance=limit,
            skipped=skipped,
        )


def _is_judged(table: DiscrepancyTable, comparison: Comparison, counts: Mapping[str, int]) -> bool:
    if comparison.judge == "gain" and not table.balances(comparison):
        return counts[comparison.other] > counts[comparison.base] or counts[comparison.other] == 0
    return comparison.judge != "nothing"


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
