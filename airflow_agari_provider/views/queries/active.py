"""Task instances that are under way now, as SQL, and how long their tasks took lately."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from airflow_agari_provider.charts.active import ActiveRow, TaskKey, Usual, usual_of
from airflow_agari_provider.views.queries.tables import (
    INSTANCE,
    POOL,
    QUEUEING,
    RUN,
    RUN_AFTER,
    TRIES_HAVE_SCHEDULED,
    dialect,
    epoch,
)

STATES = (
    "scheduled",
    "queued",
    "restarting",
    "up_for_retry",
    "running",
    "deferred",
    "up_for_reschedule",
    "awaiting_input",
)
MOST_ACTIVE = 5000  # instances that are read
MOST_TASKS = 200  # tasks whose usual time is looked up
LATEST_RUNS, MOST_INSTANCES = 50, 1000  # of which the usual time is; more instances only of mapped tasks


def active(session: Any) -> list[ActiveRow]:
    """Return what is under way, at most ``MOST_ACTIVE`` instances."""
    database = dialect(session)
    state = INSTANCE.c.state
    at_work = state.in_(("running", "deferred", "up_for_reschedule", "awaiting_input"))
    since = sa.case(
        (at_work, INSTANCE.c.start_date),
        (state.in_(("up_for_retry", "restarting")), INSTANCE.c.end_date),
        (state == "queued", INSTANCE.c.queued_dttm),
        else_=INSTANCE.c[QUEUEING[0]] if TRIES_HAVE_SCHEDULED else sa.null(),
    )
    names = ("dag_id", "run_id", "task_id", "map_index", "state", "try_number")
    query = sa.select(
        *(INSTANCE.c[name] for name in names),
        epoch(since, database),
        INSTANCE.c.pool,
        INSTANCE.c.pool_slots,
        INSTANCE.c.queue,
        INSTANCE.c.executor,
    ).where(state.in_(STATES))
    return [ActiveRow(*row) for row in session.execute(query.limit(MOST_ACTIVE))]


def slots(session: Any) -> dict[str, int]:
    """Return the slots of each pool; -1: as many as are wanted."""
    return dict(map(tuple, session.execute(sa.select(POOL.c.pool, POOL.c.slots))))


def usual(session: Any, tasks: Collection[TaskKey]) -> dict[TaskKey, Usual]:
    """Return how long tasks took in the newest runs of their DAGs, of at most ``MOST_TASKS``."""
    found = {}
    for dag_id, task_id in sorted(tasks)[:MOST_TASKS]:
        latest = sa.select(RUN.c.run_id).where(RUN.c.dag_id == dag_id).order_by(RUN_AFTER.desc(), RUN.c.id.desc())
        run_ids = list(session.execute(latest.limit(LATEST_RUNS)).scalars())
        of_task = INSTANCE.c.dag_id == dag_id, INSTANCE.c.task_id == task_id, INSTANCE.c.run_id.in_(run_ids)
        start, end = (epoch(INSTANCE.c[name], dialect(session)) for name in ("start_date", "end_date"))
        ended = INSTANCE.c.state == "success", INSTANCE.c.start_date.is_not(None), INSTANCE.c.end_date.is_not(None)
        query = sa.select(end - start).where(*of_task, *ended).limit(MOST_INSTANCES)
        if seconds := usual_of(list(session.execute(query).scalars())):
            found[dag_id, task_id] = seconds
    return found
