"""
Select the runs of a DAG that a reader asks for, as SQL.

Runs are ordered by when they were due; runs that were due at the same moment are ordered by their ids. So each run has
a definite place, and turning pages neither leaves out a run nor shows one twice.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from operator import gt, lt
from typing import Any

import sqlalchemy as sa

from airflow_agari_provider.charts.rows import Position, RunRow
from airflow_agari_provider.views.queries.tables import LOGICAL_DATE, RUN, RUN_AFTER, dialect, due_since, epoch


def chosen_runs(
    dag_id: str,
    types: Collection[str] = (),
    states: Collection[str] = (),
    since: float | None = None,
    until: float | None = None,
) -> Any:
    """Return the condition for the runs that a reader asked for; see ``parameters.TriesQuestion``."""
    conditions = [RUN.c.dag_id == dag_id]
    if since is not None:
        conditions.append(due_since(since))
    if until is not None:
        conditions.append(datetime.fromtimestamp(until, UTC) > RUN_AFTER)
    if types:
        conditions.append(RUN.c.run_type.in_(types))
    if states:
        conditions.append(RUN.c.state.in_(states))
    return sa.and_(*conditions)


def beyond(session: Any, dag_id: str, position: Position, *, newer: bool) -> Any:
    """Return the condition for the runs after a position or, if not ``newer``, before it."""
    due, further = _due(session, dag_id, position), gt if newer else lt
    if position.run is None:
        return further(RUN_AFTER, due)
    at_once = sa.and_(due == RUN_AFTER, further(RUN.c.id, position.run))
    return sa.or_(further(RUN_AFTER, due), at_once)


def _due(session: Any, dag_id: str, position: Position) -> datetime:
    """Return when the position is, to the microsecond; as rounded for the reader, if its run is gone or not named."""
    query = sa.select(RUN_AFTER).where(RUN.c.id == position.run, RUN.c.dag_id == dag_id)
    found = session.execute(query).scalar_one_or_none() if position.run is not None else None
    return found or datetime.fromtimestamp(position.due, UTC)


def runs(session: Any, chosen: Any, limit: int, *, oldest: bool = False) -> list[RunRow]:
    """Return the newest of the chosen runs, or with ``oldest`` the oldest; sorted with the oldest first."""
    database = dialect(session)
    columns = [
        RUN.c.id,
        RUN.c.run_id,
        RUN.c.run_type,
        RUN.c.state,
        *(
            epoch(column, database)
            for column in (RUN_AFTER, LOGICAL_DATE, RUN.c.queued_at, RUN.c.start_date, RUN.c.end_date)
        ),
    ]
    # the id also keeps PostgreSQL off a backward scan of all DAGs' runs by date
    order = [column.asc() if oldest else column.desc() for column in (RUN_AFTER, RUN.c.id)]
    found = [RunRow(*row) for row in session.execute(sa.select(*columns).where(chosen).order_by(*order).limit(limit))]
    return found if oldest else found[::-1]


def count_runs(session: Any, chosen: Any) -> int:
    return int(session.execute(sa.select(sa.func.count()).select_from(RUN).where(chosen)).scalar_one())
