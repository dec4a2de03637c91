"""The claims of SLAs: their table, the keys of alerts, and what the rows tell about a run."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from airflow_agari_provider.airflow_compat import BaseHook
from airflow_agari_provider.alerts.alert_database import ANSWERS_WITHIN, SILENT_FOR, ClaimsUnavailable
from airflow_agari_provider.alerts.claim_rows import About
from airflow_agari_provider.alerts.claims import ClaimTable
from airflow_agari_provider.alerts.miss import incident_id
from airflow_agari_provider.alerts.sla import Run, Watch
from airflow_agari_provider.alerts.sla_payload import row_payload, unpacked
from airflow_agari_provider.alerts.sweeper import Runs
from airflow_agari_provider.alerts.task_states import is_late
from airflow_agari_provider.alerts.threads import Patience
from airflow_agari_provider.slas.sla_alert import sender_of

# So that a thread that nobody waits for any more ends, even if the server went away without a word. Seconds, and
# milliseconds in the last; libpq, "Parameter Key Words". A driver of MySQL has no such options that its hook takes.
POSTGRES_LIMITS = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
OPEN_FOR = 7 * 86400.0  # seconds for which a miss keeps a shared incident open: its run may be deleted

logger = logging.getLogger(__name__)


def claims_of(claims: str, patience: Patience | None = None) -> ClaimTable | None:
    """
    Return the table of claims.

    :param claims: ``sql:<conn_id>``; empty for none.
    :param patience: default: that of all alerts of the process.
    """
    if not claims:
        return None
    conn_id = claims.partition(":")[2]
    hooks: list[Any] = []

    def prepare() -> None:
        """Make the hook: Airflow answers only some threads."""
        if hooks:
            return
        connection = BaseHook.get_connection(conn_id)
        if connection.conn_type == "postgres":
            connection.extra = json.dumps(POSTGRES_LIMITS | connection.extra_dejson)
        hook = connection.get_hook()
        hook.get_connection = lambda *_, **__: connection  # it would ask Airflow again
        hooks.append(hook)

    return ClaimTable(lambda: hooks[0].get_conn(), prepare=prepare, patience=patience or _patience(conn_id))


@cache
def _patience(conn_id: str) -> Patience:
    return Patience(ANSWERS_WITHIN, SILENT_FOR)


def key_of(watch: Watch, run: Run, alert: dict[str, Any]) -> str:
    """Return the name of an alert. Each process that would send the same alert gets the same name."""
    sender: Any = sender_of(alert)
    parts = [_run_name(watch, run), watch.task_id or "", watch.identity, f"{alert['after']:g}", sender.destination]
    return "|".join(parts)


def about(watch: Watch, run: Run, alert: dict[str, Any], due: datetime) -> About:
    """Return what the row of an alert tells about it. :param due: when the SLA was over."""
    sender: Any = sender_of(alert)
    return About(
        run=_run_name(watch, run),
        task=watch.task_id or "",
        destination=sender.destination,
        incident=incident_id(watch.environment, run.dag_id, run.run_id, watch.task_id, watch.incident),
        due_at=due.timestamp(),
        payload=row_payload(watch, run, alert),
        environment=watch.environment,
        dag_id=run.dag_id,
        run_id=run.run_id,
        task_owner=watch.owner,
        service=sender.name,
        sla=watch.text,
        step=alert["after"],
    )


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
    places = {sender_of(alert).destination for alert in watch.alerts}
    return {task or None for task, _ in found if all((task, place) in found for place in places)}


def others_are_open(claims: ClaimTable, watch: Watch, run: Run, now: float, runs: Runs | None) -> bool:
    """
    Whether another task, or run, that shares the incident was reported and is still late; blocks.

    A task that was marked as a success by hand calls nobody. So Airflow is asked about each; one of which it cannot
    tell counts as late.

    :param runs: how to ask Airflow; ``None`` where it would not answer.
    """
    incident = incident_id(watch.environment, run.dag_id, run.run_id, watch.task_id, watch.incident)
    others = claims.open_misses(incident, now - OPEN_FOR)
    if runs is None:
        return any(name != _run_name(watch, run) for name, _ in others)  # the run is a success, and so is all in it
    return any(_is_open(watch, run, name, task, runs) for name, task in sorted(others))


def _is_open(watch: Watch, run: Run, name: str, task: str, runs: Runs) -> bool:
    run_id = name.removeprefix(_run_name(watch, replace(run, run_id="")))
    try:
        found = runs(run.dag_id, run_id, [*watch.mapped, task], watch.lookalikes)  # it may be mapped too
    except Exception as error:  # noqa: BLE001 - of a supervisor, an API server or a database
        kind = type(error).__name__
        logger.warning("It is unknown whether %s of %s is still late. %s: %s", task, run_id, kind, error)
        return True
    if found is None:
        return False
    _, tasks = unpacked(watch, found.tasks)
    return is_late(tasks, found.state, task or None)


def mark_recovered(claims: ClaimTable, watch: Watch, run: Run, now: float) -> None:
    """Record that the task, or the run, has finished. :raises ClaimsUnavailable: that cannot be recorded now."""
    claims.mark_recovered(_run_name(watch, run), watch.task_id or "", now)


def _run_name(watch: Watch, run: Run) -> str:
    return "|".join([watch.environment, run.dag_id, run.run_id])
