"""Build the answer of the alerts' API from recorded misses; both web servers call this module."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from airflow_agari_provider.alerts import miss_figures
from airflow_agari_provider.alerts.miss_figures import SlaFigures, SlaMisses
from airflow_agari_provider.alerts.recorded_miss import RecordedMiss, settled
from airflow_agari_provider.views.alerts_question import AlertsQuestion
from airflow_agari_provider.views.queries.standings import count_runs_by_dag, standings

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
    What the claims tell of a window.

    :param closed: figures of its closed misses, by SLA.
    :param open: the open misses, of the window and before and after it.
    :param listed: closed misses, the latest first: as many as the reader wants to see, or all that they may.
    :param complete: whether the window has no more alerts than were read.
    :param note: a sentence about why there may be none; empty if there is no reason but that nothing was missed.
    """

    closed: Sequence[SlaMisses]
    open: Sequence[RecordedMiss]
    listed: Sequence[RecordedMiss]
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
    chosen = permitted if not question.dag_ids else {*permitted} & {*question.dag_ids}
    found = [miss for miss in records.open if miss.dag_id in chosen]
    found = settled(found, standings(session, [miss.place for miss in found]), environment)
    in_window = [miss for miss in found if since <= miss.due_at < until]
    is_open = [miss for miss in found if miss.is_open]
    missed = [some for some in records.closed if some.dag_id in chosen] + miss_figures.gathered(in_window)
    before = [miss for miss in is_open if not since <= miss.due_at < until]
    slas = miss_figures.sla_figures(missed, count_runs_by_dag(session, since, until, _dags(missed)))
    closed = [
        *(miss for miss in in_window if not miss.is_open),
        *(one for one in records.listed if one.dag_id in chosen),
    ]
    listed = [*is_open, *sorted(closed, key=lambda miss: -miss.due_at)][: question.limit]
    number = sum(len(some.due) for some in missed)
    states = Counter(miss_figures.alerts_by_state(before))
    for some in missed:
        states.update(some.states)
    return {
        "since": since,
        "until": until if until < now else None,
        "complete": records.complete,
        "note": records.note or None,
        "dag_ids": sorted((_dags(records.closed) | {miss.dag_id for miss in records.open}) & {*permitted}),
        "counts": {
            "open": len(is_open),
            "incidents": miss_figures.incidents(is_open),
            "missed": number,
            "listed": len(listed),
            "unlisted": number + len(before) - len(listed),
            "hidden": _hidden(records, since, until, permitted),
            **{state: states[state] for state in miss_figures.COUNTED_STATES},
        },
        "hit_rate": miss_figures.hit_rate(slas),
        "p95_late_seconds": miss_figures.p95_late(missed),
        "misses": {name: [value(miss) for miss in listed] for name, value in MISS_COLUMNS.items()},
        "slas": _sla_columns(slas),
        "days": _day_columns(miss_figures.misses_by_day(missed, since, until)),
    }


def _dags(misses: Sequence[SlaMisses]) -> set[str]:
    return {some.dag_id for some in misses if some.due}


def _hidden(records: Records, since: float, until: float, permitted: Collection[str]) -> int:
    """Return how many misses of the window are of other DAGs than those that the reader may read."""
    still_open = [miss for miss in records.open if since <= miss.due_at < until]
    every = chain(records.closed, miss_figures.gathered(still_open))
    return sum(len(some.due) for some in every if some.dag_id not in permitted)


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
