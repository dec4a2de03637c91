"""
How many messages an SQS queue holds, by its three approximate counts.
"""

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
    A queue whose counts may not or cannot be read.

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
    An answer without the three counts, or none at all. Unknown is never 0.

    :param queue_url: URL of the queue.
    :param cause: what came instead.
    :param polls: how many polls in a row ended so.
    """

    def __init__(self, queue_url: str, cause: str, polls: int = 1) -> None:
        super().__init__(queue_url, cause, polls)
        self.queue_url, self.cause, self.polls = queue_url, cause, polls

    def __str__(self) -> str:
        return (
            f"{self.polls} poll(s) in a row did not tell the depth of queue {self.queue_url}, last: {self.cause}. "
            "Whether it is drained is not known; retry once SQS answers again."
        )


@dataclass(frozen=True)
class QueueDepth:
    """Approximate number of messages in a queue: waiting, held by a consumer, and not yet due."""

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
    Attributes of a queue, as many of the asked ones as the answer has; it receives nothing.

    :param sqs: boto3 client of SQS.
    :raises DepthUnknown: the request failed in a way that may pass.
    :raises QueueUnreadable: no such queue, or no permission.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=list(names))
    except (BotoCoreError, ClientError) as error:
        raise (DepthUnknown if may_pass(error) else QueueUnreadable)(queue_url, str(error)) from error
    return answer.get("Attributes") or {}


def read_depth(sqs: Any, queue_url: str) -> QueueDepth:
    """
    Depth of a queue.

    :raises DepthUnknown: as :func:`queue_attributes`, and where a count is missing or no number: SQS is known to answer
        200 without attributes (https://github.com/celery/kombu/issues/2142).
    :raises QueueUnreadable: as :func:`queue_attributes`.
    """
    attributes = queue_attributes(sqs, queue_url, COUNTS)
    counts = [str(attributes.get(name)) for name in COUNTS]
    if not all(count.isdecimal() for count in counts):
        raise DepthUnknown(queue_url, f"its attributes were {attributes!r}")
    return QueueDepth(*map(int, counts))
