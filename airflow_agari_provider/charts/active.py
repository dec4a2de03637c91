"""What is under way now: for how long, whether that is longer than usual, and what it waits for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from airflow_agari_provider.charts.figures import percentile

FEWEST = 5  # ended instances from which their time is a usual one
TaskKey: TypeAlias = tuple[str, str]  # DAG, task


class ActiveRow(NamedTuple):
    """
    A task instance that is under way, or waits.

    :param since: epoch seconds: when it started, if it runs or is deferred; when its try ended, if it waits for a
        retry; otherwise when it was queued or scheduled. None: not known.
    :param slots: slots of the pool that it takes while it is queued or runs.
    :param executor: None: the default one.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    state: str
    try_number: int
    since: float | None
    pool: str
    slots: int
    queue: str | None
    executor: str | None


class Usual(NamedTuple):
    """How long a task took lately, in seconds: half of its instances less than the first, 95 of 100 than the second."""

    median: float
    p95: float


def usual_of(seconds: Collection[float]) -> Usual | None:
    """Return how long a task usually takes; None: too few instances of it have ended."""
    median, p95 = percentile(seconds, 0.5), percentile(seconds, 0.95)
    return None if len(seconds) < FEWEST or median is None or p95 is None else Usual(median, p95)


def longer_than_usual(row: ActiveRow, usual: Mapping[TaskKey, Usual], now: float) -> bool | None:
    """Whether it has been at work for longer than 95 of 100 instances were; None: it is not at work, or unknown."""
    known = usual.get((row.dag_id, row.task_id))
    if row.state not in ("running", "deferred") or row.since is None or known is None:
        return None
    return now - row.since > known.p95


def expected_end(row: ActiveRow, usual: Mapping[TaskKey, Usual], now: float) -> float | None:
    """Return when it will probably end; None: nobody knows, also because it takes longer than usual."""
    since = row.since
    if since is None or longer_than_usual(row, usual, now) is not False:
        return None
    return next(since + seconds for seconds in usual[row.dag_id, row.task_id] if since + seconds >= now)


def oldest_first(rows: Sequence[ActiveRow], usual: Mapping[TaskKey, Usual], now: float) -> list[ActiveRow]:
    """Return those that take longer than usual first, and then those that have waited or run for longest."""
    return sorted(rows, key=lambda row: (not longer_than_usual(row, usual, now), row.since or now))


def by_pool(rows: Sequence[ActiveRow]) -> dict[str, Counter[str]]:
    """Return for each pool the slots that are taken, and the instances that wait for one, by state."""
    pools: dict[str, Counter[str]] = {}
    for row in rows:
        found = pools.setdefault(row.pool, Counter())
        if row.state in ("running", "queued", "restarting"):
            found["slots_taken"] += row.slots
        found[row.state] += 1
    return pools
