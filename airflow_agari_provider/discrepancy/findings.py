"""
The verdict on a table: each key by its limit, all keys together by theirs, and whether anything was counted at all.

Keys that are each within their limit may still have lost half of everything together. So what no key is found guilty of
is added up, and may be no more than one key may differ by. The work on all keys is done on whole columns, since there
may be a million; only the largest findings become objects.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from typing import Literal, NamedTuple

from airflow_agari_provider.discrepancy.comparisons import CEILING_FROM, STRICT, Comparison, Tolerance
from airflow_agari_provider.discrepancy.finding import (
    Finding,
    Level,
    finding_of_key,
    finding_together,
    finding_without_difference,
)
from airflow_agari_provider.discrepancy.table import DiscrepancyTable
from airflow_agari_provider.exceptions import cut

KEPT_FINDINGS = 1000  # the largest; if there are more, naming every one would tell nothing more


@dataclass(frozen=True)
class Limits:
    """
    What is allowed; the parameters are those of ``DiscrepancyCheckOperator``.

    :param tolerances: by the text of the key.
    """

    tolerance: Tolerance = STRICT
    tolerances: Mapping[str, Tolerance] = field(default_factory=dict)
    total_tolerance: Tolerance | None = None
    warn_tolerance: Tolerance | None = None
    on_empty: Literal["fail", "alert", "ok"] = "ok"
    on_silent: Literal["ok", "warn", "alarm"] = "ok"


@dataclass(frozen=True)
class Judgement:
    """
    What was found.

    :param findings: the largest, alarms first.
    :param alarms: how many differences are beyond their limit; ``findings`` may have fewer.
    :param discrepant: how many keys that are.
    :param remarks: sentences about what is not judged.
    """

    findings: list[Finding]
    alarms: int
    discrepant: int
    remarks: list[str] = field(default_factory=list)


class _Guilty(NamedTuple):
    """A key beyond its limit, by its place in the table."""

    place: int
    comparison: Comparison
    difference: int
    tolerance: Tolerance
    level: Level
    limit: str


def judge(
    table: DiscrepancyTable, limits: Limits, first: Sequence[str] | None = None, unusual: Sequence[Finding] = ()
) -> Judgement:
    """
    Return what is beyond the limits.

    :param first: what an earlier reading found; then only what was found already is judged. ``None``: all is.
    :param unusual: what is unlike the runs before.
    """
    guilty: list[_Guilty] = []
    others: list[Finding] = list(unusual)
    if limits.on_empty != "ok" and table.is_empty:
        others.append(finding_without_difference(table, "empty"))
    for comparison in table.comparisons:
        if comparison.judge != "nothing":
            of_keys, together = _of_comparison(table, comparison, limits)
            guilty += of_keys
            others += together
    if limits.on_silent != "ok":
        others += [finding_without_difference(table, "silent", key, limits.on_silent) for key in table.silent_keys]
    guilty, others, remarks = _persisting(table, guilty, others, first)
    alarming = [each.place for each in guilty if each.level == "alarm"]
    largest = nlargest(KEPT_FINDINGS, guilty, key=lambda each: (each.level == "alarm", abs(each.difference)))
    found = [*others, *(_finding(table, each) for each in largest)]
    found.sort(key=lambda finding: (finding.level == "warn", finding.scope != "empty", -abs(finding.difference)))
    alarms = len(alarming) + sum(finding.level == "alarm" for finding in others)
    return Judgement(found[:KEPT_FINDINGS], alarms, len(set(alarming)), remarks)


def identities(findings: Sequence[Finding]) -> list[str] | None:
    """
    Return what makes each finding the same one in another reading, as short texts; ``None`` if there are too many.

    A task that waits keeps them in Airflow's database.
    """
    if len(findings) >= KEPT_FINDINGS:
        return None
    return [_identity(each.scope, each.key, each.comparison, each.difference) for each in findings]


def _identity(scope: str, key: str, comparison: str, difference: int) -> str:
    parts = (scope, key, comparison, "lost" if difference > 0 else "gained")
    return hashlib.blake2b("\0".join(parts).encode(errors="backslashreplace"), digest_size=8).hexdigest()


def _persisting(
    table: DiscrepancyTable, guilty: list[_Guilty], others: list[Finding], first: Sequence[str] | None
) -> tuple[list[_Guilty], list[Finding], list[str]]:
    """Leave out what the first reading did not find: a stage may have been read while the other one still moved."""
    if first is None:
        return guilty, others, []
    before = set(first)
    keys = table.every_key

    def was_found(each: _Guilty) -> bool:
        return _identity("key", keys[each.place], each.comparison.name, each.difference) in before

    kept = [each for each in guilty if was_found(each)]
    kept_others = [
        each for each in others if _identity(each.scope, each.key, each.comparison, each.difference) in before
    ]
    new = [cut(keys[each.place], 60, "...") for each in guilty if not was_found(each)]
    new += [each.what for each in others if each not in kept_others]
    if not new:
        return kept, kept_others, []
    names = ", ".join(dict.fromkeys(new[:10])) + (", ..." if len(new) > 10 else "")
    return kept, kept_others, [f"Only the second reading differs for {names}: not judged, as it was not so at first."]


def _finding(table: DiscrepancyTable, guilty: _Guilty) -> Finding:
    key = table.every_key[guilty.place]
    return finding_of_key(
        table, key, guilty.comparison, guilty.difference, guilty.tolerance, guilty.level, guilty.limit
    )


def find_discrepancies(
    table: DiscrepancyTable, tolerance: Tolerance, tolerances: Mapping[str, Tolerance]
) -> list[Finding]:
    """
    Return a finding for every key and comparison beyond its tolerance, the largest difference first.

    :param tolerance: for comparisons without a tolerance of their own.
    :param tolerances: key -> tolerance that replaces every other tolerance for this key.
    """
    return judge(table, Limits(tolerance, tolerances)).findings


def _of_comparison(
    table: DiscrepancyTable, comparison: Comparison, limits: Limits
) -> tuple[list[_Guilty], list[Finding]]:
    """Return the keys beyond their limit, and what the others differ by together, if that is too much."""
    differences, percent_of = table.differences(comparison), table.column(comparison.percent_of or comparison.base)
    skips_freely = comparison.judge == "gain" and not table.balances(comparison)
    skipping = _Skipping(comparison, table.column(comparison.base), differences) if skips_freely else None
    rest = _Rest(comparison, limits.total_tolerance)
    guilty: list[_Guilty] = []
    doubled = table.doubled(comparison)
    suspects = skipping.suspects() if skipping else ((place, "") for place, d in enumerate(differences) if d)
    for place, limit in _with(doubled, suspects, None if skipping else ""):
        base, own = percent_of[place], limits.tolerances.get(table.every_key[place])
        tolerance = own or comparison.tolerance or limits.tolerance
        volume = max(table.column(stage)[place] for stage in comparison.stages)
        copies = doubled.get(place, 0)
        for difference in filter(None, (differences[place] + copies if limit is not None else 0, -copies)):
            if not tolerance.allows(difference, base, volume):
                guilty.append(_Guilty(place, comparison, difference, tolerance, "alarm", limit or ""))
                if skipping and difference > 0:
                    skipping.leave_out(place)
                continue
            if skipping and difference > 0:
                if own:
                    skipping.leave_out(place)
                continue
            rest.add(tolerance, difference, base)
            warn = None if own else limits.warn_tolerance
            if warn and not warn.allows(difference, base, volume):
                guilty.append(_Guilty(place, comparison, difference, warn, "warn", f"warned beyond {warn}"))
    whole = sum(table.column(comparison.base))
    return guilty, [*rest.findings(sum(percent_of), whole), *(skipping.findings() if skipping else ())]


def _with(
    doubled: Mapping[int, int], suspects: Iterator[tuple[int, str]], limit: str | None
) -> Iterator[tuple[int, str | None]]:
    """
    Yield the suspects, and the keys with duplicates that are none: there, as many messages were lost.

    :param limit: of the latter; ``None``: what they lost is allowed.
    """
    seen = set()
    for suspect in suspects:
        seen.add(suspect[0])
        yield suspect
    yield from ((place, limit) for place in doubled if place not in seen)


class _Skipping:
    """A comparison in which messages may be skipped, and nobody counted how many rightly are."""

    def __init__(self, comparison: Comparison, bases: Sequence[int], differences: Sequence[int]) -> None:
        self._comparison, self._bases, self._differences = comparison, bases, differences
        self._limit = f"at most {comparison.most_skipped:g} % may be skipped"
        skipped = [difference for difference in differences if difference > 0]
        self._keys, self._skipped, self._base = len(skipped), sum(skipped), sum(bases)

    def suspects(self) -> Iterator[tuple[int, str]]:
        """Return the place of each key that gained messages, or lost all or too many, and the limit of the latter."""
        for place, (base, difference) in enumerate(zip(self._bases, self._differences, strict=True)):
            if not difference:
                continue
            if difference < 0 or difference == base:
                yield place, ""
            elif self._too_many(base, difference):
                yield place, self._limit

    def leave_out(self, place: int) -> None:
        """Leave a key out of the sums, because it is found already."""
        self._base -= self._bases[place]
        self._skipped -= max(0, self._differences[place])
        self._keys -= self._differences[place] > 0

    def findings(self) -> Iterator[Finding]:
        if self._too_many(self._base, self._skipped):
            yield finding_together(self._comparison, self._keys, self._skipped, self._base, self._limit)

    def _too_many(self, base: int, skipped: int) -> bool:
        return base >= CEILING_FROM and 100 * skipped > self._comparison.most_skipped * base


class _Rest:
    """
    What the keys differ by that are each within their limit. Losses and gains are added up on their own.

    By default, the keys that share a tolerance may together differ by no more than one of them may.
    """

    def __init__(self, comparison: Comparison, total: Tolerance | None) -> None:
        self._comparison = comparison
        self._total = total
        self._sums: dict[tuple[Tolerance, bool], tuple[int, int, int]] = {}

    def add(self, tolerance: Tolerance, difference: int, base: int) -> None:
        group = (self._total or tolerance, difference > 0)
        keys, differences, largest = self._sums.get(group, (0, 0, 0))
        self._sums[group] = (keys + 1, differences + difference, max(largest, base))

    def findings(self, total: int, whole: int) -> list[Finding]:
        """
        Return what is too much. That several keys lost everything always is, however few messages they had; and that
        keys with tolerances of their own together lost half of 1,000 messages or more.

        :param total: number of messages that is 100 %.
        :param whole: number of messages of the earlier stage.
        """
        found = []
        for (tolerance, _), (keys, difference, largest) in self._sums.items():
            if self._total:
                allowed, limit = tolerance.allows(difference, total, total), f"allowed together {tolerance}"
            else:
                most = tolerance.for_one(largest)
                allowed = abs(difference) <= most and not (keys > 1 and difference == whole)
                limit = f"together no more than the {most:,} of one key are allowed"
            if not allowed:
                found.append(finding_together(self._comparison, keys, difference, total, limit))
        if not (found or self._total):
            found = list(self._half(total, whole))
        return found

    def _half(self, total: int, whole: int) -> Iterator[Finding]:
        """Many tolerances, each of one key, must not allow what no one of them would."""
        for lost in (True, False):
            sums = [of_group for (_, is_loss), of_group in self._sums.items() if is_loss == lost]
            keys, difference = sum(each[0] for each in sums), sum(each[1] for each in sums)
            if keys > 1 and 2 * abs(difference) >= whole >= CEILING_FROM:
                limit = "together less than half of all messages is allowed, whatever each key may"
                yield finding_together(self._comparison, keys, difference, total, limit)
