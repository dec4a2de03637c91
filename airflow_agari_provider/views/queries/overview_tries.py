"""
Sum up the tries of all DAGs in a window of runs, in SQL: which rows are tries of their own, and how long they ran.

A try that waited without a worker ran for less time than lies between its start and its end. Such tries are few. They
are read one by one, together with their events in Airflow's log.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import sqlalchemy as sa

from airflow_agari_provider.charts.outcomes import MAY_NOT_HAVE_RUN
from airflow_agari_provider.charts.rows import PlainTryRow, TryRow
from airflow_agari_provider.charts.timing import NO_WAITS, began_late, seconds_run
from airflow_agari_provider.views.queries import pauses as waits
from airflow_agari_provider.views.queries import tries as attempts
from airflow_agari_provider.views.queries.dag_facts import begin_in_triggers
from airflow_agari_provider.views.queries.tables import (
    HISTORY,
    HISTORY_BY_RUN,
    INDEX,
    INSTANCE,
    RESCHEDULE,
    RESCHEDULE_BY_ID,
    RUN,
    TRIES_HAVE_SCHEDULED,
    dialect,
    due_since,
    epoch,
    unindexed,
)

GOES_ON = ("running", *waits.PAUSES)
NO_TRY, TRY, PAUSED = 0, 1, 2  # kinds of rows; a PAUSED try may have waited without a worker
RUNS_AT_ONCE = 1000
MOST_PAUSED = 20_000  # largest number of tries of a DAG that are read one by one


class Tries(NamedTuple):
    """
    Some tries of the window, in one of the two tables.

    :param by_state: read them by the index of the states; otherwise run by run.
    :param among: condition for the rows to read.
    :param own: condition for those of these rows that are tries of their own, in no other row.
    :param sure: condition that recognises most of the own tries that never waited, from their row alone; ``None``: this
        is not possible.
    """

    table: Any
    by_state: bool
    among: Any
    own: Any
    sure: Any = None


class Sum(NamedTuple):
    """
    Some tries of a DAG, summed up.

    :param kind: ``NO_TRY``, ``TRY`` or ``PAUSED``.
    :param number: how many tries.
    :param seconds: sum of the seconds from their starts to their ends.
    :param first: when the first of them started, in epoch seconds.
    """

    dag_id: str
    kind: int
    number: int
    seconds: float
    first: float | None


def old_tries(*conditions: Any) -> Tries:
    """Tries in the history, without rows that never started: Airflow left these the times of the previous try."""
    before = HISTORY.alias()
    same = (
        *(before.c[name] == HISTORY.c[name] for name in INDEX),
        before.c.start_date == HISTORY.c.start_date,
    )
    shadow = sa.exists().where(*same, before.c.try_number < HISTORY.c.try_number).correlate(HISTORY)
    started = HISTORY.c.start_date.is_not(None)
    own, sure = sa.or_(HISTORY.c.try_number < 2, ~shadow), ~_may_have_waited(HISTORY)
    if not TRIES_HAVE_SCHEDULED:  # its value makes a row that never started look as if it waited
        sure = sa.and_(HISTORY.c.try_number < 2, sure)
    return Tries(HISTORY, False, sa.and_(started, *conditions), own, sure)


def counted(table: Any) -> Any:
    """Condition: the try counts, as ``charts.outcomes.standing`` has it. The others never ran."""
    end = table.c.end_date
    ran = sa.and_(table.c.state.in_(sorted(MAY_NOT_HAVE_RUN)), sa.or_(end.is_(None), end > table.c.start_date))
    counts = table.c.state.not_in((*sorted(MAY_NOT_HAVE_RUN), "upstream_failed"))
    return sa.or_(table.c.state.is_(None), counts, ran)


def cut_off(table: Any) -> Any:
    """Condition: the try was running when ``dagrun_timeout`` ended its run; see ``charts.outcomes.outcome_of``."""
    skipped = sa.and_(table.c.state == "skipped", table.c.end_date.is_(None), table.c.start_date.is_not(None))
    return skipped if table is HISTORY else sa.and_(skipped, RUN.c.state == "failed")


def newest_tries(*conditions: Any, by_state: bool = False) -> Tries:
    """Tries of the current task instances, without those in the history or with the times of a try there."""
    known = sa.or_(HISTORY.c.try_number == INSTANCE.c.try_number, HISTORY.c.start_date == INSTANCE.c.start_date)
    old = sa.exists().where(*(HISTORY.c[name] == INSTANCE.c[name] for name in INDEX), known).correlate(INSTANCE)
    own = sa.and_(INSTANCE.c.start_date.is_not(None), INSTANCE.c.state.in_(attempts.TIMES_ARE_ITS_OWN), ~old)
    return Tries(INSTANCE, by_state, sa.and_(*conditions), own)


def sums(session: Any, tries: Tries, since: float, now: float) -> list[Sum]:
    """
    Return a sum for each DAG and kind of row.

    :param since: only runs due then or later are in the window.
    """
    if tries.sure is None:
        return _sums(session, tries, _kind(tries), since, now)
    found = _sums(session, tries, tries.sure, since, now)
    doubtful = [row.dag_id for row in found if not row.kind]
    surely = [row._replace(kind=TRY) for row in found if row.kind]
    if not doubtful:
        return surely
    looked_up = sa.and_(tries.among, ~tries.sure, tries.table.c.dag_id.in_(doubtful))
    return surely + _sums(session, tries._replace(among=looked_up), _kind(tries), since, now)


def _kind(tries: Tries) -> Any:
    return sa.case((tries.own, sa.case((_may_have_waited(tries.table), PAUSED), else_=TRY)), else_=NO_TRY)


def _sums(session: Any, tries: Tries, kind: Any, since: float, now: float) -> list[Sum]:
    """:param kind: if it reads no other rows, PostgreSQL sums in parallel workers; otherwise it sorts every row."""
    table, database = tries.table, dialect(session)
    start = epoch(table.c.start_date, database)
    ran = sa.func.coalesce(sa.func.sum(_until(table, database, now) - start), 0.0)
    first = epoch(sa.func.min(table.c.start_date), database)
    columns = table.c.dag_id, kind.label("kind"), sa.func.count(), ran, first
    query = sa.select(*columns).select_from(source_of(tries, database))
    query = query.where(due_since(since), tries.among).group_by(unindexed(table.c.dag_id, database), sa.text("kind"))
    return [Sum(*row) for row in session.execute(query)]


def source_of(tries: Tries, database: str) -> Any:
    """Return the runs joined to their tries, in the order in which they are to be read."""
    table = tries.table
    if tries.by_state:
        return table.join(RUN, sa.and_(RUN.c.dag_id == table.c.dag_id, RUN.c.run_id == table.c.run_id))
    return RUN.join(table, of_window(table, database))


def _until(table: Any, database: str, now: float) -> Any:
    """Return when a try ended, now if it goes on; without an end of its own it ended no later than its run."""
    end, end_of_run = (epoch(column, database) for column in (table.c.end_date, RUN.c.end_date))
    moment = sa.literal(now, sa.Float)
    if table is INSTANCE:
        end_of_run = sa.case((table.c.state.in_(GOES_ON), moment), else_=end_of_run)
    return sa.func.coalesce(end, end_of_run, moment)


def of_window(table: Any, database: str) -> Any:
    """Return the condition that joins the table to its runs, in the order for which there are indexes."""
    runs_first = table is INSTANCE or HISTORY_BY_RUN
    pairs = ((RUN.c.dag_id, table.c.dag_id), (RUN.c.run_id, table.c.run_id))
    return sa.and_(
        *(
            unindexed(run, database) == other if runs_first else run == unindexed(other, database)
            for run, other in pairs
        )
    )


def _may_have_waited(table: Any) -> Any:
    """
    Return the condition for tries that may have waited without a worker.

    Such a try came back to the queue, waits now, or is of a rescheduled sensor, whose row shows only its last poke.
    """
    sensor = table.c.operator.contains("Sensor")
    signs = [column > table.c.start_date for column in attempts.queueing(table)]
    signs.append(table.c.next_method.is_not(None))
    if table is HISTORY:  # old tries have no rows of pokes; coalesced: never NULL, so that it or its opposite is true
        return sa.func.coalesce(sa.or_(*signs, sensor), sa.false())
    pairs = [("ti_id", "id")] if RESCHEDULE_BY_ID else [(name, name) for name in (*INDEX, "try_number")]
    looked = sa.exists().where(*(RESCHEDULE.c[look] == table.c[own] for look, own in pairs)).correlate(table)
    return sa.or_(*signs, table.c.state.in_(waits.PAUSES), sa.and_(sensor, looked))


def seconds_of_paused(session: Any, dag_id: str, parts: Collection[Tries], since: float, now: float) -> float:
    """Return the seconds that tries of one DAG ran, of the tries that may have waited without a worker."""
    of_dag = sa.select(RUN.c.run_id).where(RUN.c.dag_id == dag_id, due_since(since))
    run_ids = list(session.execute(of_dag).scalars())
    return sum(
        _seconds(session, dag_id, run_ids[at : at + RUNS_AT_ONCE], tries, now)
        for at in range(0, len(run_ids), RUNS_AT_ONCE)
        for tries in parts
    )


def _seconds(session: Any, dag_id: str, run_ids: list[str], tries: Tries, now: float) -> float:
    table = tries.table
    database = dialect(session)
    query = sa.select(*attempts.key_of(table), *attempts.measures_of(table, database), epoch(RUN.c.end_date, database))
    query = query.select_from(table.join(RUN, of_window(table, database)))
    query = query.where(*attempts.of_runs(table), tries.among, tries.own, _may_have_waited(table))
    found = [tuple(row) for row in session.execute(query, {"dag_id": dag_id, "run_ids": run_ids})]
    rows = attempts.one_by_one((row[:-1] for row in found), table is HISTORY, now)
    ends = {row[0]: now if row[-1] is None else row[-1] for row in found}
    return sum(seconds_of(session, dag_id, rows, ends, now))


def seconds_of(
    session: Any, dag_id: str, rows: Sequence[PlainTryRow], ends: Mapping[str, float], now: float
) -> list[float]:
    """Return the seconds that each of these tries ran. :param ends: latest possible end of each run."""
    of_tries = list(map(TryRow._make, rows))
    run_ids = sorted({row.run_id for row in of_tries})
    logged = NO_WAITS
    for at in range(0, len(run_ids), RUNS_AT_ONCE):
        part = set(run_ids[at : at + RUNS_AT_ONCE])
        tasks = sorted({row.task_id for row in of_tries if row.run_id in part})
        found = waits.logged(session, dag_id, sorted(part), tasks)
        logged = replace(found, pauses={**logged.pauses, **found.pauses})
    if any(began_late(row, logged) for row in of_tries):
        logged = replace(logged, in_triggers=begin_in_triggers(session, dag_id))
    return [seconds_run(row, logged, now, ends[row.run_id]) for row in of_tries]
