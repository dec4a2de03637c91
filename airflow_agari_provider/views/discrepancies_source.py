"""Where the page of discrepancies reads: the history of the checks, by the connection of a setting."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from functools import cache
from typing import Any, TypeVar

from airflow_agari_provider.airflow_compat import conf
from airflow_agari_provider.alerts.threads import Patience
from airflow_agari_provider.discrepancy.history_database import HistoryDatabase, HistoryUnavailable
from airflow_agari_provider.discrepancy.history_reading import RecordedRuns, read_checks, read_runs
from airflow_agari_provider.operators.discrepancy_sources import hook_of
from airflow_agari_provider.views.cache import Kept
from airflow_agari_provider.views.discrepancies_api import Checks, checks_answer, runs_answer
from airflow_agari_provider.views.discrepancies_question import ChecksQuestion
from airflow_agari_provider.views.not_shown import NotShown

logger = logging.getLogger(__name__)

ANSWERS_WITHIN = 8.0  # seconds for connecting and reading; the reader waits for them
SILENT_FOR = 10.0  # seconds for which a database that did not answer is not asked again
KEPT = 5.0  # seconds for which readers share what was read
MOST_KEPT = 8  # answers
AT_ONCE = 2  # threads; as many connections to the database of the history
NO_CONNECTION = (
    "This page does not know where the history of the checks is. Set discrepancy_conn_id in section [agari] of "
    "airflow.cfg (or AIRFLOW__AGARI__DISCREPANCY_CONN_ID) of the web server to the connection that the DAGs name: it "
    "is history_conn_id of DiscrepancyCheckOperator. Then restart the web server."
)
UNREADABLE = (
    "The history of the checks cannot be read now, by connection {conn_id}, which [agari] discrepancy_conn_id names. "
    "Checks and their alerts work without this page. The web server's log says what is wrong."
)
NO_TABLE = (
    "No check has stored a run in this database yet: the tables appear with the first one. If checks ran, they have no "
    "history_conn_id, or another one than [agari] discrepancy_conn_id."
)
NO_CHECK = "No such check is recorded for a DAG that you may read. Look for it among all checks."

Found = TypeVar("Found")


def database_of(conn_id: str) -> HistoryDatabase:
    """Return the database of the history. Its connection is read anew each time, so that a change of it is noticed."""
    hook = hook_of(conn_id)
    return HistoryDatabase(hook.get_conn, hook.placeholder, _patience(conn_id))


@cache
def _patience(conn_id: str) -> Patience:
    return Patience(ANSWERS_WITHIN, SILENT_FOR)


class CheckSource:
    """
    Answers about checks. The web server finds out which DAGs a reader may read.

    :param database: opens the database of the history by the id of a connection.
    """

    def __init__(
        self,
        *,
        database: Callable[[str], HistoryDatabase] = database_of,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database, self._clock = database, clock
        self._checks: Kept[tuple[Checks, float]] = Kept(KEPT, KEPT, MOST_KEPT, AT_ONCE, clock)
        self._runs: Kept[tuple[RecordedRuns | None, float]] = Kept(KEPT, KEPT, MOST_KEPT, AT_ONCE, clock)

    def checks(self, question: ChecksQuestion, permitted: Collection[str]) -> tuple[dict[str, Any], float]:
        """
        Return the answer about all checks, and the time of its data in seconds since the epoch.

        :param permitted: ids of the DAGs that the reader may read.
        :raises NotShown: no connection is set, or the database cannot be read.
        """
        conn_id = _conn_id()
        key = conn_id, question.days, question.until
        found, now = self._checks.get(key, lambda: self._read_checks(conn_id, question))
        return checks_answer(found, question, permitted, now), now

    def runs(self, question: ChecksQuestion, permitted: Collection[str]) -> tuple[dict[str, Any], float]:
        """
        Return the answer about one check, and the time of its data.

        :raises NotShown: also if there is no such check, or the reader may not read its DAG.
        """
        conn_id = _conn_id()
        (dag_id,) = question.dag_ids
        if dag_id not in permitted:
            raise NotShown(404, NO_CHECK)
        key = conn_id, dag_id, question.task
        found, now = self._runs.get(key, lambda: self._read_runs(conn_id, dag_id, question.task))
        if found is None or not found.runs:
            raise NotShown(404, NO_CHECK)
        return runs_answer(found, question, now), now

    def _read_checks(self, conn_id: str, question: ChecksQuestion) -> tuple[Checks, float]:
        now = self._clock()
        found = self._read(conn_id, lambda database: read_checks(database, *question.window(now)))
        return (Checks([], True, NO_TABLE) if found is None else Checks(*found)), now

    def _read_runs(self, conn_id: str, dag_id: str, task: str) -> tuple[RecordedRuns | None, float]:
        now = self._clock()
        return self._read(conn_id, lambda database: read_runs(database, dag_id, task)), now

    def _read(self, conn_id: str, work: Callable[[HistoryDatabase], Found]) -> Found:
        try:
            return work(self._database(conn_id))
        except Exception as error:  # any error of Airflow, of a hook, or of a driver
            problem = error.problem if isinstance(error, HistoryUnavailable) else f"{type(error).__name__}: {error}"
            logger.error("The history of the checks cannot be read by connection %s. %s", conn_id, problem)
            raise NotShown(503, UNREADABLE.format(conn_id=conn_id)) from error


def _conn_id() -> str:
    conn_id = str(conf.get("agari", "discrepancy_conn_id", fallback="")).strip()
    if not conn_id:
        raise NotShown(404, NO_CONNECTION)
    return conn_id
