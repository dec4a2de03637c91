"""The runs and the failed tries of one DAG in a span of time, as SQL; ``charts.days`` sums them up by days."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from airflow_agari_provider.charts.days import QUARTER
from airflow_agari_provider.charts.rows import RUN_ID, PlainTryRow
from airflow_agari_provider.views.queries import tries as attempts
from airflow_agari_provider.views.queries.overview import FAILED
from airflow_agari_provider.views.queries.overview_tries import Tries, seconds_of, source_of
from airflow_agari_provider.views.queries.tables import HISTORY, RUN, RUN_AFTER, dialect, epoch, unindexed

MOST_FAILED = 20_000  # failed tries that are read one by one
ROUNDING = 0.5  # seconds; SQLite's moments are inexact by a tenth of a millisecond, and a run may be due at midnight


def runs_by_quarter(session: Any, chosen: Any) -> list[tuple[int, str, int]]:
    """Return (quarter of an hour since 1970, state, number of runs). :param chosen: condition for the runs."""
    database = dialect(session)
    quarters = (epoch(RUN_AFTER, database) + ROUNDING) / QUARTER
    # CAST rounds on PostgreSQL and cuts on SQLite, which may lack FLOOR
    whole = sa.cast(quarters, sa.Integer) if database == "sqlite" else sa.cast(sa.func.floor(quarters), sa.Integer)
    state = unindexed(RUN.c.state, database)
    query = sa.select(whole.label("quarter"), state.label("state"), sa.func.count()).where(chosen)
    return [tuple(row) for row in session.execute(query.group_by(sa.text("quarter"), sa.text("state")))]


def failed_tries(session: Any, dag_id: str, chosen: Any, now: float) -> list[tuple[float, float]] | None:
    """
    Return when the run of each failed try was due, and the seconds that the try ran.

    None: there are more than ``MOST_FAILED``.
    """
    found: list[tuple[float, float]] = []
    for tries in FAILED:
        rows, due, ends = _rows(session, dag_id, tries, chosen, now)
        if len(found) + len(rows) > MOST_FAILED:
            return None
        seconds = seconds_of(session, dag_id, rows, ends, now)
        found += [(due[row[RUN_ID]], ran) for row, ran in zip(rows, seconds, strict=True)]
    return found


def _rows(
    session: Any, dag_id: str, tries: Tries, chosen: Any, now: float
) -> tuple[list[PlainTryRow], dict[str, float], dict[str, float]]:
    """Return the rows, when each run was due, and when it ended: now if it goes on."""
    table, database = tries.table, dialect(session)
    query = sa.select(
        *attempts.key_of(table),
        *attempts.measures_of(table, database),
        epoch(RUN_AFTER, database),
        epoch(RUN.c.end_date, database),
    ).select_from(source_of(tries, database))
    query = query.where(chosen, table.c.dag_id == dag_id, tries.among, tries.own).limit(MOST_FAILED + 1)
    found = [tuple(row) for row in session.execute(query)]
    rows = attempts.one_by_one((row[:-2] for row in found), table is HISTORY, now)
    ends = {row[0]: now if row[-1] is None else row[-1] for row in found}
    return rows, {row[0]: row[-2] for row in found}, ends
