"""Figures of a window of runs: where the time went, how often tries failed, and what is usual."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from airflow_agari_provider.task_charts.tries import UNFINISHED, Try

FEWEST_FOR_A_TREND = 12  # runs


@dataclass(frozen=True)
class Figures:
    """
    Sums and percentiles over runs.

    :param total: seconds that tries ran, whatever became of them.
    :param lost: seconds of these in tries that failed.
    :param retry_rate: tasks that Airflow tried again by itself, of those that started; None if none did.
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


@dataclass(frozen=True)
class TaskFigures:
    """The same of one task. :param trend: newer half of the runs against the older half, in percent."""

    tries: int
    runs: int
    retried_runs: int
    figures: Figures
    trend: float | None


def percentile(values: Iterable[float], share: float) -> float | None:
    """:param share: 0 to 1; between two values the line from one to the other counts, as in spreadsheets."""
    ordered = sorted(values)
    if not ordered:
        return None
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def figures_of(tries: Sequence[Try], finished: Collection[str]) -> Figures:
    """:param finished: ids of the runs that have ended; only these tell what is usual."""
    places = {(one.run_id, one.task_id) for one in counted(tries)}
    seconds = [value for run_id, value in per_run(tries).items() if run_id in finished]
    return Figures(
        total=sum(one.run for one in tries),
        lost=sum(one.run for one in tries if one.failed),
        idle=sum(one.idle or 0.0 for one in tries),
        queued=sum(one.queued or 0.0 for one in tries),
        deferred=sum(one.deferred or 0.0 for one in tries),
        retry_rate=len(retried(tries)) / len(places) if places else None,
        usual=percentile(seconds, 0.5),
        p95=percentile(seconds, 0.95),
    )


def task_figures(tries: Sequence[Try], runs: Sequence[str], finished: Collection[str]) -> TaskFigures:
    """
    Figures of one task.

    :param tries: of this task only.
    :param runs: ids of runs that count for the trend, the oldest first.
    """
    runs_started = {one.run_id for one in counted(tries)}
    return TaskFigures(
        tries=sum(one.outcome not in ("skipped", "removed") for one in tries),
        runs=len(runs_started),
        retried_runs=len(retried(tries)),
        figures=figures_of(tries, finished),
        trend=_trend(per_run(tries), [run_id for run_id in runs if run_id in finished]),
    )


def counted(tries: Iterable[Try]) -> list[Try]:
    """Without what was skipped or removed: that says nothing of a task's duration or its retries."""
    return [one for one in tries if one.outcome not in ("skipped", "removed")]


def per_run(tries: Iterable[Try]) -> dict[str, float]:
    """Run: seconds that tries ran in it, for the runs in which none still does."""
    seconds: dict[str, float] = defaultdict(float)
    unfinished = set()
    for one in counted(tries):
        seconds[one.run_id] += one.run
        if one.outcome in UNFINISHED:
            unfinished.add(one.run_id)
    return {run_id: value for run_id, value in seconds.items() if run_id not in unfinished}


def retried(tries: Iterable[Try]) -> set[tuple[str, str]]:
    """(run, task) where a try failed that Airflow was to repeat by itself, and another followed."""
    newest: dict[tuple[str, str], int] = defaultdict(int)
    first: dict[tuple[str, str], int] = {}
    for one in tries:
        place = one.run_id, one.task_id
        newest[place] = max(newest[place], one.try_number)
        if one.again:
            first[place] = min(first.get(place, one.try_number), one.try_number)
    return {place for place, number in first.items() if newest[place] > number}


def _trend(seconds: dict[str, float], runs: Sequence[str]) -> float | None:
    values = [seconds[run_id] for run_id in runs if run_id in seconds]
    if len(values) < FEWEST_FOR_A_TREND:
        return None
    older, newer = values[: len(values) // 2], values[len(values) // 2 :]
    usual = median(older)
    return (median(newer) / usual - 1) * 100 if usual else None
