"""Whether the arguments of ``set_slas`` can be."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from datetime import time, timedelta
from typing import Any

from airflow_agari_provider.alerts.history import FromHistory
from airflow_agari_provider.alerts.silences import RUN
from airflow_agari_provider.alerts.variable_sla import FromVariable
from airflow_agari_provider.exceptions import require_one_of
from airflow_agari_provider.notifications.sla_miss_notifier import SCOPES
from airflow_agari_provider.slas.sla_alert import SlaAlert

LONGEST_DIGEST = timedelta(minutes=30)  # an alert that cannot be sent within an hour is given up
# Of an SLA, and of the time from it to an alert. Airflow adds them to a date, and dates end: a larger one would be an
# error of the scheduler, and not of the DAG file.
LONGEST = timedelta(days=366)
logger = logging.getLogger(__name__)

Sla = timedelta | time | FromHistory | FromVariable
DAG_RUN = RUN  # stands for the run, in place of a task's id


def check(
    dag: Any, slas: Mapping[str, Sla], claims: str | None, reference: str, incident: str, when_failed: str
) -> None:
    unknown = sorted(set(slas) - set(dag.task_ids) - {DAG_RUN})
    if unknown:
        raise ValueError(f"{dag.dag_id} has no task {', '.join(unknown)}; call set_slas after all tasks are defined.")
    _check_slas(dag, slas, claims)
    if claims is not None and not (isinstance(claims, str) and re.fullmatch(r"sql:\S+", claims)):
        raise ValueError(f"claims must be 'sql:<conn_id>' or None, not {claims!r}.")
    for name, value, choices in (
        ("reference", reference, ("queued_at", "logical_date")),
        ("incident", incident, SCOPES),
        ("when_failed", when_failed, ("page", "downgrade", "skip")),
    ):
        require_one_of(name, value, choices)


def check_alerts(dag: Any, alerts: Sequence[SlaAlert], places: Sequence[str], claims: str | None) -> None:
    """:param places: where each of the alerts goes."""
    if not claims and any(alert.after for alert in alerts):
        raise ValueError(f"{dag.dag_id}: an alert with after= needs claims=, which record what was sent.")
    if not alerts:
        raise ValueError(f"{dag.dag_id}: alerts is empty, so no alert would be sent. Give a notifier.")
    told: set[tuple[str, timedelta]] = set()
    for alert, destination in zip(alerts, places, strict=True):
        if not (isinstance(alert.after, timedelta) and timedelta(0) <= alert.after <= LONGEST):
            raise ValueError(
                f"{dag.dag_id}: after= of an alert must be a time after the SLA, as a timedelta of up to "
                f"{LONGEST.days} days, not {alert.after!r}."
            )
        if (destination, alert.after) in told:
            raise ValueError(
                f"{dag.dag_id}: two alerts go to {destination.strip()} at the same time, of which one would never be "
                "sent. Remove one, or give it another after=."
            )
        told.add((destination, alert.after))


def _check_slas(dag: Any, slas: Mapping[str, Sla], claims: str | None) -> None:
    for name, sla in slas.items():
        where = f"{dag.dag_id}: the SLA of {'the run' if name == DAG_RUN else name}"
        if not isinstance(sla, timedelta | time | FromHistory | FromVariable):
            raise TypeError(
                f"{where} must be a timedelta, a time of day, FromHistory() or FromVariable(), not {sla!r}: e.g. "
                "timedelta(minutes=30)."
            )
        if isinstance(sla, FromHistory | FromVariable) and not claims:
            origin = "history" if isinstance(sla, FromHistory) else "a Variable"
            raise ValueError(f"{where} is from {origin}. That needs claims=, which record who was told.")
        if isinstance(sla, timedelta) and not timedelta(0) < sla <= LONGEST:
            raise ValueError(f"{where} must be longer than zero, and at most {LONGEST.days} days, not {sla}.")


def check_incident(dag: Any, claims: str | None, incident: str) -> None:
    if not claims and incident != "task":
        raise ValueError(f"{dag.dag_id}: incident={incident!r} needs claims=, which record what is still late.")
    if not claims:
        logger.info("%s: set_slas has no claims=, so Slack may get an alert twice", dag.dag_id)


def check_digest(dag: Any, claims: str | None, digest: timedelta | None) -> None:
    if digest is None:
        return
    if not claims:
        raise ValueError(f"{dag.dag_id}: digest= needs claims=, which collect what is sent together.")
    if not (isinstance(digest, timedelta) and timedelta(0) < digest <= LONGEST_DIGEST):
        raise ValueError(f"{dag.dag_id}: digest must be above zero and at most {LONGEST_DIGEST}, not {digest!s}.")


def check_quiet(dag: Any, claims: str | None, quiet: Sequence[str]) -> None:
    if isinstance(quiet, str):
        raise TypeError(f"{dag.dag_id}: quiet must be a list, such as [{quiet!r}], not one string.")
    if quiet and not claims:
        raise ValueError(f"{dag.dag_id}: quiet= needs claims=, which record what has to be told later.")
