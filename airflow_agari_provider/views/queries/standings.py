"""How late tasks and runs stand now, and how many runs there were, as SQL."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from airflow_agari_provider.alerts.recorded_miss import DONE, Standing
from airflow_agari_provider.views.queries.tables import DEADLINE, INSTANCE, RUN, RUN_AFTER, dialect, epoch

Place = tuple[str, str, str]  # DAG id, run id, task id; the task id is empty for the run itself
MOST_ASKED = 500  # runs, so that the lists of values in the statements are of a bounded length


def standings(session: Any, places: Collection[Place]) -> dict[Place, Standing]:
    """
    Return how tasks and runs stand; ``deleted`` where there is no such run.

    A mapped task is done when all of its indexes are, and otherwise in the state of one that is not.

    :param places: those of more runs than ``MOST_ASKED`` are left out of the answer.
    """
    asked = sorted({place[:2] for place in places})[:MOST_ASKED]
    if not asked:
        return {}
    database = dialect(session)
    runs = session.execute(
        sa.select(RUN.c.dag_id, RUN.c.run_id, RUN.c.state, epoch(RUN.c.end_date, database)).where(_among(RUN, asked))
    )
    found = {(dag_id, run_id, ""): Standing(str(state), ended) for dag_id, run_id, state, ended in runs}
    columns = INSTANCE.c.dag_id, INSTANCE.c.run_id, INSTANCE.c.task_id, INSTANCE.c.state
    task_ids = sorted({task_id for _, _, task_id in places if task_id})
    of_tasks = sa.and_(_among(INSTANCE, asked), INSTANCE.c.task_id.in_(task_ids))
    tasks: dict[Place, list[Standing]] = {}
    for *place, state, ended in session.execute(
        sa.select(*columns, epoch(INSTANCE.c.end_date, database)).where(of_tasks)
    ):
        tasks.setdefault(tuple(place), []).append(Standing(str(state or "not scheduled"), ended))
    found |= {place: _whole(indexes) for place, indexes in tasks.items()}
    known = set(asked)
    return {place: found.get(place) or _missing(place, found) for place in places if place[:2] in known}


def _among(table: Any, runs: Collection[tuple[str, str]]) -> Any:
    """Return the condition for these runs, DAG by DAG, for which each database uses its index."""
    by_dag: dict[str, list[str]] = {}
    for dag_id, run_id in runs:
        by_dag.setdefault(dag_id, []).append(run_id)
    return sa.or_(*(sa.and_(table.c.dag_id == dag_id, table.c.run_id.in_(ids)) for dag_id, ids in by_dag.items()))


def _whole(indexes: list[Standing]) -> Standing:
    unfinished = [index for index in indexes if index.state not in DONE]
    ended = [index.ended_at for index in indexes if index.ended_at is not None]
    return unfinished[0] if unfinished else Standing(indexes[0].state, max(ended, default=None))


def _missing(place: Place, found: dict[Place, Standing]) -> Standing:
    """A task that its run does not have was removed from the DAG, or not created yet."""
    return Standing("no such task" if (*place[:2], "") in found else "deleted", None)


def count_runs_by_dag(session: Any, since: float, until: float, dag_ids: Collection[str]) -> dict[str, int]:
    """
    Return how many runs of a window have an SLA that they can miss: those that started and are no backfills.

    Airflow 2.11, which has no deadlines, also checks no manual runs.
    """
    unchecked = ["backfill"] if DEADLINE is not None else ["backfill", "manual"]
    query = (
        sa.select(RUN.c.dag_id, sa.func.count())
        .where(
            RUN.c.dag_id.in_(sorted(dag_ids)),
            RUN_AFTER >= datetime.fromtimestamp(since, UTC),  # noqa: SIM300  (a column)
            datetime.fromtimestamp(until, UTC) > RUN_AFTER,
            RUN.c.run_type.not_in(unchecked),
            RUN.c.state != "queued",
        )
        .group_by(RUN.c.dag_id)
    )
    return {dag_id: int(count) for dag_id, count in session.execute(query)}
