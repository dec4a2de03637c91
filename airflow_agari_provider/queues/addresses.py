"""What users name a queue by: its URL, its ARN or its name; and the client of the region where it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from airflow_agari_provider.exceptions import AgariError, may_pass
from airflow_agari_provider.queues.depth import DepthUnknown
from airflow_agari_provider.queues.permissions import told

# sqs.eu-west-1.amazonaws.com, sqs-fips.us-gov-west-1.amazonaws.com, vpce-1a2b.sqs.eu-west-1.vpce.amazonaws.com,
# sqs.cn-north-1.amazonaws.com.cn, sqs.eu-west-1.api.aws; and the old eu-west-1.queue.amazonaws.com
_HOST = re.compile(
    r"(?:^|\.)sqs(?:-fips)?\.([a-z]{2,}(?:-[a-z]+)+-\d+)\.|^([a-z]{2,}(?:-[a-z]+)+-\d+)\.queue\.amazonaws\."
)
_FIRST_REGION = "queue.amazonaws.com"  # the oldest form of URL, of us-east-1 alone
_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}(?:\.fifo)?")  # SQS API reference, CreateQueue


class NoSuchQueue(AgariError):
    """
    A queue cannot be found by what it was named.

    :param queue: the name or ARN.
    :param cause: what AWS answered, or what is wrong with the name.
    """

    def __init__(self, queue: str, cause: str) -> None:
        super().__init__(queue, cause)
        self.queue, self.cause = queue, cause

    def __str__(self) -> str:
        return (
            f"Queue {self.queue!r} was not found: {self.cause}. Give the queue's URL, its ARN, or its name in the "
            "connection's account and region; names and ARNs need the permission sqs:GetQueueUrl."
        )


def region_of(queue: str) -> str | None:
    """Region that a queue's URL or ARN names; None for a name, and for a URL that is not of AWS."""
    if queue.startswith("arn:"):
        return queue.split(":")[3] or None if queue.count(":") >= 5 else None
    host = (urlsplit(queue).hostname or "") if "://" in queue else ""
    found = _HOST.search(host)
    if found:
        return found[1] or found[2]
    return "us-east-1" if host == _FIRST_REGION else None


def queue_url_of(sqs: Any, queue: str) -> str:
    """
    Return the URL of a queue, which is the queue itself if it is given as one.

    :param sqs: boto3 client of SQS, or ``RegionalSqs``.
    :param queue: URL, ARN or name.
    :raises NoSuchQueue: AWS does not know it, or the connection may not ask for it.
    :raises DepthUnknown: SQS did not answer, but a retry may succeed.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    if "://" in queue:
        return queue
    wanted = {"QueueName": queue}
    if queue.startswith("arn:"):
        parts = queue.split(":")
        if len(parts) != 6 or parts[2] != "sqs":
            raise NoSuchQueue(queue, "it is not an ARN of SQS, such as arn:aws:sqs:eu-west-1:123456789012:importer")
        wanted = {"QueueName": parts[5], "QueueOwnerAWSAccountId": parts[4]}
    if not _NAME.fullmatch(wanted["QueueName"]):
        raise NoSuchQueue(queue, "a queue's name has up to 80 letters, digits, hyphens and underscores")
    try:
        return str(client_at(sqs, queue).get_queue_url(**wanted)["QueueUrl"])
    except (BotoCoreError, ClientError) as error:
        if may_pass(error):
            raise DepthUnknown(queue, f"its URL could not be looked up: {error}") from error
        raise NoSuchQueue(queue, str(error)) from error


class RegionalSqs:
    """
    Stands for a boto3 client of SQS: each request goes to the region of its queue, through a client of its own.

    A queue can only be asked in its own region, so what its URL says counts more than the connection's region.

    A request that AWS refuses says what permission it needs.

    :param client_in: takes a region, or None for the connection's own; returns the boto3 client to use now.
    :param sns_in: the same for SNS, to look up the queues of topics; None: topics are refused.
    """

    def __init__(
        self, client_in: Callable[[str | None], Any], sns_in: Callable[[str | None], Any] | None = None
    ) -> None:
        self._client_in = client_in
        self._sns_in = sns_in

    def at(self, queue: str) -> Any:
        """Return the client for the region of a queue."""
        return self._client_in(region_of(queue))

    def sns_at(self, topic: str) -> Any:
        """
        Return the client of SNS for the region of a topic.

        :raises NoSuchQueue: this task takes no topics.
        """
        if self._sns_in is None:
            raise NoSuchQueue(topic, "it is a topic of SNS, but this task takes queues only")
        return self._sns_in(region_of(topic))

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        if operation.startswith("_"):
            raise AttributeError(operation)

        def request(**parameters: Any) -> Any:
            from botocore.exceptions import ClientError

            queue = parameters.get("QueueUrl") or parameters.get("SourceArn") or ""
            client = self.at(queue)
            try:
                return getattr(client, operation)(**parameters)
            except ClientError:
                renewed = self.at(queue)
                if renewed is client:
                    raise
                return getattr(renewed, operation)(**parameters)  # the old one's credentials had ended

        def asked(**parameters: Any) -> Any:
            where = parameters.get("QueueUrl") or parameters.get("SourceArn") or "this queue"
            return told(partial(request, **parameters), where)

        return asked


def client_at(sqs: Any, queue: str) -> Any:
    """Return the client for the region of a queue: ``sqs`` itself, if it is a plain boto3 client."""
    return sqs.at(queue) if isinstance(sqs, RegionalSqs) else sqs
