"""When tries released their workers to wait, and got workers again, from the events in Airflow's log."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from airflow_agari_provider.charts.rows import OLD, RUN_ID, STATE, TASK, PauseRow, PlainTryRow
from airflow_agari_provider.charts.timing import Waits
from airflow_agari_provider.views.queries.tables import (
    LOG,
    LOGS_DEFERRALS,
    RESCHEDULE,
    RESCHEDULE_BY_ID,
    dialect,
    epoch,
    unindexed,
)

PAUSES = ("deferred", "up_for_reschedule", "awaiting_input")
RUNNING = "running"


def ended_by_triggers(session: Any, dag_id: str, rows: Iterable[PlainTryRow]) -> set[str]:
    """
    Return the tasks with an old failed try that went to a trigger, and may have ended there.

    The row of such a try does not tell: before the retry, Airflow forgets that the task had been deferred.
    """
    failed = [row for row in rows if row[OLD] and row[STATE] == "failed"] if LOGS_DEFERRALS else []
    if not failed:
        return set()
    task_ids, run_ids = sorted({row[TASK] for row in failed}), sorted({row[RUN_ID] for row in failed})
    query = sa.select(unindexed(LOG.c.task_id, dialect(session))).where(
        LOG.c.dag_id == dag_id,
        LOG.c.task_id.in_(task_ids),
        LOG.c.run_id.in_(run_ids),
        LOG.c.event == "deferred",
    )
    return set(session.execute(query.distinct()).scalars())


def logged(
    session: Any,
    dag_id: str,
    run_ids: Sequence[str],
    task_ids: Sequence[str],
    reschedules: Collection[str] = (),
    in_triggers: Collection[str] = (),
) -> Waits:
    """Return what the log tells about the waits of these tasks; for the last two parameters see ``Waits``."""
    found = {row[:4]: row for row in pauses(session, dag_id, run_ids, task_ids)}
    oldest = session.execute(sa.select(epoch(sa.func.min(LOG.c.dttm), dialect(session)))).scalar()
    return Waits(found, oldest or 0.0, reschedules, in_triggers)


def pauses(session: Any, dag_id: str, run_ids: Sequence[str], task_ids: Sequence[str]) -> list[PauseRow]:
    """
    Return when tries released their worker to wait, and got a worker again.

    This comes from the events in Airflow's log. 2.11 logs only the return to a worker. There, the release is known only
    for rescheduled sensors, from a table of their own, and not for deferred tasks.
    """
    database = dialect(session)
    happened = epoch(LOG.c.dttm, database)
    key = [LOG.c.run_id, LOG.c.task_id, LOG.c.map_index, LOG.c.try_number]
    began, left = LOG.c.event == RUNNING, LOG.c.event.in_(PAUSES)
    query = (
        sa.select(
            *key,
            sa.func.sum(sa.case((began, 1), else_=0)),
            sa.func.sum(sa.case((began, happened), else_=0.0)),
            sa.func.min(sa.case((began, happened))),
            sa.func.sum(sa.case((left, 1), else_=0)),
            sa.func.sum(sa.case((left, happened), else_=0.0)),
            sa.func.min(sa.case((left, happened))),
        )
        .where(
            LOG.c.dag_id == dag_id,
            LOG.c.task_id.in_(task_ids),
            LOG.c.run_id.in_(run_ids),
            LOG.c.event.in_((RUNNING, *PAUSES)),
        )
        .group_by(*(unindexed(column, database) for column in key))
    )
    found = {row[:4]: PauseRow(*row) for row in session.execute(query) if row[6] is not None}
    for *place, count, total in _reschedules(session, dag_id, run_ids, task_ids):
        if row := found.get(tuple(place)):
            found[tuple(place)] = row._replace(pauses=row.pauses + count, paused_sum=row.paused_sum + total)
    return list(found.values())


def _reschedules(session: Any, dag_id: str, run_ids: Sequence[str], task_ids: Sequence[str]) -> Iterable[Any]:
    """Return (run, task, index, try, number of pokes, sum of their ends) of sensors; since 3.0 the log has them."""
    if RESCHEDULE_BY_ID:
        return []
    key = [RESCHEDULE.c[name] for name in ("run_id", "task_id", "map_index", "try_number")]
    query = sa.select(*key, sa.func.count(), sa.func.sum(epoch(RESCHEDULE.c.end_date, dialect(session)))).where(
        RESCHEDULE.c.dag_id == dag_id, RESCHEDULE.c.run_id.in_(run_ids), RESCHEDULE.c.task_id.in_(task_ids)
    )
    return list(session.execute(query.group_by(*key)))
