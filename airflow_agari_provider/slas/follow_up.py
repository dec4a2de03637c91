"""What follows a reported miss: that the late task has finished, or has failed for good."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from airflow_agari_provider.airflow_runs import link, run_as_it_is
from airflow_agari_provider.alerts.alert_database import ClaimsUnavailable
from airflow_agari_provider.alerts.claims import Claim, ClaimTable
from airflow_agari_provider.alerts.delivery import Delivery
from airflow_agari_provider.alerts.miss import SlaMiss
from airflow_agari_provider.alerts.open_claims import ClosedAs, OpenClaims, ids_of
from airflow_agari_provider.alerts.sender import AlertSender
from airflow_agari_provider.alerts.sla import Run, Watch, recovery_of
from airflow_agari_provider.alerts.sweeper import Runs
from airflow_agari_provider.slas.claiming import claims_of, key_of, mark_recovered, others_are_open
from airflow_agari_provider.slas.dispatch import Dispatch, opens_incident
from airflow_agari_provider.slas.sla_alert import follows_up, sender_of

logger = logging.getLogger(__name__)

RECOVERY_FOR = 120.0  # seconds for which a worker tries to send a recovery


@dataclass(frozen=True)
class _Told:
    """An alert that was told, or may have been."""

    alert: dict[str, Any]
    key: str
    sender: AlertSender
    claim: Claim


def tell_recovery(
    watch: Watch,
    run: Run,
    at: datetime,
    due: datetime | None = None,
    seconds: float = RECOVERY_FOR,
    runs: Runs | None = run_as_it_is,
    message: SlaMiss | None = None,
) -> bool:
    """
    Send the recovery of a miss to the destinations that got the miss, and to no others.

    Without claims it is not known who got the miss. Then only incidents are closed, which does no harm if none is open.
    An incident that several misses share is closed with the last of them.

    :param due: when the SLA was over, or the latest time at which it can have been; ``None`` if that is not known.
    :param seconds: no further try begins after this time; with 0 there is one try.
    :param runs: how to ask Airflow about other tasks that share the incident; ``None`` where it would not answer.
    :param message: the recovery itself; default: that it has finished now.
    :return: whether nothing is left to do.
    :raises ClaimsUnavailable: it cannot be known now who got the miss.
    """
    claims, now = claims_of(watch.claims), time.time()
    told = _told(watch, run, claims, now)
    for one in told.values():
        if one.claim.first_at:
            told_for = datetime.fromtimestamp(one.claim.first_at - one.alert["after"], UTC)
            due = min(due or told_for, told_for)
    stays_open: set[str] = set()
    if claims:
        mark_recovered(claims, watch, run, at.timestamp())  # first, so that of two that finish at once one closes
        closing = {place for place, one in told.items() if opens_incident(one.alert)}
        if closing and watch.incident != "task" and others_are_open(claims, watch, run, now, runs):
            logger.info("The incident of %s stays open, because other misses share it", run.run_id)
            stays_open = closing
    recovery = message or recovery_of(watch, run, due if due and due < at else None, at, link)
    told = {place: one for place, one in told.items() if place not in stays_open}
    has_ended, unsent = _send("recovery", told, claims, recovery, seconds)
    if claims:
        closed_as: ClosedAs = "deleted" if recovery.standing == "deleted" else "recovered"
        over = ids_of(key for alert, key in _alerts_and_fallbacks(watch, run) if _destination(alert) not in unsent)
        OpenClaims(claims.database).close(over, now, closed_as)
    return has_ended


def tell_failure(watch: Watch, run: Run, failure: SlaMiss, seconds: float) -> bool:
    """
    Send, to those who were told that a task or run is late, that it has failed for good since.

    :param failure: what is told.
    :return: whether nothing is left to do.
    :raises ClaimsUnavailable: it cannot be known now who got the miss.
    """
    claims = claims_of(watch.claims)
    told = _told(watch, run, claims, time.time(), also_without_recovery=True)
    has_ended, _ = _send("failed", told, claims, failure, seconds)
    return has_ended


def tell_recovery_or_close(
    watch: Watch, run: Run, at: datetime, due: datetime | None, seconds: float, runs: Runs | None = run_as_it_is
) -> None:
    """Like :func:`tell_recovery`; if the claims cannot be read now, only close the incident, unless others share it."""
    try:
        tell_recovery(watch, run, at, due, seconds, runs)
    except ClaimsUnavailable as error:
        late = watch.task_id or "the run"
        if watch.incident != "task":
            logger.error("Without claims, the incident that %s shares stays open. Close it. %s", late, error)
            return
        logger.error("Without claims, the recovery of %s only closes incidents. %s", late, error)
        tell_recovery(replace(watch, claims=""), run, at, due, seconds)


def _send(
    kind: str, told: dict[str, _Told], claims: ClaimTable | None, message: SlaMiss, seconds: float
) -> tuple[bool, set[str]]:
    """Send one message to each destination. Return whether all have ended, and where it was not sent."""
    deliveries = [
        # A miss that is being sent right now may arrive after its recovery, which then has to be sent again
        Delivery(one.sender, f"{kind}|{one.key}", claims if one.claim.state == "sent" else None, one.claim.reference)
        for one in sorted(told.values(), key=lambda one: not one.sender.safe_to_repeat)  # pages wait for no slow Slack
    ]
    dispatch = Dispatch([(delivery, None) for delivery in deliveries], time.time())
    has_ended = dispatch.run(message, seconds) if seconds else dispatch.attempt(message, time.time()) is None
    return has_ended, {place for place, outcome in dispatch.outcomes.items() if not outcome}


def _told(
    watch: Watch, run: Run, claims: ClaimTable | None, now: float, also_without_recovery: bool = False
) -> dict[str, _Told]:
    """Return who was told, by destination: of several steps the first that was told there."""
    told: dict[str, _Told] = {}
    for alert, key in _alerts_and_fallbacks(watch, run):
        sender: Any = sender_of(alert)
        if sender.destination in told or not (also_without_recovery or follows_up(alert)):
            continue
        claim = _sent(sender, key, claims, now)
        if claim is not None:
            told[sender.destination] = _Told(alert, key, sender, claim)
    return told


def _alerts_and_fallbacks(watch: Watch, run: Run) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield alerts in one order, whoever asks: the name of what follows comes from the first that was told."""
    for alert in sorted(watch.alerts, key=lambda alert: (alert["after"], _destination(alert))):
        key = key_of(watch, run, alert)
        yield alert, key
        if alert["fallback"]:
            yield {"notifier": alert["fallback"], "after": alert["after"]}, f"{key}|fallback"


def _destination(alert: dict[str, Any]) -> str:
    sender: Any = sender_of(alert)
    return str(sender.destination)


def _sent(sender: AlertSender, key: str, claims: ClaimTable | None, now: float) -> Claim | None:
    """What was sent; or may have been, if the recovery is safe to repeat. ``None`` if nothing was sent."""
    if claims is None:
        return Claim("sent") if sender.safe_to_repeat else None
    found = claims.perhaps_sent(key)
    if found and found.state == "doubtful":
        Delivery(sender, key, claims).attempt(None, now)  # finds out whether it was sent, and records that
        found = claims.perhaps_sent(key)
    return found if found and (found.state == "sent" or sender.safe_to_repeat) else None
