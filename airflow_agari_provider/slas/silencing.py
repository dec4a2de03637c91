"""Whether nobody is to be told of an SLA now: by a silence in the claims' database, or by its own quiet hours."""

from __future__ import annotations

import logging

from airflow_agari_provider.alerts.claims import ClaimTable
from airflow_agari_provider.alerts.quiet_hours import quiet_hours_around
from airflow_agari_provider.alerts.silence_table import SilenceTable
from airflow_agari_provider.alerts.silences import Quiet, quiet_spans, quiet_until
from airflow_agari_provider.alerts.sla import Run, Watch

logger = logging.getLogger(__name__)


def quiet_now(watch: Watch, run: Run, claims: ClaimTable, now: float) -> Quiet | None:
    """
    Return until when it is quiet; ``None`` if it is not, or if that cannot be read; blocks.

    :param now: seconds since the epoch.
    """
    spans = quiet_hours_around(watch.quiet, now)
    try:
        silences = SilenceTable(claims.database).not_over(now)
        spans += quiet_spans(silences, watch.environment, run.dag_id, watch.task_id)
    except Exception as error:  # noqa: BLE001 - of the database, or of a row that a person has changed
        logger.warning("Silences cannot be read, so alerts are sent. %s: %s", type(error).__name__, error)
    return quiet_until(spans, now)
