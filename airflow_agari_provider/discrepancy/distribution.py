"""
Whether the values of a column, or the reasons to skip messages, are shared out as usual.

A count per key cannot see it if a model scores everything 0.9 from today on. The shares of a run are compared with the
median shares of the last runs of the same hour of the week, by their Jensen-Shannon divergence. How large it may be is
learnt from the check's own runs, and never smaller than what chance makes of so few messages.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from airflow_agari_provider.discrepancy.baseline import Baseline, Same, Slot
from airflow_agari_provider.discrepancy.finding import Level
from airflow_agari_provider.discrepancy.stage import Stage
from airflow_agari_provider.discrepancy.table import short_text
from airflow_agari_provider.exceptions import require_one_of

MOST_BUCKETS = 1_000  # of a column; more are identifiers, not a distribution
KEPT_BUCKETS = 50  # the largest, in the history; the rest is one bucket
REST = "(all others)"
LEAST_DISTANCES = 8  # of all hours, before anything is judged
TIMES_USUAL = 3.0  # the divergence that nine of ten runs stay below, times this, is unusual
NAMED_BUCKETS = 3
Shares = Mapping[str, float]


class Distribution(dict[str, Any]):
    """
    How messages are shared out among the values of a column, compared with the check's own history.

    It is a dict so that Airflow renders its templates. Where its counts come from is said as for a ``Stage``; without
    any source, it is that of the check's ``skips``: the messages that were not skipped, and those of each reason.

    :param name: what is shared out, such as ``trust``.
    :param sql: query that returns (value, count) rows; the values are few, such as tenths of a score.
    :param conn_id: see ``Stage``.
    :param counts: see ``Stage``.
    :param s3_url: see ``Stage``.
    :param key_field: field of the objects' records that holds the value.
    :param count_field: see ``Stage``.
    :param where: see ``Stage``.
    :param call: see ``Stage``.
    :param arguments: see ``Stage``.
    :param timeout: seconds in which the counts must be there.
    :param runs: as of ``Expected``.
    :param learning: as of ``Expected``.
    :param same: as of ``Expected``.
    :param timezone: as of ``Expected``.
    :param since: as of ``Expected``.
    :param floor: percent of the messages that must have moved to other values before it is unusual.
    :param level: ``"alarm"``, or ``"warn"``: it is told, and nothing else happens.
    """

    def __init__(
        self,
        name: str,
        *,
        sql: str | None = None,
        conn_id: str | None = None,
        counts: Any | None = None,
        s3_url: str | Sequence[str] | None = None,
        key_field: str = "key",
        count_field: str | None = "count",
        where: Mapping[str, Any] | None = None,
        call: Callable[..., Any] | None = None,
        arguments: Mapping[str, Any] | None = None,
        timeout: float = 1800.0,
        runs: int = 8,
        learning: int = 4,
        same: Same = "hour_of_week",
        timezone: str = "UTC",
        since: str | datetime | None = None,
        floor: float = 5.0,
        level: Level = "alarm",
    ) -> None:
        of_skips = all(each is None for each in (sql, conn_id, counts, s3_url, call))
        source = Stage(
            name,
            sql=sql,
            conn_id=conn_id,
            counts={} if of_skips else counts,
            s3_url=s3_url,
            key_field=key_field,
            count_field=count_field,
            where=where,
            call=call,
            arguments=arguments,
            timeout=timeout,
        )
        require_one_of("level", level, ("alarm", "warn"))
        if type(floor) not in (int, float) or not 0 <= floor < 100:
            raise ValueError(f"floor of Distribution {name!r} is percent, 0 or more and below 100, not {floor!r}.")
        baseline = {"runs": runs, "learning": learning, "same": same, "timezone": timezone, "since": since}
        Baseline(**baseline)  # type: ignore[arg-type]
        super().__init__(**source, of_skips=of_skips, baseline=baseline, floor=floor, level=level)


@dataclass(frozen=True)
class Distances:
    """
    How far a run's shares are from the usual ones.

    :param moved: percent of the messages that would have to have another value.
    :param divergence: of Jensen and Shannon, in bits.
    :param allowed: the largest divergence that is still usual.
    :param usual: the usual shares.
    :param runs: how many runs of the same hour say so.
    """

    moved: float
    divergence: float
    allowed: float
    usual: Shares
    runs: int


class PastShares:
    """Counts by value of earlier runs, added from the oldest to the newest."""

    def __init__(self, baseline: Baseline) -> None:
        self._baseline = baseline
        self._slots: dict[Slot, deque[Shares]] = {}
        self._distances: deque[tuple[int, float]] = deque(maxlen=baseline.kept_runs)

    def add(self, moment: datetime, counts: Mapping[str, int]) -> None:
        """Learn from a run that was as usual. One without messages teaches nothing."""
        messages = sum(counts.values())
        if not messages:
            return
        before = self._slots.setdefault(self._baseline.slot_of(moment), deque(maxlen=self._baseline.runs))
        shares = shares_of(counts)
        if len(before) >= 2:
            self._distances.append((messages, divergence(shares, median_shares(before))))
        before.append(shares)

    def learnt(self, moment: datetime) -> int:
        """How many runs there are of the same hour."""
        return len(self._slots.get(self._baseline.slot_of(moment), ()))

    def distances(self, moment: datetime, counts: Mapping[str, int]) -> Distances | None:
        """Return how far counts are from the usual ones; ``None``: there are too few runs to say, or no messages."""
        messages, runs = sum(counts.values()), self.learnt(moment)
        if not messages or runs < self._baseline.learning or len(self._distances) < LEAST_DISTANCES:
            return None
        usual, shares = median_shares(self._slots[self._baseline.slot_of(moment)]), shares_of(counts)
        alike = [distance for size, distance in self._distances if 2 * size >= messages]  # small runs vary more
        known = sorted(alike if len(alike) >= LEAST_DISTANCES else [distance for _, distance in self._distances])
        learnt = TIMES_USUAL * known[math.ceil(0.9 * len(known)) - 1]
        return Distances(
            moved=50 * sum(abs(shares.get(each, 0.0) - usual.get(each, 0.0)) for each in {*shares, *usual}),
            divergence=divergence(shares, usual),
            allowed=max(learnt, _by_chance(len({*shares, *usual}), messages)),
            usual=usual,
            runs=runs,
        )


def shares_of(counts: Mapping[str, int]) -> Shares:
    whole = sum(counts.values())
    return {each: count / whole for each, count in counts.items() if count}


def median_shares(runs: Sequence[Shares] | deque[Shares]) -> Shares:
    """Return the median share of each value, so that one odd run among eight does not count."""
    values = dict.fromkeys(each for shares in runs for each in shares)
    medians = {each: median(shares.get(each, 0.0) for shares in runs) for each in values}
    whole = sum(medians.values())
    return {each: share / whole for each, share in medians.items()} if whole else {}


def divergence(one: Shares, other: Shares) -> float:
    """
    Return the divergence of Jensen and Shannon in bits: 0 if the shares are equal, 1 if they have no value in common.

    Source: Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on Information Theory 37 (1991).
    """

    def part(share: float, mean: float) -> float:
        return share * math.log2(share / mean) if share else 0.0

    found = 0.0
    for each in {*one, *other}:
        first, second = one.get(each, 0.0), other.get(each, 0.0)
        mean = (first + second) / 2
        if mean:
            found += part(first, mean) + part(second, mean)
    return max(0.0, found / 2)


def _by_chance(buckets: int, messages: int) -> float:
    """
    Return a divergence that chance alone exceeds in less than one of 1,000 runs of so many messages.

    8 ln 2 times the messages times the divergence has a chi-square distribution.
    """
    freedom = max(1, buckets - 1)
    return (freedom + 4 * math.sqrt(2 * freedom) + 8) / (8 * math.log(2) * messages) * 1.25


def kept_buckets(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the largest buckets, and what all others have together."""
    largest = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    kept = dict(largest[:KEPT_BUCKETS])
    rest = sum(count for _, count in largest[KEPT_BUCKETS:])
    return {**kept, REST: kept.get(REST, 0) + rest} if rest else kept


def what_moved(counts: Mapping[str, int], usual: Shares) -> str:
    """Return the values whose shares changed most, such as ``0.0-0.1: 4.0 % -> 31.0 %``."""
    shares = shares_of(counts)
    moved = {each: round(abs(shares.get(each, 0.0) - usual.get(each, 0.0)), 9) for each in {*shares, *usual}}
    largest = sorted(moved, key=lambda each: (-moved[each], each))
    return ", ".join(
        f"{short_text(each)}: {100 * usual.get(each, 0.0):.1f} % -> {100 * shares.get(each, 0.0):.1f} %"
        for each in largest[:NAMED_BUCKETS]
    )
