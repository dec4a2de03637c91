"""What runs fed, by Airflow's metadata database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from airflow_agari_provider.blast_radius.dag_shape import DagShape
from airflow_agari_provider.blast_radius.graph import BlastRadius, Found, Reached, Run, RunKey, Unknown
from airflow_agari_provider.blast_radius.walk import Bounds, blast_radius
from airflow_agari_provider.exceptions import BadQuestion
from airflow_agari_provider.views.queries.asset_links import asset_links
from airflow_agari_provider.views.queries.dag_facts import dag_exists
from airflow_agari_provider.views.queries.linked_runs import runs_of_window
from airflow_agari_provider.views.queries.sensor_links import sensor_links
from airflow_agari_provider.views.queries.stored_dags import StoredDags, chunks
from airflow_agari_provider.views.queries.tables import DAG, NOT_REMOVED, limit_time, require_known_columns
from airflow_agari_provider.views.queries.task_links import feeds_links, marker_links, purged, trigger_links


class MetadataLinks:
    """
    Links as Airflow recorded them; see :class:`~airflow_agari_provider.blast_radius.graph.Links`.

    Each level of runs is a few statements, however many runs it has: lists of values have at most 500 of them.

    :param session: of the metadata database.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._dags = StoredDags(session)
        self._looked_up: set[str] = set()

    def shapes(self, runs: Collection[Run]) -> Mapping[RunKey, DagShape | None]:
        return self._dags.shapes(runs)

    def fed(self, level: Sequence[Reached]) -> Found:
        found = Found()
        found.add(asset_links(self._session, level))
        found.add(trigger_links(self._session, level))
        found.add(marker_links(self._session, level))
        found.add(sensor_links(self._session, level, self._dags))
        found.add(feeds_links(self._session, level))
        found.unknown += self._removed({one.run.key.dag_id for one in level if one.shape})
        return found

    def _removed(self, dag_ids: set[str]) -> list[Unknown]:
        """Return the DAGs that Airflow still has stored, but that are in no file any more."""
        new = sorted(dag_ids - self._looked_up)
        self._looked_up |= dag_ids
        there: set[str] = set()
        for some in chunks(new):
            there |= set(
                self._session.execute(sa.select(DAG.c.dag_id).where(DAG.c.dag_id.in_(some), NOT_REMOVED)).scalars()
            )
        text = "DAG {} is in no file any more: it was renamed or deleted. What is fed under a new name is not known."
        return [Unknown("dag_gone", text.format(dag_id), (dag_id,)) for dag_id in new if dag_id not in there]


def blast_radius_of(
    session: Any, dag_id: str, since: float, until: float, task_ids: Sequence[str] = (), bounds: Bounds | None = None
) -> BlastRadius:
    """
    Return all that the runs of a DAG in a window fed, as far as Airflow recorded it; blocks.

    :param since: epoch seconds; runs whose logical date is from then on. Those without one count by when they were due.
    :param until: before this time.
    :param task_ids: the bad tasks; empty: all tasks.
    :raises BadQuestion: Airflow knows no such DAG.
    :raises UnreadableMetadata: Airflow's tables are not as this package knows them.
    """
    require_known_columns()
    limit_time(session)
    bounds = bounds or Bounds()
    start = runs_of_window(session, dag_id, since, until, bounds.runs + 1)
    if not start and not dag_exists(session, dag_id):
        raise BadQuestion("dag_id", dag_id, f"Airflow knows no DAG {dag_id}; it may have been renamed or deleted.")
    answer = blast_radius(start, MetadataLinks(session), task_ids, bounds)
    return _with_start(session, answer, dag_id, since)


def _with_start(session: Any, answer: BlastRadius, dag_id: str, since: float) -> BlastRadius:
    """Add what is not known of the runs that it began with."""
    unknown = purged(session, {dag_id: [since]})
    if not answer.start and not unknown:
        text = f"DAG {dag_id} has no run in this window: none was due, or they were deleted."
        unknown = [Unknown("no_run", text, (dag_id,))]
    known = [one for one in answer.unknown if one not in unknown]
    return BlastRadius(
        answer.start, answer.runs, answer.tasks, answer.edges, (*unknown, *known), answer.shapes, answer.hidden
    )
