"""
One alert on its way to one service: which process sends it, whether it arrived, when to try again.

It only decides; its caller sleeps.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Protocol

from airflow_agari_provider.alerts.claims import UNKNOWN, About, Claim, ClaimsUnavailable, ClaimTable
from airflow_agari_provider.alerts.miss import SlaMiss
from airflow_agari_provider.exceptions import AgariError

logger = logging.getLogger(__name__)

BUSY_PAUSE = 2.0  # seconds until another process's claim is looked at again
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0  # seconds between tries; each pause is twice the one before
LONGEST_RETRY_AFTER = 900.0  # seconds; even if a service asks for more, it is asked again before the alert is given up
# Seconds without claims after which an alert that is safe to repeat is sent anyway; longer than a lease, and than most
# databases are down during a restart.
UNCLAIMED_AFTER = 180.0


class AlertNotSent(AgariError):
    """
    An alert that a service did not accept.

    :param service: name of the service, such as ``Slack``.
    :param problem: what happened, as a clause without secrets.
    :param retry_after: seconds that the service asks to wait.
    """

    def __init__(self, service: str, problem: str, retry_after: float = 0) -> None:
        super().__init__(service, problem, retry_after)
        self.service, self.problem, self.retry_after = service, problem, retry_after

    def __str__(self) -> str:
        return f"{self.service}: {self.problem}"


class AlertRefused(AlertNotSent):
    """The service will not accept it, even if it is sent again."""


class AlertPostponed(AlertNotSent):
    """It was not accepted, and may be sent again."""


class AlertInDoubt(AlertNotSent):
    """It may have been accepted: if it is sent again, it may arrive twice."""


class CannotLook(AgariError):
    """The service does not show what it has accepted, so it cannot be known whether an alert has arrived."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class AlertSender(Protocol):
    """
    What delivers alerts to one service.

    :param name: name of the service, for logs.
    :param destination: name of the place that alerts go to; two places have two names.
    :param safe_to_repeat: whether the service itself takes a repeated alert for the same alert.
    :param repeats_when_in_doubt: whether to send again if it is unknown whether an alert arrived: better twice than
        never.
    :param most_failures: give the alert up after this many tries of which it is unknown whether they sent something.
    """

    name: str
    safe_to_repeat: bool
    repeats_when_in_doubt: bool
    most_failures: float

    @property
    def destination(self) -> str: ...

    def send(self, miss: SlaMiss, key: str, in_doubt: bool) -> str:
        """
        Send once. Return a reference to what was sent, for a follow-up.

        :raises AlertNotSent: one of its three kinds.
        """

    def find(self, key: str, since: float, follows: str = "") -> str | None:
        """
        Return the reference of an alert that was sent with this key; ``None`` if it certainly was not sent.

        :param since: time before which it cannot have been sent.
        :param follows: reference of the alert that it follows, if that is known.
        :raises CannotLook: there is no way to know.
        :raises AlertPostponed: the service cannot answer now.
        """

    def follow_up(self, miss: SlaMiss, key: str, reference: str) -> str:
        """
        Report that the late task or run has finished. Return a reference to this message.

        :param reference: reference that :meth:`send` returned; empty if it is not known.
        :raises AlertNotSent: one of its three kinds.
        """


@dataclass
class Delivery:
    """
    One alert of one miss.

    :param claims: where those who could send it agree who does; ``None`` when they cannot.
    :param reference: of the alert that this one follows; ``None`` for a first alert.
    :param since: when it was to be sent; seconds since the epoch. After some minutes without claims it is sent anyway,
        if it is safe to repeat; with 0, never.
    :param tries: how many times the service has not accepted it.
    :param outcome: how it ended, as text; empty while it is on its way.
    :param about: what it is about, for its claim.
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
        claim = self._claim = self._claimed(now)
        if claim.state == "sent":
            return self._ended("sent already")
        if claim.state == "refused":  # the process that tried has logged the error
            self.refused = True
            return self._ended("refused already")
        if claim.state == "busy":
            return BUSY_PAUSE
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
            self._send(miss, in_doubt=there is None)
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

    def refuse(self, error: Exception) -> None:
        """End the alert, in this process and in all others: it cannot be sent."""
        self.refused = True
        logger.error("Alert %s was refused. %s", self.key, error)
        self._ended("refused")
        if self.claims:
            self.claims.mark_refused(self.key)

    def give_back(self) -> None:
        """Release the claim, after an attempt whose error means that it sent nothing."""
        if self._claim and self._claim.state == "takeover":  # an earlier attempt may have sent it
            self._doubt(self._claim, self._claim.failures, 0)
        else:
            self._release()

    def instead(self, sender: AlertSender) -> Delivery:
        """Return the alert that replaces this one if it cannot be sent."""
        about = replace(self.about, destination=sender.destination)
        return Delivery(sender, f"{self.key}|fallback", self.claims, since=self.since, about=about)

    def _claimed(self, now: float) -> Claim:
        if self.claims is None:
            return self._without_claims(now)
        try:
            return self.claims.claim(self.key, now, self.about)
        except ClaimsUnavailable as error:
            if not (self.sender.safe_to_repeat and self.since and now - self.since >= UNCLAIMED_AFTER):
                raise
            logger.error("Alert %s is sent without a claim, so other processes may send it too. %s", self.key, error)
            self.claims = None
            return self._without_claims(now)

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
        if self.claims:
            self.claims.mark_sent(self.key, reference)

    def _release(self, until: float = 0) -> None:
        self._doubtful_since = 0
        if self.claims and until:
            self.claims.postpone(self.key, until)
        elif self.claims:
            self.claims.release(self.key)

    def _doubt(self, claim: Claim, failures: int, until: float) -> None:
        self._doubtful_since, self._failures = claim.first_at, failures
        if self.claims:
            self.claims.mark_doubtful(self.key, failures, until)

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
        return None
