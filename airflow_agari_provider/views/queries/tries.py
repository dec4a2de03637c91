"""
Read the tries of a DAG's tasks with SQL; figures and permissions are elsewhere.

The runs are chosen first, with a LIMIT, and their rows are then looked up by index. So a DAG with ten thousand runs
costs as much as a DAG with a hundred runs. The database sums up map indexes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from airflow_agari_provider.charts.rows import MAP_INDEX, PlainTryRow
from airflow_agari_provider.exceptions import BadQuestion
from airflow_agari_provider.views.queries.tables import (
    HISTORY,
    HISTORY_BY_RUN,
    INDEX,
    INSTANCE,
    NEWEST_MAY_BE_OLD_TOO,
    QUEUEING,
    dialect,
    epoch,
    unindexed,
)

# In other states (none, scheduled, queued, up_for_retry) a task instance shows the times of the previous try.
# "restarting" is left out: it lasts for seconds, between the stop of a try and its row in the history.
TIMES_ARE_ITS_OWN = (
    "success",
    "failed",
    "skipped",
    "running",
    "deferred",
    "up_for_reschedule",
    "awaiting_input",
    "removed",
)
# Rows of one answer. A thousand runs of a dozen tasks have 13,000 rows. A hundred runs of a thousand tasks are still
# answered, with ten megabytes; a thousand such runs, with a hundred megabytes, are not.
MOST_ROWS = 150_000


def tries(
    session: Any,
    dag_id: str,
    run_ids: Sequence[str],
    task_ids: Sequence[str],
    now: float,
    *,
    by_index: bool = False,
    longest: bool = False,
) -> list[PlainTryRow]:
    """
    Return every try of these tasks that started in these runs.

    :param task_ids: all tasks if empty.
    :param by_index: return a row for every map index, instead of one row for all indexes with the same state. This
        takes half the time if no task is mapped, and many times as long if a task is.
    :param longest: also return the duration of the longest index.
    :raises BadQuestion: there are more than ``MOST_ROWS`` rows.
    """
    if not run_ids:
        return []
    values = {"dag_id": dag_id, "run_ids": run_ids, "now": now, "most": MOST_ROWS + 1}
    rows: list[PlainTryRow] = []
    for old in (True, False):
        named = task_ids
        if old and not HISTORY_BY_RUN and not named:
            named = _task_ids(session, dag_id, run_ids)
        statement = _tries(dialect(session), old, bool(named), by_index, longest)
        found = session.execute(statement, {**values, "task_ids": named} if named else values).all()
        if len(rows) + len(found) > MOST_ROWS:
            # views/frontend/notices.js knows this text by its first words.
            problem = f"These runs have more than {MOST_ROWS:,} tries. Ask for fewer runs, or give task_id."
            raise BadQuestion("runs", str(len(run_ids)), problem)
        if by_index:
            rows += one_by_one(found, old, now, {(*row[:3], row[MAP_INDEX]) for row in rows})
        else:
            rows += [tuple(row)[:-1] for row in found]  # without the last part of the key
    return rows


@cache
def _tries(database: str, old: bool, of_tasks: bool, by_index: bool, longest: bool) -> Any:
    """Return one half of ``tries``; cached, as SQLAlchemy takes longer to build it than SQLite to answer it."""
    table = HISTORY if old else INSTANCE
    where = [*of_runs(table), table.c.start_date.is_not(None)]
    if of_tasks:
        where.append(table.c.task_id.in_(sa.bindparam("task_ids", expanding=True)))
    if by_index:
        return sa.select(*key_of(table), *measures_of(table, database)).where(*where).limit(sa.bindparam("most"))
    if not old:
        where.append(INSTANCE.c.state.in_(TIMES_ARE_ITS_OWN))
        if NEWEST_MAY_BE_OLD_TOO:
            where.append(~_in_history(database))
    query = sa.select(*_sums(table, old, database, longest)).where(*where)
    key = (*(unindexed(column, database) for column in key_of(table)), sa.text("endless"), sa.text("newest"))
    return query.group_by(*key).limit(sa.bindparam("most"))


def key_of(table: Any) -> list[Any]:
    return [table.c.run_id, table.c.task_id, table.c.try_number, table.c.state]  # as in a TryRow


def measures_of(table: Any, database: str) -> list[Any]:
    """Columns of a map index: itself, when scheduled, started, ended; then those of a ``TryRow`` from ``max_tries``."""
    return [
        table.c.map_index,
        epoch(sa.func.coalesce(*queueing(table), table.c.start_date), database),
        epoch(table.c.start_date, database),
        epoch(table.c.end_date, database),
        table.c.max_tries,
        sa.case(*((column > table.c.start_date, 1) for column in queueing(table)), else_=0),
        table.c.operator,
        # a worker that ends a task removes this; a trigger that ends it does not
        sa.case((table.c.next_method.is_not(None), 1), else_=0),
    ]


def one_by_one(
    found: Iterable[Any], old: bool, now: float, in_history: Collection[tuple[str, str, int, int]] = ()
) -> list[PlainTryRow]:
    """
    Make rows of single map indexes from the columns of ``key_of`` and ``measures_of``.

    :param in_history: (run, task, try, index) of old tries, which must not be counted again. They are compared here, as
        the rows are not grouped: the database would take a fifth of its time for it.
    """
    return [
        (
            run,
            task,
            number,
            state,
            old,
            index,
            1,
            queue,
            start,
            now if end is None else end,
            start,
            end,
            None,
            most,
            again,
            kind,
            left,
            None,
        )
        for run, task, number, state, index, queue, start, end, most, again, kind, left in found
        if old or (state in TIMES_ARE_ITS_OWN and (run, task, number, index) not in in_history)
    ]


def _sums(table: Any, old: bool, database: str, longest: bool) -> list[Any]:
    """Return the columns of a ``TryRow`` for all map indexes with the same state, and the last part of their key."""
    map_index, scheduled, started, ended, *more = measures_of(table, database)
    until = sa.func.coalesce(ended, sa.bindparam("now", type_=sa.Float))
    return [
        *key_of(table),
        sa.literal_column("1" if old else "0"),
        sa.func.max(map_index),
        sa.func.count(),
        *(sa.func.sum(column) for column in (scheduled, started, until)),
        epoch(sa.func.min(table.c.start_date), database),
        epoch(sa.func.max(table.c.end_date), database),
        sa.func.max(until - started) if longest else sa.null(),
        *(sa.func.max(column) for column in more),
        (_newest(database) if old else sa.literal_column("1")).label("newest"),
        sa.case((table.c.end_date.is_(None), 1), else_=0).label("endless"),
    ]


def _newest(database: str) -> Any:
    """Whether no newer try of the same map index has started: 1 or 0."""
    newer = HISTORY.alias("newer_try")
    started = [
        sa.and_(
            *(other.c[name] == HISTORY.c[name] for name in INDEX),
            other.c.try_number > HISTORY.c.try_number,
            other.c.start_date > HISTORY.c.start_date,  # otherwise it shows the times of this try
        )
        for other in (newer, INSTANCE)
    ]
    own = sa.and_(started[1], INSTANCE.c.state.in_(TIMES_ARE_ITS_OWN))
    found = (
        sa.exists().where(started[0]).correlate(HISTORY),
        sa.exists().where(own).correlate(HISTORY),
    )
    return sa.case((sa.or_(*found), 0), else_=1)


def queueing(table: Any) -> list[Any]:
    """Return the columns of when a try was scheduled and queued, the earliest first; 2.11 has only one of them."""
    return [table.c[name] for name in QUEUEING]


def of_runs(table: Any) -> list[Any]:
    return [table.c.dag_id == sa.bindparam("dag_id"), table.c.run_id.in_(sa.bindparam("run_ids", expanding=True))]


def _in_history(database: str) -> Any:
    """Condition: the current try is in the history already, as it waits for a retry, was cleared or marked by hand."""
    key = (*INDEX, "try_number")
    if database == "postgresql":  # IN looks up each key in a hash; EXISTS would sort all instances by the whole key
        old = sa.select(*(HISTORY.c[name] for name in key)).where(*of_runs(HISTORY))
        return sa.tuple_(*(INSTANCE.c[name] for name in key)).in_(old)
    return sa.exists().where(sa.and_(*(HISTORY.c[name] == INSTANCE.c[name] for name in key))).correlate(INSTANCE)


def _task_ids(session: Any, dag_id: str, run_ids: Sequence[str]) -> list[str]:
    where = (INSTANCE.c.dag_id == dag_id, INSTANCE.c.run_id.in_(run_ids))
    task_id = unindexed(INSTANCE.c.task_id, dialect(session))
    return list(session.execute(sa.select(task_id).where(*where).distinct()).scalars())


def repeated_by_itself() -> Any:
    """Condition for an old try and its task instance: it failed, Airflow was to retry it, and another try started."""
    return sa.and_(
        *(INSTANCE.c[name] == HISTORY.c[name] for name in INDEX),
        HISTORY.c.state == "failed",
        HISTORY.c.try_number <= HISTORY.c.max_tries,
        INSTANCE.c.try_number > HISTORY.c.try_number,
        INSTANCE.c.start_date > HISTORY.c.start_date,  # otherwise it shows the previous try's start
    )


def repeated(
    session: Any, dag_id: str, run_ids: Sequence[str], task_ids: Sequence[str]
) -> Iterable[tuple[str, str, int]]:
    """Return (task, run, number of indexes that Airflow retried by itself) of mapped tasks."""
    group = [unindexed(column, dialect(session)) for column in (HISTORY.c.task_id, HISTORY.c.run_id)]
    query = (
        sa.select(HISTORY.c.task_id, HISTORY.c.run_id, sa.func.count(HISTORY.c.map_index.distinct()))
        .select_from(HISTORY.join(INSTANCE, repeated_by_itself()))
        .where(*of_runs(HISTORY), HISTORY.c.task_id.in_(task_ids))
        .group_by(*group)
    )
    return [tuple(row) for row in session.execute(query, {"dag_id": dag_id, "run_ids": run_ids})]


def never_started(session: Any, dag_id: str, run_ids: Sequence[str]) -> set[tuple[str, str]]:
    """Return (run, task) of old tries that never started: they were cleared, or lost in a queue."""
    where = [HISTORY.c.dag_id == dag_id, HISTORY.c.run_id.in_(run_ids), HISTORY.c.start_date.is_(None)]
    if not HISTORY_BY_RUN:
        where.append(HISTORY.c.task_id.in_(_task_ids(session, dag_id, run_ids)))
    key = [unindexed(column, dialect(session)) for column in (HISTORY.c.run_id, HISTORY.c.task_id)]
    return set(map(tuple, session.execute(sa.select(*key).where(*where).distinct())))


def blocked(session: Any, dag_id: str, run_ids: Sequence[str], task_ids: Sequence[str]) -> list[tuple[str, str, int]]:
    """Return (run, task, number of map indexes) of what could not start, because a task before it failed."""
    where = [*of_runs(INSTANCE), INSTANCE.c.state == "upstream_failed"]
    if task_ids:
        where.append(INSTANCE.c.task_id.in_(task_ids))
    key = [unindexed(column, dialect(session)) for column in (INSTANCE.c.run_id, INSTANCE.c.task_id)]
    query = sa.select(INSTANCE.c.run_id, INSTANCE.c.task_id, sa.func.count(INSTANCE.c.try_number)).where(*where)
    found = session.execute(query.group_by(*key).limit(MOST_ROWS), {"dag_id": dag_id, "run_ids": run_ids})
    return [tuple(row) for row in found]


def labels(session: Any, dag_id: str, run_id: str, task_id: str) -> dict[int, str | None]:
    """Return what ``map_index_template`` made of each map index; None: there is no template."""
    query = sa.select(INSTANCE.c.map_index, INSTANCE.c.rendered_map_index)
    of_task = INSTANCE.c.dag_id == dag_id, INSTANCE.c.run_id == run_id, INSTANCE.c.task_id == task_id
    return dict(map(tuple, session.execute(query.where(*of_task).limit(MOST_ROWS))))


def runs_with_instances(session: Any, dag_id: str, run_ids: Sequence[str]) -> set[str]:
    """Return those of the runs that have a task instance, in any state."""
    query = sa.select(unindexed(INSTANCE.c.run_id, dialect(session))).where(*of_runs(INSTANCE)).distinct()
    return set(session.execute(query, {"dag_id": dag_id, "run_ids": run_ids}).scalars())
