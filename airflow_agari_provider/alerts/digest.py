"""Many misses of one DAG within minutes: the first is sent at once, the rest later together, as one digest."""

from __future__ import annotations

from dataclasses import dataclass, replace

from airflow_agari_provider.alerts.alert_database import ClaimsUnavailable
from airflow_agari_provider.alerts.claim_rows import UNKNOWN, About
from airflow_agari_provider.alerts.claims import ClaimTable
from airflow_agari_provider.alerts.delivery import Delivery
from airflow_agari_provider.alerts.miss import SlaMiss
from airflow_agari_provider.alerts.sender import AlertSender


@dataclass(frozen=True)
class DigestWindow:
    """
    The misses of one DAG that are due within one span of time, for one destination.

    Windows follow one another without gaps since 1970, so that every process finds the same window for a miss.

    :param name: the same in every process; no other window has it.
    :param seconds: how long misses are collected, counted from when the first of them was found: the more tasks are
        late, the longer Airflow takes to find them, and after a time without a triggerer it finds them all at once.
    """

    name: str
    seconds: float


def window_of(alerts: str, due: float, seconds: float) -> DigestWindow:
    """
    Return the window of a miss.

    :param alerts: name of what is collected together.
    :param due: when the alert was due; seconds since the epoch.
    """
    return DigestWindow(f"{alerts}|{seconds:g}|{int(due // seconds)}", seconds)


class DigestSender:
    """Sends the digest of a window, in place of the miss whose delivery comes first to the window's end."""

    def __init__(self, sender: AlertSender, claims: ClaimTable, window: DigestWindow) -> None:
        self._sender, self._claims, self._window = sender, claims, window
        self.name, self.destination = sender.name, sender.destination
        self.safe_to_repeat, self.repeats_when_in_doubt = sender.safe_to_repeat, sender.repeats_when_in_doubt
        self.most_failures = sender.most_failures

    def send(self, miss: SlaMiss, key: str, in_doubt: bool) -> str:
        collected = tuple(self._claims.close_window(self._window.name))
        return self._sender.send(replace(miss, collected=collected), key, in_doubt)

    def find(self, key: str, since: float, follows: str = "") -> str | None:
        return self._sender.find(key, since, follows)

    def follow_up(self, miss: SlaMiss, key: str, reference: str) -> str:
        raise NotImplementedError("a digest is not followed up")


class DigestedDelivery(Delivery):
    """
    A delivery that waits for the digest of its window, unless its miss is the window's first.

    All deliveries whose miss was collected wait, so no extra process is needed for the digest. One of them sends it,
    under a claim like any alert. A miss that was collected too late for the digest is sent alone.
    """

    def __init__(
        self,
        sender: AlertSender,
        key: str,
        claims: ClaimTable,
        window: DigestWindow,
        since: float = 0,
        about: About = UNKNOWN,
    ) -> None:
        super().__init__(sender, key, claims, since=since, about=about)
        self._claim_table = claims
        self._window = window
        self._digest = Delivery(DigestSender(sender, claims, window), f"{window.name}|digest", claims)
        self._is_alone: bool | None = None
        self._collected_until = 0.0

    def attempt(self, miss: SlaMiss | None, now: float) -> float | None:
        if self.unrecorded is not None:
            return super().attempt(miss, now)
        try:
            return self._attempt(miss, now)
        except ClaimsUnavailable:
            if self._is_alone or self._digest.outcome or not self.may_go_unclaimed(now):
                raise
        self._is_alone = True  # better many messages than none
        return super().attempt(miss, now)

    def _attempt(self, miss: SlaMiss | None, now: float) -> float | None:
        if self._is_alone is None and miss is not None:
            first_at = self._claim_table.enter_window(self._window.name, self.key, miss.brief, now, self.about)
            self._is_alone = first_at is None
            if first_at is not None:
                self._collected_until = first_at + self._window.seconds
        if self._is_alone is None or self._is_alone:
            return super().attempt(miss, now)
        if now < self._collected_until:
            return self._collected_until - now
        if not self._digest.has_ended and (pause := self._digest.attempt(miss, now)) is not None:
            return pause
        self.refused = self._digest.refused
        if miss is None or self.refused or self._claim_table.was_collected(self._window.name, self.key):
            return self._ended(f"digest {self._digest.outcome}")
        self._is_alone = True
        return super().attempt(miss, now)

    def instead(self, sender: AlertSender) -> Delivery:
        """Also one digest of the window, unless the sender opens incidents: each of these is sent, and closed."""
        if self._is_alone is not False or sender.safe_to_repeat:
            return super().instead(sender)
        return self._digest.instead(DigestSender(sender, self._claim_table, self._window))

    def give_back(self) -> None:
        """Release the digest's claim as well."""
        self._digest.give_back()
        super().give_back()
