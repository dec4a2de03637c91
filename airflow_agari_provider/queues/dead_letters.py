"""Dead letters of SQS: where a queue sends them, what one of them says, and the text that reports them."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any

from airflow_agari_provider.exceptions import AgariError, cut
from airflow_agari_provider.queues.depth import queue_attributes
from airflow_agari_provider.s3.notifications import MalformedNotification, ObjectReference, object_references

logger = logging.getLogger(__name__)

# Message attributes in which senders leave the failure, lower case: Lambda's and SNS's own dead-letter queues
# (ErrorMessage, ERROR_MESSAGE), Spring (x-exception-message), and the generic ones of hand-made consumers.
EXCEPTION_ATTRIBUTES = (
    "errormessage",
    "error_message",
    "x-exception-message",
    "exception_message",
    "exception",
    "error",
)
EXCERPT = 500  # characters of a message shown in logs and errors


class NoDeadLetterQueue(AgariError):
    """
    A queue without a dead-letter queue that could be found.

    :param queue_url: URL of the source queue.
    """

    def __init__(self, queue_url: str) -> None:
        super().__init__(queue_url)
        self.queue_url = queue_url

    def __str__(self) -> str:
        return (
            f"No dead-letter queue is known for queue {self.queue_url}: it has no redrive policy, or the policy's "
            "target is gone or closed to sqs:GetQueueUrl. Give the dead-letter queue's own URL as queue_url."
        )


@dataclass(frozen=True)
class SourceSettings:
    """
    What a queue says about its consumers.

    :param visibility_timeout: seconds a received message stays hidden by default.
    :param dead_letter_url: target of its redrive policy; None without one, or where it may not be looked up.
    """

    visibility_timeout: float
    dead_letter_url: str | None


@dataclass(frozen=True)
class DeadLetter:
    """
    One message that consumers gave up on.

    :param attributes: SQS's own, such as ``ApproximateReceiveCount``.
    :param message_attributes: the sender's, name -> ``{"StringValue": ...}``.
    """

    message_id: str
    body: str
    attributes: dict[str, str]
    message_attributes: dict[str, dict[str, Any]]

    @property
    def exception(self) -> str | None:
        """The failure as a message attribute tells it; None where the sender left none."""
        texts = {name.lower(): value.get("StringValue") for name, value in self.message_attributes.items()}
        return next((str(texts[name]) for name in EXCEPTION_ATTRIBUTES if texts.get(name)), None)

    @property
    def source_arn(self) -> str | None:
        """ARN of the queue it was in; None when it was sent here directly."""
        return self.attributes.get("DeadLetterQueueSourceArn")

    @property
    def objects(self) -> list[ObjectReference]:
        """S3 objects it tells of; empty when it is no notification of S3."""
        try:
            return object_references(self.body)
        except MalformedNotification:
            return []

    def __str__(self) -> str:
        failure = f", exception {excerpt(self.exception)!r}" if self.exception else ""
        return f"message {self.message_id}{failure}, body {excerpt(self.body)!r}"


def excerpt(text: str, length: int = EXCERPT) -> str:
    """The text, cut to ``length`` characters with a mark where it was longer."""
    marker = f"… ({len(text)} characters)"
    return cut(text, length + len(marker), marker)


def source_settings(sqs: Any, queue_url: str) -> SourceSettings:
    """
    Visibility timeout and dead-letter queue of a queue.

    :param sqs: boto3 client of SQS.
    :raises DepthUnknown: SQS did not answer.
    :raises QueueUnreadable: no such queue, or no permission.
    """
    attributes = queue_attributes(sqs, queue_url, ("VisibilityTimeout", "RedrivePolicy"))
    target = json.loads(attributes.get("RedrivePolicy") or "{}").get("deadLetterTargetArn")
    return SourceSettings(
        visibility_timeout=float(attributes.get("VisibilityTimeout") or 0),
        dead_letter_url=_url_of(sqs, queue_url, target) if target else None,
    )


def dead_letter_queue(sqs: Any, queue_url: str | None, source_queue_url: str | None) -> str:
    """
    URL of the dead-letter queue that a caller means: the one given, or the target of the source queue's redrive policy.

    :raises NoDeadLetterQueue: the source queue leads to none.
    :raises QueueUnreadable: no such source queue, or no permission.
    """
    url = queue_url or source_settings(sqs, str(source_queue_url)).dead_letter_url
    if url is None:
        raise NoDeadLetterQueue(str(source_queue_url))
    return url


def peek(sqs: Any, queue_url: str) -> DeadLetter | None:
    """
    One message of a dead-letter queue, left where it is and not hidden; it is one receive more on its count.

    None when the queue is empty, when the connection may not receive, and when the queue has a redrive policy of its
    own: there a look could be the one that moves the message on.

    :param sqs: boto3 client of SQS.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        if queue_attributes(sqs, queue_url, ("RedrivePolicy",)).get("RedrivePolicy"):
            logger.info("No sample of %s: it has a redrive policy of its own, which counts every look", queue_url)
            return None
        answer = sqs.receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=1,
            VisibilityTimeout=0,
            WaitTimeSeconds=1,  # asks all servers, not a few
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
    except (AgariError, BotoCoreError, ClientError) as error:
        logger.warning("No sample of %s: %s", queue_url, error)
        return None
    return next(map(_dead_letter, answer.get("Messages", [])), None)


def _url_of(sqs: Any, queue_url: str, arn: str) -> str | None:
    from botocore.exceptions import ClientError

    account, name = arn.split(":")[4:6]
    try:
        return str(sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"])
    except ClientError as error:
        logger.warning("The dead-letter queue %s of %s cannot be looked up: %s", arn, queue_url, error)
        return None


def _dead_letter(message: dict[str, Any]) -> DeadLetter:
    return DeadLetter(
        message["MessageId"], message["Body"], message.get("Attributes", {}), message.get("MessageAttributes", {})
    )
