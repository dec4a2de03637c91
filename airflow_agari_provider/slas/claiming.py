"""The claims of SLAs: their table, the keys of alerts, and what the rows tell about a run."""

from __future__ import annotations

import logging
from typing import Any

from airflow_agari_provider.airflow_compat import BaseHook
from airflow_agari_provider.alerts.claims import About, ClaimsUnavailable, ClaimTable
from airflow_agari_provider.alerts.sla import Run, Watch
from airflow_agari_provider.slas.sla_alert import sender_of

logger = logging.getLogger(__name__)


def claims_of(claims: str) -> ClaimTable | None:
    """Return the table of claims. :param claims: ``sql:<conn_id>``; empty for none."""
    if not claims:
        return None
    conn_id = claims.partition(":")[2]
    hooks: list[Any] = []

    def connect() -> Any:
        if not hooks:
            hooks.append(BaseHook.get_connection(conn_id).get_hook())
        return hooks[0].get_conn()

    return ClaimTable(connect)


def key_of(watch: Watch, run: Run, alert: dict[str, Any]) -> str:
    """Return the name of an alert. Each process that would send the same alert gets the same name."""
    sender: Any = sender_of(alert)
    parts = [_run_name(watch, run), watch.task_id or "", watch.text, f"{alert['after']:g}", sender.destination]
    return "|".join(parts)


def about(watch: Watch, run: Run, alert: dict[str, Any]) -> About:
    """Return what the row of an alert tells about it."""
    sender: Any = sender_of(alert)
    return About(run=_run_name(watch, run), task=watch.task_id or "", destination=sender.destination)


def reported_tasks(watch: Watch, run: Run) -> set[str | None]:
    """
    Return the tasks of a run that were reported wherever this SLA reports, and have not recovered; blocks.

    ``None`` stands for the run. What is not known, as without claims, counts as not reported.
    """
    claims = claims_of(watch.claims)
    if claims is None:
        return set()
    try:
        found = claims.reported(_run_name(watch, run))
    except ClaimsUnavailable as error:
        logger.warning("It is unknown what was reported of %s, so one failure may be told twice. %s", run.run_id, error)
        return set()
    places = {about(watch, run, alert).destination for alert in watch.alerts}
    return {task or None for task, _ in found if all((task, place) in found for place in places)}


def mark_recovered(claims: ClaimTable, watch: Watch, run: Run, now: float) -> None:
    """Record that the task, or the run, has finished. :raises ClaimsUnavailable: that cannot be recorded now."""
    claims.mark_recovered(_run_name(watch, run), watch.task_id or "", now)


def _run_name(watch: Watch, run: Run) -> str:
    return "|".join([watch.environment, run.dag_id, run.run_id])
