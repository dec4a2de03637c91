"""All alerts of a miss, or of its recovery, on their way."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from airflow_agari_provider.airflow_compat import AirflowNotFoundException, BaseHook
from airflow_agari_provider.alert_claims import Claim, ClaimTable
from airflow_agari_provider.notifications.sla_miss_notifier import count_alert
from airflow_agari_provider.notifications.told_by_context import link
from airflow_agari_provider.sla_miss.delivery import LONGEST_PAUSE, Delivery
from airflow_agari_provider.sla_miss.digest import DigestedDelivery, window_of
from airflow_agari_provider.sla_miss.miss import SlaMiss
from airflow_agari_provider.sla_miss.watch import Run, Watch, recovery_of
from airflow_agari_provider.slas.alerts import follows_up, import_needs, sender_of

logger = logging.getLogger(__name__)

GIVE_UP_AFTER = 3600.0  # seconds; an alert that is later than this helps nobody
UNEXPECTED_PAUSE = 10.0  # seconds after an error that is nobody's answer: a claim's database that is down
RECOVERY_FOR = 120.0  # seconds for which a worker tries to tell a recovery


@dataclass
class _OnItsWay:
    delivery: Delivery
    fallback: dict[str, Any] | None
    give_up: float
    next_at: float = 0


class Dispatch:
    """
    The alerts of one step of one miss; like each of them, it decides and does not sleep.

    :param deliveries: each with the specification of its fallback.
    :param now: seconds since the epoch.
    """

    def __init__(self, deliveries: Iterable[tuple[Delivery, dict[str, Any] | None]], now: float) -> None:
        self._all = [_OnItsWay(delivery, fallback, now + GIVE_UP_AFTER) for delivery, fallback in deliveries]
        self._open = list(self._all)

    @property
    def outcomes(self) -> dict[str, str]:
        """How each ended; empty while it is on its way."""
        return {one.delivery.sender.destination: one.delivery.outcome for one in self._all}

    def attempt(self, miss: SlaMiss | None, now: float) -> float | None:
        """
        Bring those that are due one step further; blocks for a request each.

        :param miss: as it stands; ``None`` when there is nothing to tell any more.
        :return: seconds to wait, ``None`` when all are over.
        """
        due = list(self._open)
        for one in due:  # and the fallbacks that come to it on the way
            if one.next_at > now:
                continue
            pause = self._attempt(one.delivery, miss, now)
            if pause is not None and now + pause < one.give_up:
                one.next_at = now + pause
                continue
            self._open.remove(one)
            count_alert(one.delivery)
            if pause is not None:
                logger.error("Alert %s could not be sent for an hour; given up", one.delivery.key)
            if (pause is not None or one.delivery.refused) and one.fallback:
                delivery = Delivery(
                    sender_of({"notifier": one.fallback}), f"{one.delivery.key}|fallback", one.delivery.claims
                )
                instead = _OnItsWay(delivery, None, now + GIVE_UP_AFTER)
                self._all.append(instead)
                self._open.append(instead)
                due.append(instead)
        return max(0.0, min(one.next_at for one in self._open) - now) if self._open else None

    def run(self, miss: SlaMiss, seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
        """Send them, trying again for no more than so many seconds."""
        give_up = time.time() + seconds
        while (pause := self.attempt(miss, time.time())) is not None:
            if time.time() + pause > give_up:
                logger.error("Alerts were not sent within %.0f s; given up: %s", seconds, self.outcomes)
                return
            sleep(pause)

    @staticmethod
    def _attempt(delivery: Delivery, miss: SlaMiss | None, now: float) -> float | None:
        try:
            return delivery.attempt(miss, now)
        except AirflowNotFoundException as error:
            with suppress(AirflowNotFoundException):  # where it is the claims' connection that is missing
                delivery.refuse(error)
            return None
        except Exception as error:  # noqa: BLE001 - any driver's or secrets backend's: Airflow never repeats a callback
            delivery.tries += 1
            logger.warning("Alert %s was not sent: %s: %s", delivery.key, type(error).__name__, error)
            return min(UNEXPECTED_PAUSE * delivery.tries, LONGEST_PAUSE)


def make_ready(watch: Watch) -> None:
    """Do what takes the first alert of a process's life half a second: imports, and a look at the claims; blocks."""
    _make_ready(watch.claims, tuple(sorted({alert["notifier"]["path"] for alert in watch.alerts})))


@cache
def _make_ready(claims: str, notifiers: tuple[str, ...]) -> None:
    try:
        for path in notifiers:
            import_needs(path)
        if table := _claims(claims):
            table.sent("")
    except Exception as error:  # noqa: BLE001 - any driver's or secrets backend's, which the alert will meet again
        logger.debug("Not ready for alerts yet: %s: %s", type(error).__name__, error)


def dispatch_miss(watch: Watch, run: Run, due: datetime, now: float) -> Dispatch:
    """
    The alerts of a step of an SLA that was missed in a run.

    :param due: when the SLA was over.
    """
    claims = _claims(watch.claims)
    deliveries = [(_delivery(watch, run, alert, claims, due), alert["fallback"]) for alert in watch.alerts]
    # Who is paged does not wait for a Slack that keeps its caller waiting
    return Dispatch(sorted(deliveries, key=lambda one: not one[0].sender.safe_to_repeat), now)


def _delivery(watch: Watch, run: Run, alert: dict[str, Any], claims: ClaimTable | None, due: datetime) -> Delivery:
    sender, key = sender_of(alert), _key(watch, run, alert)
    opens_incident = sender.safe_to_repeat or alert["recovery"]  # each of which somebody has to close
    if claims is None or not watch.digest or opens_incident:
        return Delivery(sender, key, claims)
    together = f"digest|{watch.environment}|{run.dag_id}|{alert['after']:g}|{sender.destination}"
    return DigestedDelivery(sender, key, claims, window_of(together, due.timestamp() + alert["after"], watch.digest))


def tell_recovery(watch: Watch, run: Run, at: datetime) -> None:
    """
    Tell those who were told of a miss that it has come in, and nobody else; blocks for up to two minutes.

    Without claims nobody knows who was told, and only incidents are closed, which does no harm where there is none.
    """
    claims = _claims(watch.claims)
    told: dict[str, Delivery] = {}
    due: datetime | None = None
    for alert in watch.alerts:
        sender: Any = sender_of(alert)
        if not follows_up(alert) or sender.destination in told:
            continue
        key = _key(watch, run, alert)
        sent = claims.sent(key) if claims else Claim("sent") if sender.safe_to_repeat else None
        if sent:
            told[sender.destination] = Delivery(sender, f"recovery|{key}", claims, sent.reference)
        if sent and sent.first_at:
            due = due or datetime.fromtimestamp(sent.first_at - alert["after"], UTC)
    dispatch = Dispatch([(delivery, None) for delivery in told.values()], at.timestamp())
    dispatch.run(recovery_of(watch, run, due, at, link), RECOVERY_FOR)


def _claims(claims: str) -> ClaimTable | None:
    if not claims:
        return None
    conn_id = claims.partition(":")[2]
    hooks: list[Any] = []

    def connect() -> Any:
        if not hooks:
            hooks.append(BaseHook.get_connection(conn_id).get_hook())
        return hooks[0].get_conn()

    return ClaimTable(connect)


def _key(watch: Watch, run: Run, alert: dict[str, Any]) -> str:
    """Names an alert: whoever would send the same one comes to the same name."""
    sender: Any = sender_of(alert)
    parts = [watch.environment, run.dag_id, run.run_id, watch.task_id or "", f"{alert['after']:g}", sender.destination]
    return "|".join(parts)
