"""How the tasks of each DAG's newest run stand, as SQL."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import sqlalchemy as sa

from airflow_agari_provider.charts.outcomes import STANDS, STANDS_AS
from airflow_agari_provider.views.queries.tables import INSTANCE, RUN, RUN_AFTER, dialect, due_since, unindexed


def newest_tasks(session: Any, since: float) -> dict[str, dict[str, int]]:
    """
    Return for each DAG the number of task instances of its newest run, by how they stand: see ``STANDS``.

    Of runs that were due at the same moment, the one that was created last is the newest.

    :param since: DAGs without a run since then are left out.
    """
    database = dialect(session)
    dag_id = unindexed(RUN.c.dag_id, database)
    last = sa.select(dag_id.label("dag_id"), sa.func.max(RUN_AFTER).label("due")).where(due_since(since))
    last = last.group_by(dag_id).subquery()
    at_last = RUN.join(last, sa.and_(last.c.dag_id == RUN.c.dag_id, last.c.due == RUN_AFTER))
    numbers = sa.select(sa.func.max(RUN.c.id)).select_from(at_last).group_by(RUN.c.dag_id)
    of_run = sa.and_(RUN.c.dag_id == INSTANCE.c.dag_id, RUN.c.run_id == INSTANCE.c.run_id)
    key = [unindexed(column, database) for column in (INSTANCE.c.dag_id, INSTANCE.c.state)]
    query = sa.select(INSTANCE.c.dag_id, INSTANCE.c.state, sa.func.count(INSTANCE.c.try_number))
    query = query.select_from(RUN.join(INSTANCE, of_run)).where(RUN.c.id.in_(numbers)).group_by(*key)
    found: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(STANDS, 0))
    for name, state, count in session.execute(query):
        found[name][STANDS_AS.get(state or "", "waiting")] += count
    return found
