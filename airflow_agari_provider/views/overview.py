"""All DAGs at a glance, as SQL: runs by state, failed tries and what they cost, what is active now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

import sqlalchemy as sa

from airflow_agari_provider.views.metadata import (
    DAG,
    HISTORY,
    HISTORY_BY_RUN,
    INSTANCE,
    RUN,
    RUN_AFTER,
    dialect,
    due_since,
    epoch,
    unindexed,
)

RUN_STATES = ("success", "failed", "running", "queued")
ACTIVE = ("running", "queued", "deferred")
KEY = ("dag_id", "task_id", "run_id", "map_index")


def overview(session: Any, since: float) -> dict[str, Any]:
    """
    One entry per DAG that has not been removed.

    :param since: only runs due then or later are in the window.
    """
    dags = _dags(session)
    ids = [dag_id for dag_id, _ in dags]
    ever = _runs_ever(session)
    window, last_run = _runs_of_window(session, since)
    last_run |= _newest_runs(session, {dag_id for dag_id, _ in ever} & set(ids) - set(last_run))
    failed_tries: dict[str, int] = defaultdict(int)
    failures: dict[str, int] = defaultdict(int)
    lost: dict[str, float] = defaultdict(float)
    for dag_id, count, seconds in _old_failures(session, since):
        failed_tries[dag_id] += count
        lost[dag_id] += seconds or 0.0
    for dag_id, count, tries, seconds in _final_failures(session, since):
        failures[dag_id] += count
        failed_tries[dag_id] += tries
        lost[dag_id] += seconds or 0.0
    active = dict(map(tuple, _active(session)))
    return {
        "since": since,
        "dags": {
            "dag_id": ids,
            "paused": [bool(paused) for _, paused in dags],
            "last_run": [last_run.get(dag_id) for dag_id in ids],
            "ever": {state: [ever.get((dag_id, state), 0) for dag_id in ids] for state in RUN_STATES},
            "window": {state: [window.get((dag_id, state), 0) for dag_id in ids] for state in RUN_STATES},
            "failed_tries": [failed_tries[dag_id] for dag_id in ids],
            "lost_seconds": [round(lost[dag_id], 3) for dag_id in ids],
            "failures": [failures[dag_id] for dag_id in ids],
            "active": [active.get(dag_id, 0) for dag_id in ids],
        },
    }


def task_time(session: Any, since: float, now: float) -> dict[str, Any]:
    """Task instances, how many of them Airflow tried again, and the time of all their tries, per DAG of the window."""
    started: dict[str, int] = defaultdict(int)
    total: dict[str, float] = defaultdict(float)
    for dag_id, count, seconds in _time_of_instances(session, since, now):
        started[dag_id] += count
        total[dag_id] += seconds or 0.0
    for dag_id, seconds in _time_of_history(session, since):
        total[dag_id] += seconds or 0.0
    retried = dict(map(tuple, _retried(session, since)))
    ids = sorted(set(started) | set(total))
    return {
        "dags": {
            "dag_id": ids,
            "started": [started[dag_id] for dag_id in ids],
            "retried": [retried.get(dag_id, 0) for dag_id in ids],
            "total_seconds": [round(total[dag_id], 3) for dag_id in ids],
        }
    }


def _dags(session: Any) -> list[Any]:
    known = DAG.c["is_stale"].is_(False) if "is_stale" in DAG.c else DAG.c["is_active"].is_(True)
    return list(session.execute(sa.select(DAG.c.dag_id, DAG.c.is_paused).where(known).order_by(DAG.c.dag_id)))


def _runs_ever(session: Any) -> dict[tuple[str, str], int]:
    """(DAG, state): number of runs; counted in the index of both, which has no dates."""
    query = sa.select(RUN.c.dag_id, RUN.c.state, sa.func.count()).group_by(RUN.c.dag_id, RUN.c.state)
    return {(dag_id, state): count for dag_id, state, count in session.execute(query)}


def _runs_of_window(session: Any, since: float) -> tuple[dict[tuple[str, str], int], dict[str, float]]:
    """(DAG, state): number of runs; DAG: when its newest run was due."""
    database = dialect(session)
    keys = [unindexed(column, database) for column in (RUN.c.dag_id, RUN.c.state)]
    query = sa.select(RUN.c.dag_id, RUN.c.state, sa.func.count(), epoch(sa.func.max(RUN_AFTER), database))
    counts: dict[tuple[str, str], int] = {}
    newest: dict[str, float] = {}
    for dag_id, state, count, last in session.execute(query.where(due_since(since)).group_by(*keys)):
        counts[dag_id, state] = count
        newest[dag_id] = max(newest.get(dag_id, 0.0), round(last, 3))
    return counts, newest


def _newest_runs(session: Any, dag_ids: Collection[str]) -> dict[str, float]:
    """DAG: when its newest run was due."""
    if not dag_ids:
        return {}
    newest = epoch(sa.func.max(RUN_AFTER), dialect(session))
    query = sa.select(RUN.c.dag_id, newest).where(RUN.c.dag_id.in_(sorted(dag_ids))).group_by(RUN.c.dag_id)
    return {dag_id: round(last, 3) for dag_id, last in session.execute(query)}


def first_run(session: Any, dag_ids: Collection[str]) -> float | None:
    """When the first run of any of the DAGs was due: by the index of the dates, which the first rows of answer."""
    database = dialect(session)
    query = sa.select(epoch(RUN_AFTER, database)).where(unindexed(RUN.c.dag_id, database).in_(dag_ids))
    first = session.execute(query.order_by(RUN_AFTER).limit(1)).scalar()
    return None if first is None else round(first, 3)


def _of_window(table: Any, database: str, since: float) -> Any:
    """The table, joined to the runs of the window, in the order for which there are indexes."""
    runs_first = table is INSTANCE or HISTORY_BY_RUN
    pairs = ((RUN.c.dag_id, table.c.dag_id), (RUN.c.run_id, table.c.run_id))
    same = [
        unindexed(run, database) == other if runs_first else run == unindexed(other, database) for run, other in pairs
    ]
    return sa.and_(*same, due_since(since))


def _ran(table: Any, database: str, now: float | None = None) -> Any:
    """Sum of the seconds from start to end, or to now."""
    end = epoch(table.c.end_date, database)
    return sa.func.sum((end if now is None else sa.func.coalesce(end, now)) - epoch(table.c.start_date, database))


def _old_failures(session: Any, since: float) -> Iterable[Any]:
    """(DAG, tries, seconds) of failed tries that another followed, or may follow."""
    database = dialect(session)
    query = (
        sa.select(HISTORY.c.dag_id, sa.func.count(), _ran(HISTORY, database))
        .select_from(RUN.join(HISTORY, _of_window(HISTORY, database, since)))
        .where(HISTORY.c.state == "failed", HISTORY.c.start_date.is_not(None))
        .group_by(unindexed(HISTORY.c.dag_id, database))
    )
    return list(session.execute(query))


def _final_failures(session: Any, since: float) -> Iterable[Any]:
    """(DAG, task instances, tries, seconds) of tasks that ended failed: by the index of the states, which are few."""
    database = dialect(session)
    same_try = (*(HISTORY.c[name] == INSTANCE.c[name] for name in KEY), HISTORY.c.try_number == INSTANCE.c.try_number)
    counts = sa.and_(INSTANCE.c.start_date.is_not(None), ~sa.exists().where(sa.and_(*same_try)).correlate(INSTANCE))
    seconds = epoch(INSTANCE.c.end_date, database) - epoch(INSTANCE.c.start_date, database)
    by_key = sa.and_(RUN.c.dag_id == INSTANCE.c.dag_id, RUN.c.run_id == INSTANCE.c.run_id)
    query = (
        sa.select(
            INSTANCE.c.dag_id,
            sa.func.count(),
            sa.func.sum(sa.case((counts, 1), else_=0)),
            sa.func.sum(sa.case((counts, seconds), else_=0.0)),
        )
        .select_from(INSTANCE.join(RUN, by_key))
        .where(INSTANCE.c.state == "failed", due_since(since))
        .group_by(unindexed(INSTANCE.c.dag_id, database))
    )
    return list(session.execute(query))


def _active(session: Any) -> Iterable[Any]:
    """(DAG, task instances) now."""
    query = sa.select(INSTANCE.c.dag_id, sa.func.count()).where(INSTANCE.c.state.in_(ACTIVE))
    return list(session.execute(query.group_by(unindexed(INSTANCE.c.dag_id, dialect(session)))))


def _time_of_instances(session: Any, since: float, now: float) -> Iterable[Any]:
    """(DAG, task instances that started, seconds of their newest tries)."""
    database = dialect(session)
    same_try = (*(HISTORY.c[name] == INSTANCE.c[name] for name in KEY), HISTORY.c.try_number == INSTANCE.c.try_number)
    end = sa.func.coalesce(epoch(INSTANCE.c.end_date, database), now)
    own = INSTANCE.c.state.in_(("success", "failed", "running", "deferred", "up_for_reschedule", "awaiting_input"))
    counts = sa.and_(own, ~sa.exists().where(sa.and_(*same_try)).correlate(INSTANCE))
    query = (
        sa.select(
            INSTANCE.c.dag_id,
            sa.func.count(),
            sa.func.sum(sa.case((counts, end - epoch(INSTANCE.c.start_date, database)), else_=0.0)),
        )
        .select_from(RUN.join(INSTANCE, _of_window(INSTANCE, database, since)))
        .where(
            INSTANCE.c.start_date.is_not(None),
            sa.or_(INSTANCE.c.state.is_(None), ~INSTANCE.c.state.in_(("skipped", "removed", "upstream_failed"))),
        )
        .group_by(unindexed(INSTANCE.c.dag_id, database))
    )
    return list(session.execute(query))


def _time_of_history(session: Any, since: float) -> Iterable[Any]:
    """(DAG, seconds) of old tries."""
    database = dialect(session)
    query = (
        sa.select(HISTORY.c.dag_id, _ran(HISTORY, database))
        .select_from(RUN.join(HISTORY, _of_window(HISTORY, database, since)))
        .where(HISTORY.c.start_date.is_not(None))
        .group_by(unindexed(HISTORY.c.dag_id, database))
    )
    return list(session.execute(query))


def _retried(session: Any, since: float) -> Iterable[Any]:
    """(DAG, task instances) of which a try failed that Airflow was to repeat by itself, and another followed."""
    database = dialect(session)
    newer = sa.and_(*(INSTANCE.c[name] == HISTORY.c[name] for name in KEY))
    again = (
        sa.select(*(HISTORY.c[name] for name in KEY))
        .select_from(RUN.join(HISTORY, _of_window(HISTORY, database, since)).join(INSTANCE, newer))
        .where(
            HISTORY.c.state == "failed",
            HISTORY.c.start_date.is_not(None),
            HISTORY.c.try_number <= HISTORY.c.max_tries,
            INSTANCE.c.try_number > HISTORY.c.try_number,
        )
        .distinct()
        .subquery()
    )
    return list(session.execute(sa.select(again.c.dag_id, sa.func.count()).group_by(again.c.dag_id)))
