"""Send all alerts of a miss, or what follows it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import Any

from airflow_agari_provider.airflow_compat import AirflowNotFoundException
from airflow_agari_provider.alerts.claims import ClaimTable
from airflow_agari_provider.alerts.delivery import LONGEST_PAUSE, Delivery
from airflow_agari_provider.alerts.digest import DigestedDelivery, window_of
from airflow_agari_provider.alerts.miss import SlaMiss
from airflow_agari_provider.alerts.silences import Quiet
from airflow_agari_provider.alerts.sla import Run, Watch
from airflow_agari_provider.notifications.sla_miss_notifier import count_alert
from airflow_agari_provider.slas.claiming import about, claims_of, key_of
from airflow_agari_provider.slas.silencing import quiet_now
from airflow_agari_provider.slas.sla_alert import import_needs, sender_of

logger = logging.getLogger(__name__)

GIVE_UP_AFTER = 3600.0  # seconds; an alert that comes later than this is useless
# Seconds for which an alert waits for the end of a silence: a triggerer holds a thousand of what waits in it. The sweep
# tells what is silenced for longer.
SILENT_WAIT = 3600.0
UNEXPECTED_PAUSE = 10.0  # seconds after an error that no service answered, such as a claims database that is down
# Seconds until a connection that is not found is taken for missing. Airflow also reports a connection as not found if
# it could not read it, because its database, its API server or a Vault is down.
MISSING_FOR = 300.0


@dataclass
class _OnItsWay:
    delivery: Delivery
    fallback: dict[str, Any] | None
    give_up: float
    missing_since: float | None  # its connection; before the first try, since when it may have been missing
    next_at: float = 0
    is_counted: bool = False

    def count(self) -> None:
        """Count it in the metrics once, when it is sent or given up."""
        if not self.is_counted:
            count_alert(self.delivery)
        self.is_counted = True


class Dispatch:
    """
    The alerts of one step of one miss. It decides when to try again; its caller sleeps.

    :param deliveries: each with the specification of its fallback.
    :param begun: when this or another process first tried to send them; seconds since the epoch.
    :param quiet: takes the time, and tells whether, and until when, nobody is to be told of a miss; blocks. ``None``
        for what always goes, such as recoveries.
    """

    def __init__(
        self,
        deliveries: Iterable[tuple[Delivery, dict[str, Any] | None]],
        begun: float,
        quiet: Callable[[float], Quiet | None] | None = None,
    ) -> None:
        self._quiet = quiet
        self._all = [_OnItsWay(delivery, fallback, begun + GIVE_UP_AFTER, begun) for delivery, fallback in deliveries]
        self._open = list(self._all)

    @property
    def outcomes(self) -> dict[str, str]:
        """How each alert ended, by destination; empty while it is on its way."""
        return {one.delivery.sender.destination: one.delivery.outcome for one in self._all}

    def remember(self, unrecorded: dict[str, str]) -> None:
        """Keep references to what was sent and is not in the claims yet, by key; forget those that are."""
        for delivery in (one.delivery for one in self._all):
            unrecorded.pop(delivery.key, None)
            if delivery.unrecorded is not None:
                unrecorded[delivery.key] = delivery.unrecorded

    def attempt(self, miss: SlaMiss | None, now: float) -> float | None:
        """
        Take each alert that is due one step further; blocks for one request for each.

        :param miss: the miss as it stands now; ``None`` if there is nothing to report any more.
        :return: seconds to wait, ``None`` when all alerts have ended.
        """
        due = [one for one in self._open if one.next_at <= now]
        called, clock = now, time.monotonic()
        quiet = self._quiet(now) if self._quiet and miss and due else None
        for one in due:  # and the fallbacks that are added to it meanwhile
            now = called + time.monotonic() - clock  # so that a slow service does not shorten the others' leases
            pause = self._attempt(one, miss, now, quiet)
            if one.delivery.outcome:  # it may still have to be recorded
                one.count()
            if pause is not None and now + pause < one.give_up:
                one.next_at = now + pause
                continue
            self._open.remove(one)
            one.count()
            is_unsent = not one.delivery.outcome
            if is_unsent:
                logger.error("Alert %s could not be sent for an hour, and is given up", one.delivery.key)
            if (is_unsent or one.delivery.refused) and one.fallback:
                delivery = one.delivery.instead(sender_of({"notifier": one.fallback}))
                instead = _OnItsWay(delivery, None, now + GIVE_UP_AFTER, now)
                self._all.append(instead)
                self._open.append(instead)
                due.append(instead)
        now = called + time.monotonic() - clock
        return max(0.0, min(one.next_at for one in self._open) - now) if self._open else None

    def run(self, miss: SlaMiss, seconds: float, sleep: Callable[[float], None] = time.sleep) -> bool:
        """Send the alerts, and retry for at most this many seconds. Return whether all have ended."""
        give_up = time.time() + seconds
        while (pause := self.attempt(miss, time.time())) is not None:
            if time.time() + pause > give_up:
                logger.error("Gave up alerts that were not sent within %.0f s. Outcomes: %s", seconds, self.outcomes)
                return False
            sleep(pause)
        return True

    @staticmethod
    def _attempt(one: _OnItsWay, miss: SlaMiss | None, now: float, quiet: Quiet | None) -> float | None:
        delivery, missing_since, one.missing_since = one.delivery, one.missing_since, None
        try:
            if quiet and delivery.unrecorded is None:
                one.give_up = quiet.until + GIVE_UP_AFTER
                return delivery.silence(quiet, now, leave=quiet.until - now > SILENT_WAIT)
            return delivery.attempt(miss, now)
        except AirflowNotFoundException as error:
            one.missing_since = now if missing_since is None else missing_since
            if now - one.missing_since >= MISSING_FOR:
                with suppress(AirflowNotFoundException):  # if it is the claims' connection that is missing
                    delivery.refuse(error)
                return None
            with suppress(Exception):  # the claims' database may be down itself; then the claim ends with its lease
                delivery.give_back()
            return _pause_after(delivery, error)
        except Exception as error:  # noqa: BLE001 - any driver's or secrets backend's; Airflow repeats no callback
            return _pause_after(delivery, error)


def _pause_after(delivery: Delivery, error: Exception) -> float:
    delivery.tries += 1
    logger.warning("Alert %s was not sent, and is tried again. %s: %s", delivery.key, type(error).__name__, error)
    return min(UNEXPECTED_PAUSE * delivery.tries, LONGEST_PAUSE)


def make_ready(watch: Watch) -> None:
    """Do in advance what delays a process's first alert by half a second: imports, a look at the claims; blocks."""
    _make_ready(watch.claims, tuple(sorted({alert["notifier"]["path"] for alert in watch.alerts})))


@cache
def _make_ready(claims: str, notifiers: tuple[str, ...]) -> None:
    try:
        for path in notifiers:
            import_needs(path)
        if table := claims_of(claims):
            table.sent("")
    except Exception as error:  # noqa: BLE001 - any driver's or secrets backend's, which the alert will meet again
        logger.debug("Not ready for alerts yet: %s: %s", type(error).__name__, error)


def dispatch_miss(
    watch: Watch, run: Run, due: datetime, begun: float, unrecorded: Mapping[str, str] | None = None
) -> Dispatch:
    """
    Return the alerts of a step of an SLA that a run has missed.

    :param due: when the SLA was over.
    :param begun: as in :class:`Dispatch`.
    :param unrecorded: what an earlier process sent without a claim: these alerts are only recorded.
    """
    claims = claims_of(watch.claims)
    deliveries = [(_delivery(watch, run, alert, claims, due, begun), alert["fallback"]) for alert in watch.alerts]
    for delivery, _ in deliveries:
        delivery.unrecorded = (unrecorded or {}).get(delivery.key)
    # Pages go first, so that they do not wait for a slow Slack
    in_order = sorted(deliveries, key=lambda one: not one[0].sender.safe_to_repeat)
    return Dispatch(in_order, begun, partial(quiet_now, watch, run, claims) if claims else None)


def _delivery(
    watch: Watch, run: Run, alert: dict[str, Any], claims: ClaimTable | None, due: datetime, begun: float
) -> Delivery:
    sender, key = sender_of(alert), key_of(watch, run, alert)
    if claims is None or not watch.digest or opens_incident(alert):  # and each incident has to be closed
        return Delivery(sender, key, claims, since=begun, about=about(watch, run, alert, due))
    together = f"digest|{watch.environment}|{run.dag_id}|{alert['after']:g}|{sender.destination}"
    window = window_of(together, due.timestamp() + alert["after"], watch.digest)
    return DigestedDelivery(sender, key, claims, window, since=begun, about=about(watch, run, alert, due))


def opens_incident(alert: dict[str, Any]) -> bool:
    return sender_of(alert).safe_to_repeat or bool(alert.get("recovery"))
