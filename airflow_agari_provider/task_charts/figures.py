"""Figures of a window of runs: where the time went, how often tries failed, and what is usual."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from airflow_agari_provider.task_charts.tries import FAILED, UNFINISHED, PlainTry

FEWEST_FOR_A_TREND = 12  # runs
# What was skipped or removed says nothing of a task's duration or its retries.
NOT_COUNTED = frozenset({"skipped", "removed"})


@dataclass
class Tally:
    """
    Sums over the tries of one task.

    :param total: seconds that tries ran, whatever became of them.
    :param lost: seconds of these in tries that failed.
    :param seconds: run: seconds of all tries in it.
    :param succeeded: run: seconds of the tries in it that succeeded for good.
    :param failures: run: number of tries in it that failed, if any did.
    :param unfinished: runs in which a try still goes on.
    :param retried: runs in which a try failed that Airflow was to repeat by itself, and another followed.
    """

    tries: int = 0
    total: float = 0.0
    lost: float = 0.0
    idle: float = 0.0
    queued: float = 0.0
    deferred: float = 0.0
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    succeeded: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    failures: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    unfinished: set[str] = field(default_factory=set)
    retried: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Figures:
    """
    Sums and percentiles over runs: see ``Tally`` for the sums.

    :param retry_rate: tasks that Airflow tried again, of those that started in a run; None if none did.
    :param usual: median of the seconds per finished run, retries included; None if none has finished.
    """

    total: float
    lost: float
    idle: float
    queued: float
    deferred: float
    retry_rate: float | None
    usual: float | None
    p95: float | None


def tally_of(tries: Iterable[PlainTry]) -> Tally:
    """:param tries: of one task; those of a run in the order of their numbers."""
    tally = Tally()
    repeatable: dict[str, int] = {}
    for run_id, _, number, outcome, _, _, run, idle, queued, deferred, _, _, _, again in tries:
        if outcome in NOT_COUNTED:
            continue
        tally.tries += 1
        tally.total += run
        tally.seconds[run_id] += run
        tally.idle += idle or 0.0
        tally.queued += queued or 0.0
        tally.deferred += deferred or 0.0
        if outcome == "success":
            tally.succeeded[run_id] += run
        elif outcome in FAILED:
            tally.lost += run
            tally.failures[run_id] += 1
        elif outcome in UNFINISHED:
            tally.unfinished.add(run_id)
        if number > repeatable.get(run_id, number):
            tally.retried.add(run_id)
        if again:
            repeatable.setdefault(run_id, number)
    return tally


def percentile(values: Iterable[float], share: float) -> float | None:
    """:param share: 0 to 1; between two values the line from one to the other counts, as in spreadsheets."""
    ordered = sorted(values)
    if not ordered:
        return None
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def figures_of(tallies: Collection[Tally], finished: Collection[str]) -> Figures:
    """
    Figures of one or several tasks together.

    :param finished: ids of the runs that have ended; only these tell what is usual.
    """
    seconds: dict[str, float] = defaultdict(float)
    for tally in tallies:
        for run_id, value in tally.seconds.items():
            seconds[run_id] += value
    unfinished = {run_id for tally in tallies for run_id in tally.unfinished}
    usual = [value for run_id, value in seconds.items() if run_id in finished and run_id not in unfinished]
    started = sum(len(tally.seconds) for tally in tallies)
    return Figures(
        total=sum(tally.total for tally in tallies),
        lost=sum(tally.lost for tally in tallies),
        idle=sum(tally.idle for tally in tallies),
        queued=sum(tally.queued for tally in tallies),
        deferred=sum(tally.deferred for tally in tallies),
        retry_rate=sum(len(tally.retried) for tally in tallies) / started if started else None,
        usual=percentile(usual, 0.5),
        p95=percentile(usual, 0.95),
    )


def trend_of(tally: Tally, runs: Sequence[str]) -> float | None:
    """
    By how many percent the newer half of the runs took longer than the older half; None of too few.

    :param runs: ids of the runs that count, the oldest first.
    """
    values = [tally.seconds[run_id] for run_id in runs if run_id in tally.seconds and run_id not in tally.unfinished]
    if len(values) < FEWEST_FOR_A_TREND:
        return None
    older, newer = values[: len(values) // 2], values[len(values) // 2 :]
    usual = median(older)
    return (median(newer) / usual - 1) * 100 if usual else None
