"""Queues named by URL, ARN or name, and the region that is asked."""

from __future__ import annotations

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from airflow_agari_provider.queues.addresses import NoSuchQueue, RegionalSqs, queue_url_of, region_of
from airflow_agari_provider.queues.depth import DepthUnknown, QueueDepth, read_depth
from airflow_agari_provider.queues.drain import poll, start_watch


@pytest.mark.parametrize(
    ("queue", "region"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/importer", "eu-west-1"),
        ("https://eu-west-2.queue.amazonaws.com/123456789012/importer", "eu-west-2"),
        ("https://queue.amazonaws.com/123456789012/importer", "us-east-1"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/importer", "cn-north-1"),
        ("https://sqs-fips.us-gov-west-1.amazonaws.com/123456789012/importer", "us-gov-west-1"),
        ("https://vpce-0a1b.sqs.ap-southeast-2.vpce.amazonaws.com/123456789012/importer", "ap-southeast-2"),
        ("http://sqs.us-east-1.localhost.localstack.cloud:4566/000000000000/importer", "us-east-1"),
        ("arn:aws:sqs:eu-central-1:123456789012:importer", "eu-central-1"),
        ("http://127.0.0.1:9324/000000000000/importer", None),
        ("importer", None),
        ("arn:aws:sqs", None),
    ],
)
def test_a_queue_says_where_it_is(queue, region):
    assert region_of(queue) == region


@pytest.fixture
def regional(aws):
    asked = []

    def client_in(region):
        asked.append(region)
        return boto3.client("sqs", endpoint_url=aws, region_name=region or "us-east-1")

    return RegionalSqs(client_in), asked


def test_a_queue_is_asked_in_its_own_region(aws, regional):
    sqs, asked = regional
    boto3.client("sqs", endpoint_url=aws, region_name="eu-west-1").create_queue(QueueName="importer")
    arn = "arn:aws:sqs:eu-west-1:123456789012:importer"
    assert queue_url_of(sqs, arn).endswith("/123456789012/importer")
    with pytest.raises(NoSuchQueue, match="sqs:GetQueueUrl"):
        queue_url_of(sqs, "importer")
    assert asked == ["eu-west-1", None]
    asked.clear()
    with pytest.raises(ClientError):
        sqs.get_queue_attributes(QueueUrl="https://sqs.eu-west-1.amazonaws.com/1/nowhere", AttributeNames=["All"])
    assert set(asked) == {"eu-west-1"}


@pytest.mark.parametrize("name", ["importer", "arn:aws:sqs:us-east-1:123456789012:importer"])
def test_a_wait_takes_names_and_arns(regional, sqs, queue_url, name):
    dead = sqs.create_queue(QueueName="importer-dead")["QueueUrl"]
    watch = start_watch(regional[0], [name], ["importer-dead"], {"importer-dead": 7}, quiet_period=0)
    assert (watch.queue_urls, watch.dead_letter_urls) == ([queue_url], [dead])
    assert watch.dead_letters_before == {dead: 7}
    assert poll(regional[0], watch, now=0) is None


@pytest.mark.parametrize("queue", ["two words", "arn:aws:s3:::bucket", "arn:aws:sqs:eu-west-1:1"])
def test_what_names_no_queue_is_told_without_a_request(queue):
    with pytest.raises(NoSuchQueue):
        queue_url_of(None, queue)


def test_a_throttled_look_up_is_unknown_and_not_missing():
    sqs = boto3.client("sqs", region_name="us-east-1")
    with Stubber(sqs) as stub:
        stub.add_client_error("get_queue_url", "RequestThrottled", http_status_code=400)
        with pytest.raises(DepthUnknown, match="RequestThrottled"):
            queue_url_of(sqs, "importer")


def test_a_request_that_old_credentials_spoilt_is_sent_again_with_new_ones(aws, queue_url):
    clients = [
        boto3.client("sqs", endpoint_url=aws, region_name="us-east-1", config=Config(user_agent_extra=name))
        for name in ("old", "new")
    ]
    current = [0]

    def refused(http_response, parsed, **_):
        http_response.status_code = 403
        parsed.clear()
        parsed |= {"Error": {"Code": "InvalidClientTokenId"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        current[0] = 1

    clients[0].meta.events.register("after-call", refused)
    assert read_depth(RegionalSqs(lambda region: clients[current[0]]), queue_url) == QueueDepth(0, 0, 0)
