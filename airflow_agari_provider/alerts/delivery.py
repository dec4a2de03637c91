"""
One alert on its way to one service: which process sends it, whether it arrived, when to try again.

It only decides; its caller sleeps.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from airflow_agari_provider.alerts.alert_database import ClaimsUnavailable
from airflow_agari_provider.alerts.claim_rows import UNKNOWN, About
from airflow_agari_provider.alerts.claims import Claim, ClaimTable
from airflow_agari_provider.alerts.miss import SlaMiss
from airflow_agari_provider.alerts.sender import (
    AlertInDoubt,
    AlertNotSent,
    AlertPostponed,
    AlertRefused,
    AlertSender,
    CannotLook,
)
from airflow_agari_provider.alerts.silences import Quiet

logger = logging.getLogger(__name__)

QUIET_PAUSE = 60.0  # seconds until it is looked again whether a silence has ended before its time
BUSY_PAUSE = 2.0  # seconds until another process's claim is looked at again
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0  # seconds between tries; each pause is twice the one before
LONGEST_RETRY_AFTER = 900.0  # seconds; even if a service asks for more, it is asked again before the alert is given up
# Seconds without claims after which an alert is sent anyway: soon if the service takes a repeat for the same alert;
# else after longer than a lease, and than most databases are down during a restart.
REPEATABLE_UNCLAIMED_AFTER = 30.0
UNCLAIMED_AFTER = 180.0
# Seconds until an owner is taken for dead whose alert the service itself takes once: longer than a request may take. So
# a recovery that a worker was killed over is sent with the next sweep.
REPEATABLE_LEASE = 30.0
RECORD_PAUSE = 30.0  # seconds until it is tried again to record what was sent without a claim


@dataclass
class Delivery:
    """
    One alert of one miss.

    :param claims: where those who could send it agree who does; ``None`` when they cannot.
    :param reference: of the alert that this one follows; ``None`` for a first alert.
    :param since: when it was to be sent; seconds since the epoch. After some minutes without claims it is sent anyway,
        unless a doubtful alert is better never sent than twice; with 0, never.
    :param tries: how many times the service has not accepted it.
    :param outcome: how it ended, as text; empty while it is on its way.
    :param about: what it is about, for its claim.
    :param unrecorded: reference to what was sent already and is not in the claims yet; they get it when they can.
    """

    sender: AlertSender
    key: str
    claims: ClaimTable | None = None
    reference: str | None = None
    since: float = 0
    tries: int = 0
    outcome: str = ""
    refused: bool = False
    about: About = UNKNOWN
    unrecorded: str | None = None
    _is_unclaimed: bool = False
    _is_silenced: bool = False
    _doubtful_since: float = 0
    _failures: int = 0
    _claim: Claim | None = None

    def attempt(self, miss: SlaMiss | None, now: float) -> float | None:
        """
        Take the alert one step further; blocks for at most one request.

        :param miss: the miss as it stands now; ``None`` if there is nothing to report any more.
        :param now: seconds since the epoch.
        :return: seconds to wait before the next step, ``None`` when the alert has ended.
        """
        if self.unrecorded is not None:
            return self._record(self.unrecorded, now)
        if miss is not None:
            self.about, self._is_silenced = replace(self.about, standing=miss.standing), False
        elif self._is_silenced:  # its row stays, for those who look what was silenced
            return self._ended("silenced, and nothing to tell any more")
        claim = self._claim = self._claimed(now)
        if claim.state == "sent":
            return self._ended("sent already")
        if claim.state == "refused":  # the process that tried has logged the error
            self.refused = True
            return self._ended("refused already")
        if claim.state == "busy":
            return BUSY_PAUSE
        return self._attempt_claimed(claim, miss, now)

    def _attempt_claimed(self, claim: Claim, miss: SlaMiss | None, now: float) -> float | None:
        there: bool | None = None if claim.state == "takeover" else False
        try:
            if there is None:
                there = self._is_there(claim)
            if there:
                return self._ended("found sent")
            if there is None and (miss is None or not self.sender.repeats_when_in_doubt):
                self._keep("")  # so that its recovery is sent
                return self._ended("may have been sent; not repeated")
            if miss is None:
                self._release()
                return self._ended("nothing to tell any more")
            self._send(miss, in_doubt=there is None or self._is_unclaimed)
        except AlertRefused as error:
            self.refuse(error)
            return None
        except AlertPostponed as error:
            until = now + self._asked_to_wait(error)
            self._doubt(claim, claim.failures, until) if there is None else self._release(until if until > now else 0)
            return self._try_again(error)
        except AlertInDoubt as error:
            if claim.failures + 1 >= self.sender.most_failures:
                self.refuse(error)
                return None
            self._doubt(claim, claim.failures + 1, now + self._asked_to_wait(error))
            return self._try_again(error)
        return self._ended("sent")

    def silence(self, quiet: Quiet, now: float, leave: bool) -> float | None:
        """
        Send nothing while it is quiet.

        :param leave: whether to end, and leave the alert to who looks later.
        :return: seconds until the next step; ``None`` if it has ended.
        """
        assert self.claims is not None
        self.since, self._is_silenced = now, True
        try:
            state = self.claims.silence(self.key, now, self.about, quiet.why, quiet.until)
        except ClaimsUnavailable as error:
            logger.warning("Alert %s is silenced, which is recorded later. %s", self.key, error)
            state = ""
        if state == "refused":
            self.refused = True
        if state in ("sent", "refused"):
            return self._ended(f"{state} already")
        if state == "silenced" and leave:
            return self._ended(f"silenced until {datetime.fromtimestamp(quiet.until, UTC):%Y-%m-%d %H:%M} UTC")
        return min(QUIET_PAUSE, quiet.until - now)

    def refuse(self, error: Exception) -> None:
        """End the alert, in this process and in all others: it cannot be sent."""
        self.refused = True
        logger.error("Alert %s was refused. %s", self.key, error)
        self._ended("refused")
        if self._table:
            self._table.mark_refused(self.key)

    def give_back(self) -> None:
        """Release the claim, after an attempt whose error means that it sent nothing."""
        if self._claim and self._claim.state == "takeover":  # an earlier attempt may have sent it
            self._doubt(self._claim, self._claim.failures, 0)
        else:
            self._release()

    def instead(self, sender: AlertSender) -> Delivery:
        """Return the alert that replaces this one if it cannot be sent."""
        about = replace(self.about, destination=sender.destination, service=sender.name)
        return Delivery(sender, f"{self.key}|fallback", self.claims, since=self.since, about=about)

    @property
    def has_ended(self) -> bool:
        """Whether nothing is left to do, not even to record that it was sent."""
        return bool(self.outcome) and self.unrecorded is None

    def may_go_unclaimed(self, now: float) -> bool:
        """Whether it has waited for the claims for so long that it is better sent twice than not at all."""
        patience = REPEATABLE_UNCLAIMED_AFTER if self.sender.safe_to_repeat else UNCLAIMED_AFTER
        return self.sender.repeats_when_in_doubt and bool(self.since) and now - self.since >= patience

    @property
    def _table(self) -> ClaimTable | None:
        return None if self._is_unclaimed else self.claims

    def _claimed(self, now: float) -> Claim:
        self._is_unclaimed = False
        if self.claims is None:
            return self._without_claims(now)
        try:
            lease = REPEATABLE_LEASE if self.sender.safe_to_repeat else None
            claim = self.claims.claim(self.key, now, self.about, lease)
        except ClaimsUnavailable as error:
            if not self.may_go_unclaimed(now):
                raise
            logger.error("Alert %s is sent without a claim, so other processes may send it too. %s", self.key, error)
            self._is_unclaimed = True
            return self._without_claims(now)
        # An earlier try without a claim may have sent it
        return self._without_claims(now) if claim.state == "mine" and self._doubtful_since else claim

    def _send(self, miss: SlaMiss, in_doubt: bool) -> None:
        if self.reference is None:
            self._keep(self.sender.send(miss, self.key, in_doubt))
        else:
            self._keep(self.sender.follow_up(miss, self.key, self.reference))

    def _is_there(self, claim: Claim) -> bool | None:
        """Whether a doubtful alert has arrived; ``None`` if that cannot be known."""
        try:
            reference = self.sender.find(self.key, claim.first_at, self.reference or "")
        except CannotLook as error:
            logger.info("It is unknown whether alert %s was sent: %s", self.key, error)
            return None
        if reference is not None:
            self._keep(reference)
        return reference is not None

    def _without_claims(self, now: float) -> Claim:
        if not self._doubtful_since:
            return Claim("mine", now)
        return Claim("takeover", self._doubtful_since, failures=self._failures)

    def _keep(self, reference: str) -> None:
        if self.claims is None:
            return
        if self._is_unclaimed:
            self.unrecorded = reference
            return
        try:
            self.claims.mark_sent(self.key, reference)
        except ClaimsUnavailable as error:
            logger.warning("Alert %s was sent, which is recorded later. %s", self.key, error)
            self.unrecorded = reference

    def _record(self, reference: str, now: float) -> float | None:
        """Record what was sent, so that others do not send it too, and its recovery is sent."""
        assert self.claims is not None
        try:
            self.claims.record_sent(self.key, now, self.about, reference)
        except ClaimsUnavailable as error:
            logger.info("It is not recorded yet that alert %s was sent. %s", self.key, error)
            return RECORD_PAUSE
        self.unrecorded = None
        self.outcome = self.outcome or "sent before"
        return None

    def _release(self, until: float = 0) -> None:
        self._doubtful_since = 0
        if self._table and until:
            self._table.postpone(self.key, until)
        elif self._table:
            self._table.release(self.key)

    def _doubt(self, claim: Claim, failures: int, until: float) -> None:
        self._doubtful_since, self._failures = claim.first_at, failures
        if self._table:
            self._table.mark_doubtful(self.key, failures, until)

    @staticmethod
    def _asked_to_wait(error: AlertNotSent) -> float:
        return min(error.retry_after, LONGEST_RETRY_AFTER)

    def _try_again(self, error: AlertNotSent) -> float:
        pause: float = max(min(FIRST_PAUSE * 2**self.tries, LONGEST_PAUSE), self._asked_to_wait(error))
        self.tries += 1
        logger.warning("Alert %s was not sent; the next try is in %.0f s. %s", self.key, pause, error)
        return pause

    def _ended(self, outcome: str) -> float | None:
        self.outcome = outcome
        logger.info("Alert %s to %s: %s", self.key, self.sender.name, outcome)
        return None if self.unrecorded is None else RECORD_PAUSE
