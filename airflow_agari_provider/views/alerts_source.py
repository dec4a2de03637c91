"""Where the alerts' page reads: the claims, by the connection of a setting; and Airflow's own tables."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, TypeVar

from airflow_agari_provider.airflow_compat import conf
from airflow_agari_provider.alerts.alert_database import AlertDatabase, ClaimsUnavailable
from airflow_agari_provider.alerts.alert_reading import (
    MOST_NAMED,
    AlertRecord,
    Listing,
    Window,
    read_alerts,
    read_closed,
)
from airflow_agari_provider.alerts.miss_figures import DAY
from airflow_agari_provider.alerts.threads import Patience
from airflow_agari_provider.slas.claiming import claims_of
from airflow_agari_provider.views.alerts_api import Records, alerts
from airflow_agari_provider.views.alerts_question import MOST_LISTED, AlertsQuestion
from airflow_agari_provider.views.cache import Kept
from airflow_agari_provider.views.not_shown import NotShown
from airflow_agari_provider.views.queries.tables import limit_time

logger = logging.getLogger(__name__)

ANSWERS_WITHIN = 8.0  # seconds for connecting and reading; the reader waits for them
SILENT_FOR = 10.0  # seconds for which a database that did not answer is not asked again
KEPT = 5.0  # seconds for which readers share what was read
MOST_KEPT = 8  # windows
AT_ONCE = 2  # threads; as many connections to the database of the claims
OPEN_FOR = 90 * DAY  # a miss that has been open for longer is not shown as open
NO_CONNECTION = (
    "This page does not know where the alerts are recorded. Set alerts_conn_id in section [agari] of airflow.cfg (or "
    "AIRFLOW__AGARI__ALERTS_CONN_ID) of the web server to the connection that the DAGs name: it is <conn_id> of "
    'set_slas(claims="sql:<conn_id>"). Then restart the web server.'
)
UNREADABLE = (
    "The database of the alerts cannot be read now, by connection {conn_id}, which [agari] alerts_conn_id names. "
    "Alerts are sent without this page. The web server's log says what is wrong."
)
NO_TABLE = (
    "No alert was ever recorded in this database: the table appears with the first one. If alerts were sent, their "
    'DAGs have no claims="sql:<conn_id>" in set_slas(), or one of another connection than [agari] alerts_conn_id.'
)

Result = TypeVar("Result")


def database_of(conn_id: str) -> AlertDatabase:
    """Return the database of the claims. Its connection is read anew each time, so that a change of it is noticed."""
    claims = claims_of(f"sql:{conn_id}", _patience(conn_id))
    assert claims is not None
    return claims.database


@cache
def _patience(conn_id: str) -> Patience:
    return Patience(ANSWERS_WITHIN, SILENT_FOR)


class AlertsNotShown(NotShown):
    """
    The alerts, or silences, cannot be shown or changed.

    :param status: HTTP status: 404 if the setting is missing, 403 if the reader may not, 503 if a later request may
        succeed.
    :param problem: what is wrong and what to do, in whole sentences.
    """


class AlertSource:
    """
    Answers about alerts. The web server checks who may see alerts of which DAGs.

    :param sessions: makes a session of the metadata database.
    :param database: opens the database of the claims by the id of a connection.
    """

    def __init__(
        self,
        sessions: Callable[[], AbstractContextManager[Any]],
        *,
        database: Callable[[str], AlertDatabase] = database_of,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sessions, self._database, self._clock = sessions, database, clock
        self._records: Kept[tuple[AlertRecord | None, float]] = Kept(KEPT, KEPT, MOST_KEPT, AT_ONCE, clock)
        self._listings: Kept[Listing] = Kept(
            KEPT, KEPT, MOST_KEPT, AT_ONCE, clock, size=lambda listing: len(listing.misses), most_size=MOST_LISTED
        )

    def alerts(self, question: AlertsQuestion, permitted: Collection[str]) -> tuple[dict[str, Any], float]:
        """
        Return the answer, and the time of its data in seconds since the epoch.

        :param permitted: ids of the DAGs that the reader may read.
        :raises AlertsNotShown: no connection is set, or the database cannot be read.
        """
        conn_id = named_connection()
        asked = conn_id, question.days, question.month
        record, now = self._records.get(asked, lambda: self._read(conn_id, question, self._clock()))
        if record is None:
            records = Records([], [], [], True, NO_TABLE)
        else:
            listed = self._listed(conn_id, record, question, permitted, now)
            records = Records(record.closed, record.open, listed.misses, record.complete)
        environment = conf.get("agari", "environment", fallback="")
        with self._sessions() as session:
            limit_time(session)
            return alerts(session, records, question, permitted, environment, now), now

    def _read(self, conn_id: str, question: AlertsQuestion, now: float) -> tuple[AlertRecord | None, float]:
        return self._tried(conn_id, lambda database: read_alerts(database, _window(question, now))), now

    def _listed(
        self, conn_id: str, record: AlertRecord, question: AlertsQuestion, permitted: Collection[str], now: float
    ) -> Listing:
        """Return closed misses for the list: those that every reader shares if they are enough, else more of them."""
        dag_ids = {some.dag_id for some in record.closed if some.dag_id in permitted}
        dag_ids &= set(question.dag_ids or dag_ids)
        there = sum(len(some.due) for some in record.closed if some.dag_id in dag_ids)
        wanted = min(there, question.limit - sum(miss.dag_id in dag_ids for miss in record.open))
        if record.newest.complete or len(record.newest.of(dag_ids)) >= wanted:
            return record.newest
        # A statement with the names of very many DAGs would be slower than reading the rows of all
        named = tuple(sorted(dag_ids)) if len(dag_ids) <= MOST_NAMED else ()
        window = _window(question, now)
        asked = conn_id, window, named, wanted
        return self._listings.get(
            asked, lambda: self._tried(conn_id, lambda database: read_closed(database, window, named, wanted))
        )

    def _tried(self, conn_id: str, read: Callable[[AlertDatabase], Result]) -> Result:
        try:
            return read(self._database(conn_id))
        except ClaimsUnavailable as error:
            logger.error("The alerts cannot be shown. %s", error)
            raise AlertsNotShown(503, UNREADABLE.format(conn_id=conn_id)) from error


def _window(question: AlertsQuestion, now: float) -> Window:
    return Window(*question.window(now), now - OPEN_FOR)


def named_connection() -> str:
    """Return the connection of the setting. :raises AlertsNotShown: there is none."""
    conn_id = str(conf.get("agari", "alerts_conn_id", fallback="")).strip()
    if not conn_id:
        raise AlertsNotShown(404, NO_CONNECTION)
    return conn_id
