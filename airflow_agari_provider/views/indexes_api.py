"""The indexes of a mapped task in one run."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from airflow_agari_provider.charts.figures import percentile
from airflow_agari_provider.charts.indexes import Index, histogram, indexes_of, worth_a_look
from airflow_agari_provider.charts.timing import NO_WAITS
from airflow_agari_provider.charts.tries import tries_by_index
from airflow_agari_provider.views.charts_api import waiting_tasks
from airflow_agari_provider.views.parameters import IndexesQuestion
from airflow_agari_provider.views.queries import dag_facts, dag_runs
from airflow_agari_provider.views.queries import pauses as waits
from airflow_agari_provider.views.queries import tries as attempts
from airflow_agari_provider.views.queries.tables import RUN

MOST_INDEXES = 2000  # in one answer; the figures are of all


def task_indexes(session: Any, dag_id: str, question: IndexesQuestion, now: float) -> dict[str, Any]:
    """Return the answer to ``GET api/dags/<dag_id>/indexes``; without indexes, if there is no such run or task."""
    indexes = _indexes(session, dag_id, question, now)
    seconds = [index.run for index in indexes]
    edges, counts = histogram(seconds)
    shown = worth_a_look(indexes, MOST_INDEXES)
    return {
        "dag_id": dag_id,
        "run_id": question.run_id,
        "task_id": question.task_id,
        "total": len(indexes),
        "failed": sum(index.outcome.startswith("failed") for index in indexes),
        "retried": sum(index.tries > 1 for index in indexes),
        "median_seconds": _rounded(percentile(seconds, 0.5)),
        "p95_seconds": _rounded(percentile(seconds, 0.95)),
        "histogram": {"from_seconds": edges, "indexes": counts},
        "indexes": {
            "map_index": [index.map_index for index in shown],
            "label": [index.label for index in shown],
            "outcome": [index.outcome for index in shown],
            "tries": [index.tries for index in shown],
            "failed_tries": [index.failed for index in shown],
            "start": [_rounded(index.start) for index in shown],
            "end": [_rounded(index.end) for index in shown],
            "run_seconds": [_rounded(index.run) for index in shown],
            "lost_seconds": [_rounded(index.lost) for index in shown],
            "waited_seconds": [_rounded(index.waited) for index in shown],
        },
    }


def _indexes(session: Any, dag_id: str, question: IndexesQuestion, now: float) -> list[Index]:
    run_ids, task_ids = [question.run_id], [question.task_id]
    chosen = sa.and_(dag_runs.chosen_runs(dag_id), RUN.c.run_id == question.run_id)
    runs = dag_runs.runs(session, chosen, 1)
    rows = attempts.tries(session, dag_id, run_ids, task_ids, now, by_index=True)
    if not runs or not rows:
        return []
    paused, *kinds = waiting_tasks(session, dag_id, rows, dag_facts.task_facts(session, dag_id))
    logged = waits.logged(session, dag_id, run_ids, task_ids, *kinds) if paused else NO_WAITS
    tries = tries_by_index(rows, now, waits=logged, runs=runs)
    return indexes_of(tries, attempts.labels(session, dag_id, question.run_id, question.task_id))


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
