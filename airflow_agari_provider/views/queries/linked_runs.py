"""Runs that a link names: by id, by date, by window."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from airflow_agari_provider.blast_radius.graph import Run, RunKey
from airflow_agari_provider.views.queries.stored_dags import chunks
from airflow_agari_provider.views.queries.tables import (
    LOGICAL_DATE,
    RUN,
    RUN_AFTER,
    RUN_VERSION,
    dialect,
    epoch,
    exact,
    seconds_of,
)

WINDOW = sa.func.coalesce(LOGICAL_DATE, RUN_AFTER)  # as ``Run.window``


def run_columns(session: Any) -> list[Any]:
    """Return the columns that ``run_of`` takes. The logical date is exact, since dates are compared with it."""
    database = dialect(session)
    times = [epoch(column, database) for column in (RUN_AFTER, RUN.c.start_date, RUN.c.end_date)]
    logical = exact(LOGICAL_DATE, database)
    return [RUN.c.dag_id, RUN.c.run_id, RUN.c.run_type, RUN.c.state, logical, *times, RUN_VERSION]


def run_of(row: Any) -> Run:
    dag_id, run_id, run_type, state, logical, due, started, ended, version = row
    moment = None if logical is None else seconds_of(logical)
    key = RunKey(dag_id, run_id)
    return Run(key, run_type, str(state), due, moment, started, ended, str(version) if version else None)


def moment_of(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def runs_of_window(session: Any, dag_id: str, since: float, until: float, most: int) -> list[Run]:
    """
    Return the runs whose logical date lies in a window, the earliest first; without such a date, those due then.

    :param until: before this time; the same as ``since``: at this time.
    :param most: how many at most.
    """
    window, begin, end = WINDOW, moment_of(since), moment_of(until)
    before = window <= begin if since == until else window < end
    query = sa.select(*run_columns(session)).where(RUN.c.dag_id == dag_id, window >= begin, before)
    return [run_of(row) for row in session.execute(query.order_by(window, RUN.c.id).limit(most))]


def among(table: Any, keys: Collection[RunKey]) -> Iterator[Any]:
    """
    Give conditions that together hold for the rows of these runs.

    They go DAG by DAG, for which each database uses its index on DAG and run.
    """
    for some in chunks(sorted(keys)):
        by_dag: dict[str, list[str]] = {}
        for key in some:
            by_dag.setdefault(key.dag_id, []).append(key.run_id)
        yield sa.or_(*(sa.and_(table.c.dag_id == dag_id, table.c.run_id.in_(ids)) for dag_id, ids in by_dag.items()))


def runs_named(session: Any, keys: Collection[RunKey]) -> dict[RunKey, Run]:
    """Return those of the runs that there are."""
    columns = run_columns(session)
    found = (session.execute(sa.select(*columns).where(condition)) for condition in among(RUN, keys))
    return {run.key: run for rows in found for run in map(run_of, rows)}


def runs_of_ids(session: Any, ids: Collection[int]) -> dict[int, Run]:
    """Return the runs with these numbers in Airflow's table."""
    columns = run_columns(session)
    rows = (session.execute(sa.select(RUN.c.id, *columns).where(RUN.c.id.in_(some))) for some in chunks(sorted(ids)))
    return {number: run_of(row) for some in rows for number, *row in some}


def runs_dated(session: Any, dag_id: str, dates: Collection[float]) -> dict[float, Run]:
    """Return the runs of a DAG that have these logical dates."""
    columns = run_columns(session)
    found: dict[float, Run] = {}
    for some in chunks(sorted(dates)):
        dated = LOGICAL_DATE.in_([moment_of(date) for date in some])
        for run in map(run_of, session.execute(sa.select(*columns).where(RUN.c.dag_id == dag_id, dated))):
            found[run.window] = run
    return found


def oldest_windows(session: Any, dag_ids: Collection[str]) -> dict[str, float]:
    """Return for each DAG the window of its oldest run; a DAG without runs has none."""
    columns = RUN.c.dag_id, exact(sa.func.min(WINDOW), dialect(session))
    query = sa.select(*columns).where(RUN.c.dag_id.in_(sorted(dag_ids))).group_by(RUN.c.dag_id)
    return {dag_id: seconds_of(oldest) for dag_id, oldest in session.execute(query)}
