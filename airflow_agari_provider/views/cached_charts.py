"""The charts' answers, shared by many readers. The web server checks before or after this who may see which part."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from airflow_agari_provider.views import active_api, charts_api, http_answers, indexes_api
from airflow_agari_provider.views.cache import Kept
from airflow_agari_provider.views.parameters import DaysQuestion, IndexesQuestion, OverviewQuestion, TriesQuestion
from airflow_agari_provider.views.queries import overview
from airflow_agari_provider.views.queries.tables import limit_time

Found = TypeVar("Found")
# So fifty people who watch the same charts cost the database as much as one person.
TRIES_KEPT = 5.0  # seconds; short, because a person who clears a task wants to see the effect
ACTIVE_KEPT = 10.0  # seconds
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
        self._active: Kept[tuple[active_api.UnderWay, float]] = Kept(ACTIVE_KEPT, ACTIVE_KEPT, 1, 1, clock)
        self._overviews: Kept[tuple[dict[str, Any], float]] = Kept(
            OVERVIEW_FRESH, OVERVIEW_STALE, MOST_OVERVIEWS, 2, clock
        )

        self._beside = ThreadPoolExecutor(2, thread_name_prefix="agari-failures")

    def dag_tries(self, dag_id: str, question: TriesQuestion) -> tuple[bytes, float]:
        """Return the tries of a DAG as JSON. The caller has checked that the reader may read the DAG."""
        return self._of_dag(charts_api.dag_tries, dag_id, question)

    def dag_days(self, dag_id: str, question: DaysQuestion) -> tuple[bytes, float]:
        """Return the days of a DAG as JSON. The caller has checked that the reader may read the DAG."""
        return self._of_dag(charts_api.dag_days, dag_id, question)

    def task_indexes(self, dag_id: str, question: IndexesQuestion) -> tuple[bytes, float]:
        """Return the indexes of a mapped task as JSON. The caller has checked that the reader may read the DAG."""
        return self._of_dag(indexes_api.task_indexes, dag_id, question)

    def all_dags(self, question: OverviewQuestion, permitted: Collection[str]) -> tuple[dict[str, Any], float]:
        found, now = self._overviews.get(question, lambda: self._both_halves(question))
        found = charts_api.permitted_part(found, permitted)
        with self._sessions() as session:
            limit_time(session)
            return {**found, "first_run": overview.first_run(session, found["dags"]["dag_id"])}, now

    def under_way(self, question: None, permitted: Collection[str]) -> tuple[dict[str, Any], float]:
        """Return what is under way now, in the DAGs that the reader may read."""

        def work() -> tuple[active_api.UnderWay, float]:
            return self._ask(active_api.under_way)

        found, now = self._active.get("active", work)
        return active_api.permitted_part(found, permitted, now), now

    def all_task_time(self, question: OverviewQuestion, permitted: Collection[str]) -> tuple[dict[str, Any], float]:
        return self._overview(charts_api.all_task_time, question, permitted)

    def _of_dag(self, answer: Callable[..., dict[str, Any]], dag_id: str, question: Any) -> tuple[bytes, float]:
        def work() -> tuple[bytes, float]:
            found, now = self._ask(answer, dag_id, question)
            return http_answers.encoded(found), now

        return self._tries.get((dag_id, question), work)

    def _overview(
        self, figures: Callable[..., dict[str, Any]], question: OverviewQuestion, permitted: Collection[str]
    ) -> tuple[dict[str, Any], float]:
        found, now = self._overviews.get((figures, question), lambda: self._ask(figures, question))
        return charts_api.permitted_part(found, permitted), now

    def _both_halves(self, question: OverviewQuestion) -> tuple[dict[str, Any], float]:
        """Count both halves of the overview at the same time: the first reader waits for the longer one alone."""
        now = self._clock()
        since = charts_api.since_of(question, now)
        failures = self._beside.submit(self._in_session, overview.failures_of_all, since, now)
        runs = self._in_session(overview.runs_of_all, since)
        return {"days": question.days, **overview.of_halves(runs, failures.result(), since)}, now

    def _ask(self, figures: Callable[..., Found], *question: Any) -> tuple[Found, float]:
        now = self._clock()
        return self._in_session(figures, *question, now), now

    def _in_session(self, figures: Callable[..., Found], *question: Any) -> Found:
        with self._sessions() as session:
            limit_time(session)
            return figures(session, *question)
