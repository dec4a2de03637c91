"""What delivers alerts to one service, and the errors that say what became of an alert."""

from __future__ import annotations

from typing import Protocol

from airflow_agari_provider.alerts.miss import SlaMiss
from airflow_agari_provider.exceptions import AgariError


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
