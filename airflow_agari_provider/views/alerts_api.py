"""Build the answer of the alerts' API from recorded misses; both web servers call this module."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_agari_provider.alerts import miss_figures
from airflow_agari_provider.alerts.miss_figures import SlaFigures
from airflow_agari_provider.alerts.recorded_miss import RecordedMiss, settled
from airflow_agari_provider.views.alerts_question import AlertsQuestion
from airflow_agari_provider.views.queries.standings import count_runs_by_dag, standings

MOST_MISSES = 2000  # in one answer: half a megabyte
# Columns of the answer, and what each is in a miss. Later versions may add some.
MISS_COLUMNS: dict[str, Callable[[RecordedMiss], Any]] = {
    "environment": lambda miss: miss.environment,
    "dag_id": lambda miss: miss.dag_id,
    "run_id": lambda miss: miss.run_id,
    "task_id": lambda miss: miss.task_id or None,
    "sla": lambda miss: miss_figures.sla_text(miss.sla) or None,
    "owner": lambda miss: miss.owner or None,
    "due": lambda miss: miss.due_at,
    "found": lambda miss: miss.found_at,
    "came_in": lambda miss: miss.came_in_at,
    "late_seconds": lambda miss: miss.came_in_late,
    "outcome": lambda miss: miss.outcome,
    "state": lambda miss: miss.state or None,
    "told": lambda miss: miss.told,
}


@dataclass(frozen=True)
class Records:
    """
    What the claims tell.

    :param misses: of a window, and the open ones before and after it; the latest first.
    :param complete: whether the window has no more misses than were read.
    :param note: a sentence about why there may be none; empty if there is no reason but that nothing was missed.
    """

    misses: Sequence[RecordedMiss]
    complete: bool
    note: str = ""


def alerts(
    session: Any,
    records: Records,
    question: AlertsQuestion,
    permitted: Collection[str],
    environment: str,
    now: float,
) -> dict[str, Any]:
    """
    Return the answer to ``GET api/alerts``.

    :param session: of the metadata database.
    :param permitted: ids of the DAGs that the reader may read; of misses of other DAGs they only learn the number.
    :param environment: of this Airflow.
    """
    since, until = question.window(now)
    readable = [miss for miss in records.misses if miss.dag_id in permitted]
    chosen = [miss for miss in readable if not question.dag_ids or miss.dag_id in question.dag_ids]
    places = [miss.place for miss in chosen if miss.is_open]
    chosen = settled(chosen, standings(session, places), environment)
    missed = [miss for miss in chosen if since <= miss.due_at < until]
    before = [miss for miss in chosen if miss.is_open and not since <= miss.due_at < until]
    runs = count_runs_by_dag(session, since, until, {miss.dag_id for miss in missed})
    slas = miss_figures.sla_figures(missed, runs)
    is_open = [miss for miss in chosen if miss.is_open]
    listed = [*is_open, *(miss for miss in missed if not miss.is_open)][:MOST_MISSES]
    hidden = sum(since <= miss.due_at < until for miss in records.misses) - sum(
        since <= miss.due_at < until for miss in readable
    )
    return {
        "since": since,
        "until": until if until < now else None,
        "complete": records.complete,
        "note": records.note or None,
        "dag_ids": sorted({miss.dag_id for miss in readable}),
        "counts": {
            "open": len(is_open),
            "incidents": miss_figures.incidents(is_open),
            "missed": len(missed),
            "listed": len(listed),
            "hidden": hidden,
            **miss_figures.alerts_by_state([*missed, *before]),
        },
        "hit_rate": miss_figures.hit_rate(slas),
        "p95_late_seconds": miss_figures.p95_late(missed),
        "misses": {name: [value(miss) for miss in listed] for name, value in MISS_COLUMNS.items()},
        "slas": _sla_columns(slas),
        "days": _day_columns(miss_figures.misses_by_day(missed, since, until)),
    }


def _sla_columns(slas: Sequence[SlaFigures]) -> dict[str, list[Any]]:
    return {
        "environment": [one.environment for one in slas],
        "dag_id": [one.dag_id for one in slas],
        "task_id": [one.task_id or None for one in slas],
        "sla": [one.sla or None for one in slas],
        "owner": [one.owner or None for one in slas],
        "missed": [one.missed for one in slas],
        "open": [one.open for one in slas],
        "runs": [one.runs for one in slas],
        "hit_rate": [one.hit_rate for one in slas],
        "p95_late_seconds": [one.p95_late for one in slas],
        "worst_late_seconds": [one.worst_late for one in slas],
    }


def _day_columns(days: Sequence[tuple[float, int]]) -> dict[str, list[Any]]:
    return {"start": [start for start, _ in days], "missed": [count for _, count in days]}
