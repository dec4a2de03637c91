"""Figures of a window of runs: where the time went, how often tries failed, and which duration is usual."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from airflow_agari_provider.charts.outcomes import FAILED, NOT_COUNTED, USUAL, standing
from airflow_agari_provider.charts.tries import PlainTry

FEWEST_FOR_A_TREND = 12  # runs


@dataclass
class Tally:
    """
    Sums over the tries of one task that count: see ``standing``.

    :param tries: number of tries that started; of a mapped task, each index has tries of its own.
    :param total: seconds that all tries ran, with any outcome.
    :param lost: the part of these seconds that failed tries ran.
    :param seconds: for each run: seconds of all its tries.
    :param succeeded: for each run: seconds of its tries that succeeded and were not cleared later.
    :param failed: for each run with failed tries: their numbers. Indexes of a mapped task that failed at the same try
        are one.
    :param unusual: runs with a try that says nothing about the usual time: it goes on, or it ran nobody knows how long.
    :param started: for each run: number of task instances that started; each index of a mapped task is one.
    :param retried: for each run: number of task instances that Airflow retried by itself: a try failed, Airflow was
        going to retry it, and another try followed.
    :param unknown: names of the sums that lack the waiting of some tries.
    """

    tries: int = 0
    total: float = 0.0
    lost: float = 0.0
    idle: float = 0.0
    queued: float = 0.0
    deferred: float = 0.0
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    succeeded: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    failed: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    unusual: set[str] = field(default_factory=set)
    started: dict[str, int] = field(default_factory=dict)
    retried: dict[str, int] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Figures:
    """
    Sums and percentiles over runs: see ``Tally`` for the sums.

    :param idle, queued, deferred: None if the known part is 0 and another part is not known.
    :param retry_rate: share of the started task instances that Airflow retried by itself; None if none started.
    :param usual: median of the seconds per finished run, retries included; None if no run has finished, or of none the
        seconds are known.
    """

    total: float
    lost: float
    idle: float | None
    queued: float | None
    deferred: float | None
    retry_rate: float | None
    usual: float | None
    p95: float | None


def tally_of(tries: Iterable[PlainTry], repeated: Mapping[str, int] | None = None) -> Tally:
    """
    Sum up the tries of one task.

    :param tries: the tries; those of one run are in the order of their numbers.
    :param repeated: for a mapped task, whose tries do not show it: for each run, the number of indexes that Airflow
        retried by itself.
    """
    tally = Tally()
    repeatable: dict[str, int] = {}
    instances_of: dict[tuple[str, int], int] = defaultdict(int)
    for run_id, _, number, outcome, _, _, run, idle, queued, deferred, instances, _, _, again, end_unknown in tries:
        counted = standing(outcome, run, deferred, end_unknown)
        if counted == NOT_COUNTED:
            continue
        tally.tries += instances
        tally.total += run
        tally.seconds[run_id] += run
        tally.idle += idle or 0.0
        tally.queued += queued or 0.0
        tally.deferred += deferred or 0.0
        if idle is None or queued is None or deferred is None:
            waits = {"idle": idle, "queued": queued, "deferred": deferred}
            tally.unknown.update(name for name, seconds in waits.items() if seconds is None)
        if outcome == "success":
            tally.succeeded[run_id] += run
        elif outcome in FAILED:
            tally.lost += run
            tally.failed[run_id].add(number)
        if counted != USUAL:
            tally.unusual.add(run_id)
        instances_of[run_id, number] += instances
        if number > repeatable.get(run_id, number):
            tally.retried[run_id] = 1
        if again:
            repeatable.setdefault(run_id, number)
    for (run_id, _), count in instances_of.items():
        tally.started[run_id] = max(count, tally.started.get(run_id, 0))
    if repeated is not None:
        tally.retried = {run_id: repeated[run_id] for run_id in tally.seconds if run_id in repeated}
    return tally


def percentile(values: Iterable[float], share: float) -> float | None:
    """
    Return a percentile; None if there are no values.

    :param share: 0 to 1. Between two values the result is interpolated linearly, as in spreadsheets.
    """
    ordered = sorted(values)
    if not ordered:
        return None
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def figures_of(tallies: Collection[Tally], finished: Collection[str]) -> Figures:
    """
    Return the figures of one or several tasks together.

    :param finished: ids of the runs that have ended; only these count for the usual duration.
    """
    seconds: dict[str, float] = defaultdict(float)
    for tally in tallies:
        for run_id, value in tally.seconds.items():
            seconds[run_id] += value
    unusual = {run_id for tally in tallies for run_id in tally.unusual}
    usual = [value for run_id, value in seconds.items() if run_id in finished and run_id not in unusual]
    started = sum(sum(tally.started.values()) for tally in tallies)
    return Figures(
        total=sum(tally.total for tally in tallies),
        lost=sum(tally.lost for tally in tallies),
        idle=_known(sum(tally.idle for tally in tallies), "idle", tallies),
        queued=_known(sum(tally.queued for tally in tallies), "queued", tallies),
        deferred=_known(sum(tally.deferred for tally in tallies), "deferred", tallies),
        retry_rate=sum(sum(tally.retried.values()) for tally in tallies) / started if started else None,
        usual=percentile(usual, 0.5),
        p95=percentile(usual, 0.95),
    )


def _known(seconds: float, name: str, tallies: Collection[Tally]) -> float | None:
    """Return None instead of 0 if some tries waited for an unknown time."""
    return seconds if seconds or not any(name in tally.unknown for tally in tallies) else None


def trend_of(tally: Tally, runs: Sequence[str]) -> float | None:
    """
    Return by how many percent the newer half of the runs took longer than the older half; None if there are too few.

    :param runs: ids of the runs that count, the oldest first.
    """
    values = [tally.seconds[run_id] for run_id in runs if run_id in tally.seconds and run_id not in tally.unusual]
    if len(values) < FEWEST_FOR_A_TREND:
        return None
    older, newer = values[: len(values) // 2], values[len(values) // 2 :]
    usual = median(older)
    return (median(newer) / usual - 1) * 100 if usual else None
