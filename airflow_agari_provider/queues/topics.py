"""The queues that are subscribed to an SNS topic, so that a topic's ARN names the group of them."""

from __future__ import annotations

from typing import Any

from airflow_agari_provider.exceptions import may_pass
from airflow_agari_provider.queues.addresses import NoSuchQueue, RegionalSqs, queue_url_of
from airflow_agari_provider.queues.depth import DepthUnknown
from airflow_agari_provider.queues.permissions import explained

MOST_QUEUES = 1000  # of one topic; each costs a request in every poll


def queue_urls_of(sqs: Any, named: str) -> list[str]:
    """
    Return the URL of a queue; or those of the queues that are subscribed to a topic.

    :param sqs: boto3 client of SQS, or ``RegionalSqs``, which topics need.
    :param named: URL, ARN or name of a queue; or ARN of an SNS topic.
    :raises NoSuchQueue: it is not there, may not be asked for, or no queue is subscribed to the topic.
    :raises DepthUnknown: AWS did not answer, but a retry may succeed.
    """
    if not is_topic(named):
        return [queue_url_of(sqs, named)]
    if not isinstance(sqs, RegionalSqs):
        raise NoSuchQueue(named, "it is a topic of SNS, whose queues cannot be looked up here")
    queues, waiting = _subscribed(sqs, named)
    if not queues:
        hint = f" ({waiting} subscription(s) are not confirmed yet)" if waiting else ""
        raise NoSuchQueue(named, f"no queue of SQS is subscribed to this topic{hint}")
    return [queue_url_of(sqs, queue) for queue in queues]


def is_topic(named: str) -> bool:
    return named.startswith("arn:") and named.split(":")[2:3] == ["sns"]


def _subscribed(sqs: RegionalSqs, topic: str) -> tuple[list[str], int]:
    """ARNs of the queues, and how many subscriptions get no message because nobody has confirmed them."""
    from botocore.exceptions import BotoCoreError, ClientError

    queues: dict[str, None] = {}
    waiting, request = 0, {"TopicArn": topic}
    try:
        while True:
            answer = sqs.sns_at(topic).list_subscriptions_by_topic(**request)
            for subscription in answer.get("Subscriptions", []):
                if subscription.get("Protocol") != "sqs":
                    continue
                if str(subscription.get("SubscriptionArn")).startswith("arn:"):
                    queues[subscription["Endpoint"]] = None
                else:
                    waiting += 1
            if len(queues) > MOST_QUEUES:
                raise NoSuchQueue(topic, f"more than {MOST_QUEUES} queues are subscribed to this topic; name some")
            if not answer.get("NextToken"):
                return list(queues), waiting
            request["NextToken"] = answer["NextToken"]
    except (BotoCoreError, ClientError) as error:
        if may_pass(error):
            raise DepthUnknown(topic, f"its subscriptions could not be looked up: {error}") from error
        cause = explained(error, topic) if isinstance(error, ClientError) else error
        raise NoSuchQueue(topic, f"its subscriptions cannot be looked up: {cause}") from error
