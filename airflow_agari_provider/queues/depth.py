"""How many messages an SQS queue holds, from its three approximate counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_agari_provider.exceptions import AgariError, may_pass

COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


class QueueUnreadable(AgariError):
    """
    The counts of a queue cannot be read.

    :param queue_url: URL of the queue.
    :param cause: what AWS answered.
    """

    def __init__(self, queue_url: str, cause: str) -> None:
        super().__init__(queue_url, cause)
        self.queue_url, self.cause = queue_url, cause

    def __str__(self) -> str:
        return (
            f"The counts of queue {self.queue_url} cannot be read: {self.cause}. "
            "Check the URL, its region and account, and that the connection may call sqs:GetQueueAttributes on it."
        )


class DepthUnknown(AgariError):
    """
    SQS gave no answer, or an answer without the three counts. An unknown depth never counts as 0.

    :param queue_url: URL of the queue.
    :param cause: the error or the incomplete answer.
    :param polls: how many polls in a row did not tell the depth.
    """

    def __init__(self, queue_url: str, cause: str, polls: int = 1) -> None:
        super().__init__(queue_url, cause, polls)
        self.queue_url, self.cause, self.polls = queue_url, cause, polls

    def __str__(self) -> str:
        return (
            f"{self.polls} poll(s) in a row did not tell the depth of queue {self.queue_url}, last: {self.cause}. "
            "It is not known whether the queue is drained. Retry when SQS answers again."
        )


@dataclass(frozen=True)
class QueueDepth:
    """Approximate number of messages in a queue: visible, in flight (held by a consumer), and delayed (not yet due)."""

    visible: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        return self.visible + self.in_flight + self.delayed

    def __str__(self) -> str:
        return f"{self.visible} visible, {self.in_flight} in flight, {self.delayed} delayed"


def queue_attributes(sqs: Any, queue_url: str, names: tuple[str, ...]) -> dict[str, str]:
    """
    Return the named attributes of a queue, without those that the answer lacks. No message is received.

    :param sqs: boto3 client of SQS.
    :raises DepthUnknown: the request failed, but a retry may succeed.
    :raises QueueUnreadable: the queue does not exist, or there is no permission to read it.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=list(names))
    except (BotoCoreError, ClientError) as error:
        raise (DepthUnknown if may_pass(error) else QueueUnreadable)(queue_url, str(error)) from error
    return answer.get("Attributes") or {}


def queue_settings(sqs: Any, queue_url: str, names: tuple[str, ...]) -> dict[str, str]:
    """
    Return the named settings of a queue; one that is missing is not set.

    Every queue has a visibility timeout, so an answer without it says nothing about the other settings either: SQS is
    known to answer 200 without attributes (https://github.com/celery/kombu/issues/2142).

    :raises DepthUnknown: as :func:`queue_attributes`, and if the answer has no visibility timeout.
    :raises QueueUnreadable: as :func:`queue_attributes`.
    """
    attributes = queue_attributes(sqs, queue_url, ("VisibilityTimeout", *names))
    if not str(attributes.get("VisibilityTimeout")).isdecimal():
        raise DepthUnknown(queue_url, f"its settings were {attributes!r}")
    return attributes


def read_depth(sqs: Any, queue_url: str) -> QueueDepth:
    """
    Return the depth of a queue.

    :raises DepthUnknown: as :func:`queue_attributes`, and if a count is missing or not a number: SQS is known to answer
        200 without attributes (https://github.com/celery/kombu/issues/2142).
    :raises QueueUnreadable: as :func:`queue_attributes`.
    """
    attributes = queue_attributes(sqs, queue_url, COUNTS)
    counts = [str(attributes.get(name)) for name in COUNTS]
    if not all(count.isdecimal() for count in counts):
        raise DepthUnknown(queue_url, f"its attributes were {attributes!r}")
    return QueueDepth(*map(int, counts))
