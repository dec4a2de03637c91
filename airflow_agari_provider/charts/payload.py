"""Build the charts' JSON: parallel arrays that refer to runs and tasks by index; docs/charts_api.md describes it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any, TypeAlias

from airflow_agari_provider.charts.figures import Figures, Tally, figures_of, tally_of, trend_of
from airflow_agari_provider.charts.outcomes import OUTCOMES, standing
from airflow_agari_provider.charts.rows import Position, RunRow, TaskFacts
from airflow_agari_provider.charts.shifts import Measure, Shift, find_shifts
from airflow_agari_provider.charts.task_order import downstream
from airflow_agari_provider.charts.tries import PlainTry, Try
from airflow_agari_provider.charts.window import RunWindow, minute_of

FINISHED = frozenset({"success", "failed"})
BACKFILL = "backfill"  # runs of past dates say nothing about a trend
DURATION = Measure(median, least=1.0, least_share=0.15)
Repeated: TypeAlias = Mapping[str, Mapping[str, int]]
TRIES = Measure(fmean, least=0.25, least_share=0.15, tries=True)


@dataclass(frozen=True)
class DagTries:
    """
    Everything that an answer is made of.

    :param repeated: for each mapped task and run: number of indexes that Airflow retried by itself.
    :param deadlines: for the id of each run: its deadline, and whether it missed one.
    :param blocked: run, task and number of instances that could not start, as a task before them failed.
    :param display_name: what Airflow shows instead of the DAG's id.
    :param before: figures of the same number of runs before the window; None if these are not compared.
    """

    dag_id: str
    window: RunWindow
    tries: Sequence[PlainTry]
    repeated: Repeated
    operators: Mapping[str, str | None]
    facts: Mapping[str, TaskFacts]
    deadlines: Mapping[int, tuple[float | None, bool]]
    before: Figures | None
    blocked: Sequence[tuple[str, str, int]] = ()
    display_name: str | None = None


def answer(found: DagTries) -> dict[str, Any]:
    """Build the answer, without its time ``now``."""
    runs = found.window.runs
    by_task = _by_task(found.tries)
    started = _usual_order(by_task, runs)
    tasks = [*started, *sorted({task for _, task, _ in found.blocked} - set(started))]
    of_tasks = [(task, found.facts.get(task)) for task in tasks]
    tallies = [tally_of(by_task[task], found.repeated.get(task)) for task in started]
    finished = frozenset(run.run_id for run in runs if run.state in FINISHED)
    return {
        "dag_id": found.dag_id,
        "display_name": found.display_name or found.dag_id,
        "window": _window(found.window),
        "runs": _runs(runs, found.deadlines),
        "tasks": {
            "task_id": tasks,
            "display_name": [(fact and fact.display_name) or task for task, fact in of_tasks],
            "operator": [found.operators.get(task) for task in tasks],
            "mapped": [task in found.repeated for task in tasks],
            "sla": [fact and fact.sla for _, fact in of_tasks],
            "downstream": downstream(tasks, found.facts),
        },
        "outcomes": OUTCOMES,
        "tries": _tries(found.tries, runs, tasks),
        "blocked": _blocked(found.blocked, runs, tasks),
        "figures": {
            **_figures(figures_of(tallies, finished)),
            "before": _figures(found.before) if found.before else None,
        },
        "task_figures": [_task_figures(index, tally, runs, finished) for index, tally in enumerate(tallies)],
        "shifts": [shift for index, task in enumerate(started) for shift in _shifts(index, task, tallies[index], runs)],
    }


def figures_before(tries: Iterable[PlainTry], runs: Iterable[RunRow], repeated: Repeated) -> Figures:
    """Return only the figures, for the runs before the window. :param repeated: see ``DagTries``."""
    finished = frozenset(run.run_id for run in runs if run.state in FINISHED)
    tallies = [tally_of(of_task, repeated.get(task)) for task, of_task in _by_task(tries).items()]
    return figures_of(tallies, finished)


def _by_task(tries: Iterable[PlainTry]) -> dict[str, list[PlainTry]]:
    by_task = defaultdict(list)
    for one in tries:
        by_task[one[1]].append(one)
    return by_task


def _usual_order(by_task: Mapping[str, Sequence[PlainTry]], runs: Sequence[RunRow]) -> list[str]:
    """Return the task ids in the order of their usual start: by the median time from the run's start to theirs."""
    began = {run.run_id: run.start or run.run_after for run in runs}

    def offset(task_id: str) -> tuple[float, str]:
        first = {one[0]: one[4] for one in reversed(by_task[task_id])}
        return median(start - began[run_id] for run_id, start in first.items()), task_id

    return sorted(by_task, key=offset)


def _window(window: RunWindow) -> dict[str, Any]:
    runs = window.runs
    return {
        "shown": len(runs),
        "total": window.total,
        "first": _time(runs[0].run_after) if runs else None,
        "last": _time(runs[-1].run_after) if runs else None,
        "older": window.older > 0,
        "newer": window.newer > 0,
        "before": _words(window.before),
        "after": _words(window.after),
        "purged_before": _time(window.purged_before),
        "text": window.text,
    }


def _words(position: Position | None) -> str | None:
    """Return a position as requests take it, such as ``1786492800.5-4711``."""
    return None if position is None else f"{position.due:.3f}".rstrip("0").rstrip(".") + f"-{position.run}"


def _runs(runs: Sequence[RunRow], deadlines: Mapping[int, tuple[float | None, bool]]) -> dict[str, list[Any]]:
    due = [deadlines.get(run.id, (None, False)) for run in runs]
    return {
        "run_id": [run.run_id for run in runs],
        "run_after": [_time(run.run_after) for run in runs],
        "logical_date": [_time(run.logical_date) for run in runs],
        "run_type": [run.run_type for run in runs],
        "state": [run.state for run in runs],
        "queued_at": [_time(run.queued) for run in runs],
        "start": [_time(run.start) for run in runs],
        "end": [_time(run.end) for run in runs],
        "deadline": [_time(deadline) for deadline, _ in due],
        "deadline_missed": [missed for _, missed in due],
    }


def _tries(tries: Sequence[PlainTry], runs: Sequence[RunRow], tasks: Sequence[str]) -> dict[str, list[Any]]:
    first_of = {run.run_id: index * len(tasks) for index, run in enumerate(runs)}
    task_index = {task: index for index, task in enumerate(tasks)}
    outcome_index = {outcome: index for index, outcome in enumerate(OUTCOMES)}
    places = [first_of[one[0]] + task_index[one[1]] for one in tries]
    order = sorted(range(len(tries)), key=places.__getitem__)
    columns: dict[str, list[Any]] = {name: [] for name in Try._fields}
    columns.update(
        zip(Try._fields, map(list, zip(*[tries[at] for at in order], strict=True)), strict=False)
    )  # without tries, the columns stay empty
    return {
        "run": [places[at] // len(tasks) for at in order],
        "task": [places[at] % len(tasks) for at in order],
        "try_number": columns["try_number"],
        "outcome": [outcome_index[outcome] for outcome in columns["outcome"]],
        "start": _times(columns["start"]),
        "end": _times(columns["end"]),
        "run_seconds": _times(columns["run"]),
        "idle_seconds": _times(columns["idle"]),
        "queued_seconds": _times(columns["queued"]),
        "deferred_seconds": _times(columns["deferred"]),
        "instances": columns["instances"],
        "map_index": columns["map_index"],
        "last": columns["last"],
        "counted": list(map(standing, *(columns[name] for name in ("outcome", "run", "deferred", "end_unknown")))),
        "end_unknown": columns["end_unknown"],
    }


def _blocked(
    blocked: Sequence[tuple[str, str, int]], runs: Sequence[RunRow], tasks: Sequence[str]
) -> dict[str, list[int]]:
    run_index = {run.run_id: index for index, run in enumerate(runs)}
    task_index = {task: index for index, task in enumerate(tasks)}
    ordered = sorted((run_index[run_id], task_index[task], count) for run_id, task, count in blocked)
    return {name: [row[at] for row in ordered] for at, name in enumerate(("run", "task", "instances"))}


def _figures(figures: Figures) -> dict[str, float | None]:
    return {
        "total_seconds": _time(figures.total),
        "lost_seconds": _time(figures.lost),
        "idle_seconds": _time(figures.idle),
        "queued_seconds": _time(figures.queued),
        "deferred_seconds": _time(figures.deferred),
        "retry_rate": None if figures.retry_rate is None else round(figures.retry_rate, 4),
        "median_seconds": _time(figures.usual),
        "p95_seconds": _time(figures.p95),
    }


def _task_figures(index: int, tally: Tally, runs: Sequence[RunRow], finished: frozenset[str]) -> dict[str, Any]:
    usual_runs = [run.run_id for run in runs if run.run_type != BACKFILL and run.run_id in finished]
    sums = _figures(figures_of([tally], finished))
    del sums["retry_rate"]
    trend = trend_of(tally, usual_runs)
    return {
        "task": index,
        "tries": tally.tries,
        "runs": len(tally.seconds),
        "retried_runs": len(tally.retried),
        "p50_seconds": sums.pop("median_seconds"),
        **sums,
        "trend_percent": None if trend is None else round(trend, 1),
    }


def _shifts(index: int, task_id: str, tally: Tally, runs: Sequence[RunRow]) -> list[dict[str, Any]]:
    seconds, failed = tally.succeeded, tally.failed
    succeeded = [(at, run) for at, run in enumerate(runs) if run.run_id in seconds and run.run_type != BACKFILL]
    timed = [(at, run) for at, run in succeeded if run.run_id not in tally.unusual]
    series = (
        ("duration", DURATION, timed, [seconds[run.run_id] for _, run in timed]),
        ("tries", TRIES, succeeded, [1.0 + len(failed.get(run.run_id, ())) for _, run in succeeded]),
    )
    return [
        _shift(index, task_id, kind, of_runs[shift.index], shift)
        for kind, measure, of_runs, values in series
        for shift in find_shifts(values, [int(run.run_after // 3600 % 24) for _, run in of_runs], measure)
    ]


def _shift(index: int, task_id: str, kind: str, at: tuple[int, RunRow], shift: Shift) -> dict[str, Any]:
    place, run = at
    return {
        "task": index,
        "kind": kind,
        "run": place,
        "before": _time(shift.before),
        "after": _time(shift.after),
        "text": f"{task_id} changed around {minute_of(run.run_after)}: {change_in_words(kind, shift)}",
    }


def change_in_words(kind: str, shift: Shift) -> str:
    """Return the change as text, such as ``median 4.1 to 7.0 min``."""
    if kind == "tries":
        return f"mean {shift.before:.1f} to {shift.after:.1f} tries"
    unit, size = next(
        (unit, size)
        for unit, size in (("h", 3600.0), ("min", 60.0), ("s", 1.0))
        if max(shift.before, shift.after) >= 2 * size or size == 1.0
    )
    return f"median {shift.before / size:.1f} to {shift.after / size:.1f} {unit}"


def _time(seconds: float | None) -> float | None:
    """Round to the millisecond."""
    return None if seconds is None else round(seconds, 3)


def _times(seconds: Iterable[float | None]) -> list[float | None]:
    """Round very many values, none negative. Calling ``round`` for each would take as long as reading them."""
    return [value and int(value * 1000 + 0.5) / 1000 for value in seconds]
