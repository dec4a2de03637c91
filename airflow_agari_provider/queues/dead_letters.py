"""Dead letters of SQS: where a queue sends them, what one of them contains, and the text that reports it."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any

from airflow_agari_provider.exceptions import AgariError, cut, may_pass
from airflow_agari_provider.queues.addresses import client_at, queue_url_of
from airflow_agari_provider.queues.depth import DepthUnknown, queue_settings
from airflow_agari_provider.s3.notifications import MalformedNotification, ObjectReference, object_references

logger = logging.getLogger(__name__)

# Message attributes in which senders store the failure, in lower case: Lambda's and SNS's own dead-letter queues
# (ErrorMessage, ERROR_MESSAGE), Spring (x-exception-message), and the generic names that other consumers use.
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
    The dead-letter queue of a queue was not found.

    :param queue_url: URL of the source queue.
    """

    def __init__(self, queue_url: str) -> None:
        super().__init__(queue_url)
        self.queue_url = queue_url

    def __str__(self) -> str:
        return (
            f"No dead-letter queue is known for queue {self.queue_url}: it has no redrive policy, or the policy's "
            "target was deleted, or the connection may not call sqs:GetQueueUrl on it. "
            "Give the dead-letter queue's own URL as queue_url."
        )


@dataclass(frozen=True)
class SourceSettings:
    """
    The settings of a queue that concern its consumers.

    :param visibility_timeout: seconds for which a received message stays hidden by default.
    :param dead_letter_url: URL of its redrive policy's target; None without a policy, or if the target cannot be looked
        up.
    """

    visibility_timeout: float
    dead_letter_url: str | None
    arn: str | None = None


@dataclass(frozen=True)
class DeadLetter:
    """
    One message that the consumers failed to process.

    :param attributes: SQS's own attributes, such as ``ApproximateReceiveCount``.
    :param message_attributes: the sender's attributes, name -> ``{"StringValue": ...}``.
    """

    message_id: str
    body: str
    attributes: dict[str, str]
    message_attributes: dict[str, dict[str, Any]]

    @property
    def exception(self) -> str | None:
        """The failure, from a message attribute; None if the sender stored no failure."""
        texts = {name.lower(): value.get("StringValue") for name, value in self.message_attributes.items()}
        return next((str(texts[name]) for name in EXCEPTION_ATTRIBUTES if texts.get(name)), None)

    @property
    def source_arn(self) -> str | None:
        """ARN of the queue that the message was in before; None if it was sent to this queue directly."""
        return self.attributes.get("DeadLetterQueueSourceArn")

    @property
    def sent_at(self) -> float | None:
        """When the message was first sent, in seconds since 1970; SQS keeps this time when it moves a message."""
        milliseconds = self.attributes.get("SentTimestamp")
        return int(milliseconds) / 1000 if milliseconds else None

    @property
    def objects(self) -> list[ObjectReference]:
        """S3 objects that the message names; empty if it is not a notification from S3."""
        try:
            return object_references(self.body)
        except MalformedNotification:
            return []

    def __str__(self) -> str:
        failure = f", exception {excerpt(self.exception)!r}" if self.exception else ""
        return f"message {self.message_id}{failure}, body {excerpt(self.body)!r}"


def excerpt(text: str, length: int = EXCERPT) -> str:
    """Return the text; a longer one is cut to ``length`` characters, and a mark says how long it was."""
    marker = f"… ({len(text)} characters)"
    return cut(text, length + len(marker), marker)


def source_settings(sqs: Any, queue_url: str) -> SourceSettings:
    """
    Return the visibility timeout and the dead-letter queue of a queue.

    :param sqs: boto3 client of SQS.
    :raises DepthUnknown: SQS did not answer.
    :raises QueueUnreadable: the queue does not exist, or there is no permission to read it.
    """
    attributes = queue_settings(sqs, queue_url, ("RedrivePolicy", "QueueArn"))
    target = json.loads(attributes.get("RedrivePolicy") or "{}").get("deadLetterTargetArn")
    return SourceSettings(
        visibility_timeout=float(attributes["VisibilityTimeout"]),
        dead_letter_url=_url_of(sqs, queue_url, target) if target else None,
        arn=attributes.get("QueueArn"),
    )


def arn_of(sqs: Any, queue_url: str) -> str:
    """
    Return the ARN of a queue.

    :raises DepthUnknown: SQS did not answer, or without the ARN, which every queue has.
    :raises QueueUnreadable: the queue does not exist, or there is no permission to read it.
    """
    arn = source_settings(sqs, queue_url).arn
    if arn is None:
        raise DepthUnknown(queue_url, "its settings came without QueueArn")
    return arn


def dead_letter_queue(sqs: Any, queue_url: str | None, source_queue_url: str | None) -> str:
    """
    Return the URL of a dead-letter queue: the one given, or the target of the source queue's redrive policy.

    :param queue_url: URL, ARN or name of the dead-letter queue; None: look it up.
    :param source_queue_url: URL, ARN or name of the source queue, used only without ``queue_url``.
    :raises NoDeadLetterQueue: the source queue has no redrive policy, or its target cannot be looked up.
    :raises NoSuchQueue: there is no queue of that name or ARN.
    :raises DepthUnknown: SQS did not answer.
    :raises QueueUnreadable: the source queue does not exist, or there is no permission to read it.
    """
    given = queue_url_of(sqs, queue_url or str(source_queue_url))
    url = given if queue_url else source_settings(sqs, given).dead_letter_url
    if url is None:
        raise NoDeadLetterQueue(str(source_queue_url))
    return url


def peek(sqs: Any, queue_url: str) -> DeadLetter | None:
    """
    Return one message of a dead-letter queue. The message stays in the queue and visible; its receive count grows by 1.

    :param sqs: boto3 client of SQS.
    :return: None if the queue is empty, if the request fails (the connection may not be allowed to receive), or if the
        queue has a redrive policy of its own: then this receive could move the message to the next queue.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        if queue_settings(sqs, queue_url, ("RedrivePolicy",)).get("RedrivePolicy"):
            logger.info(
                "No sample message from %s: it has a redrive policy of its own, and each receive counts towards it",
                queue_url,
            )
            return None
        answer = sqs.receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=1,
            VisibilityTimeout=0,
            WaitTimeSeconds=1,  # a long poll asks all servers, not only a few
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
    except (AgariError, BotoCoreError, ClientError) as error:
        logger.warning("No sample message from %s: %s", queue_url, error)
        return None
    return next(map(dead_letter, answer.get("Messages", [])), None)


def dead_letter(message: dict[str, Any]) -> DeadLetter:
    """Return a message as boto3 gives it, received with all attributes, as a dead letter."""
    return DeadLetter(
        message["MessageId"], message["Body"], message.get("Attributes", {}), message.get("MessageAttributes", {})
    )


def _url_of(sqs: Any, queue_url: str, arn: str) -> str | None:
    from botocore.exceptions import BotoCoreError, ClientError

    account, name = arn.split(":")[4:6]
    try:
        return str(client_at(sqs, queue_url).get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"])
    except (BotoCoreError, ClientError) as error:
        if may_pass(error):
            raise DepthUnknown(queue_url, f"its dead-letter queue could not be looked up: {error}") from error
        logger.warning("The dead-letter queue %s of queue %s cannot be looked up: %s", arn, queue_url, error)
        return None
