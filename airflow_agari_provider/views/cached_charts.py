"""The charts' answers, shared by many readers. The web server checks before or after this who may see which part."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Any

from airflow_agari_provider.views import charts_api, http_answers
from airflow_agari_provider.views.cache import Kept
from airflow_agari_provider.views.parameters import OverviewQuestion, TriesQuestion
from airflow_agari_provider.views.queries import overview
from airflow_agari_provider.views.queries.tables import limit_time

# So fifty people who watch the same charts cost the database as much as one person.
TRIES_KEPT = 5.0  # seconds; short, because a person who clears a task wants to see the effect
OVERVIEW_FRESH, OVERVIEW_STALE = 15.0, 60.0  # seconds; the page asks every 30 seconds, so it never waits
MOST_TRIES, MOST_OVERVIEWS = 16, 8  # answers of about a megabyte each
MOST_BYTES = 64 << 20  # of all kept tries; the answers for very large DAGs have fifteen megabytes
AT_ONCE = 8  # threads; as many connections to the database


class SharedCharts:
    """
    Answers, each with the time of its data in epoch seconds.

    :param sessions: makes a session of the metadata database.
    """

    def __init__(
        self,
        sessions: Callable[[], AbstractContextManager[Any]],
        *,
        tries_kept: float = TRIES_KEPT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sessions, self._clock = sessions, clock
        self._tries: Kept[tuple[bytes, float]] = Kept(
            tries_kept,
            tries_kept,
            MOST_TRIES,
            AT_ONCE,
            clock,
            size=lambda found: len(found[0]),
            most_size=MOST_BYTES,
        )
        self._overviews: Kept[tuple[dict[str, Any], float]] = Kept(
            OVERVIEW_FRESH, OVERVIEW_STALE, MOST_OVERVIEWS, 2, clock
        )

    def dag_tries(self, dag_id: str, question: TriesQuestion) -> tuple[bytes, float]:
        """Return the tries of a DAG as JSON. The caller has checked that the reader may read the DAG."""

        def work() -> tuple[bytes, float]:
            found, now = self._ask(charts_api.dag_tries, dag_id, question)
            return http_answers.encoded(found), now

        return self._tries.get((dag_id, question), work)

    def all_dags(self, question: OverviewQuestion, permitted: Collection[str]) -> tuple[dict[str, Any], float]:
        found, now = self._overview(charts_api.all_dags, question, permitted)
        with self._sessions() as session:
            limit_time(session)
            return {**found, "first_run": overview.first_run(session, found["dags"]["dag_id"])}, now

    def all_task_time(self, question: OverviewQuestion, permitted: Collection[str]) -> tuple[dict[str, Any], float]:
        return self._overview(charts_api.all_task_time, question, permitted)

    def _overview(
        self, figures: Callable[..., dict[str, Any]], question: OverviewQuestion, permitted: Collection[str]
    ) -> tuple[dict[str, Any], float]:
        found, now = self._overviews.get((figures, question), lambda: self._ask(figures, question))
        return charts_api.permitted_part(found, permitted), now

    def _ask(self, figures: Callable[..., dict[str, Any]], *question: Any) -> tuple[dict[str, Any], float]:
        now = self._clock()
        with self._sessions() as session:
            limit_time(session)
            return figures(session, *question, now), now
