"""An SNS topic stands for the queues that are subscribed to it."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber

from airflow_agari_provider.queues.addresses import NoSuchQueue, RegionalSqs
from airflow_agari_provider.queues.depth import DepthUnknown
from airflow_agari_provider.queues.drain import poll, start_watch
from airflow_agari_provider.queues.topics import queue_urls_of

TOPIC = "arn:aws:sns:us-east-1:123456789012:scored"


def subscription(name, arn=f"{TOPIC}:1", protocol="sqs"):
    endpoint = f"arn:aws:sqs:us-east-1:123456789012:{name}" if protocol == "sqs" else f"{name}@example.com"
    return {"SubscriptionArn": arn, "Owner": "1", "Protocol": protocol, "Endpoint": endpoint, "TopicArn": TOPIC}


@pytest.fixture
def regional(sqs, sns):
    return RegionalSqs(lambda region: sqs, lambda region: sns)


def test_a_wait_watches_every_queue_of_a_topic(regional, sqs, sns, queue_url):
    other = sqs.create_queue(QueueName="nrt-importer")["QueueUrl"]
    sqs.create_queue(QueueName="not-subscribed")
    topic = sns.create_topic(Name="scored")["TopicArn"]
    for name in ("importer", "nrt-importer"):
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:123456789012:{name}")
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="etl@example.com")
    watch = start_watch(regional, [topic, "importer"], quiet_period=0)
    assert sorted(watch.queue_urls) == sorted([queue_url, other])
    sns.publish(TopicArn=topic, Message="scored")
    assert poll(regional, watch, 0) is not None
    assert watch.depth.total == 2


def test_a_topic_without_a_queue_is_no_drained_group(regional, sns):
    topic = sns.create_topic(Name="nobody")["TopicArn"]
    with pytest.raises(NoSuchQueue, match="no queue of SQS is subscribed to this topic"):
        queue_urls_of(regional, topic)


@pytest.fixture
def pages(sqs, queue_url):
    """Takes pages of subscriptions; SQS and an SNS that answers with them."""

    def make(*pages):
        client = boto3.client("sns", region_name="us-east-1")
        stub = Stubber(client)
        for number, page in enumerate(pages, 1):
            more = {"NextToken": str(number)} if number < len(pages) else {}
            stub.add_response("list_subscriptions_by_topic", {"Subscriptions": page, **more})
        stub.activate()
        return RegionalSqs(lambda region: sqs, lambda region: client)

    return make


def test_a_queue_on_the_second_page_is_watched_too(pages, sqs, queue_url):
    other = sqs.create_queue(QueueName="second")["QueueUrl"]
    found = queue_urls_of(pages([subscription("importer")], [subscription("second")]), TOPIC)
    assert found == [queue_url, other]


def test_a_subscription_that_nobody_confirmed_brings_no_message(pages):
    unconfirmed = subscription("importer", arn="PendingConfirmation")
    with pytest.raises(NoSuchQueue, match=r"subscribed to this topic \(1 subscription\(s\) are not confirmed yet\)"):
        queue_urls_of(pages([unconfirmed, subscription("etl", protocol="email")]), TOPIC)


def test_a_throttled_topic_is_unknown_and_asked_again():
    client = boto3.client("sns", region_name="us-east-1")
    with Stubber(client) as stub:
        stub.add_client_error("list_subscriptions_by_topic", "Throttling", http_status_code=400)
        with pytest.raises(DepthUnknown):
            queue_urls_of(RegionalSqs(lambda region: None, lambda region: client), TOPIC)


def test_a_task_for_one_queue_refuses_a_topic(sqs):
    with pytest.raises(NoSuchQueue, match="topic"):
        queue_urls_of(sqs, TOPIC)
