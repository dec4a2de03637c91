"""The counts of a queue, and answers without them."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from airflow_agari_provider.queues.depth import DepthUnknown, QueueDepth, QueueUnreadable, read_depth

Q = "https://sqs.us-east-1.amazonaws.com/123456789012/importer"


def test_the_depth_tells_waiting_held_and_delayed_messages_apart(sqs, queue_url):
    for _ in range(3):
        sqs.send_message(QueueUrl=queue_url, MessageBody="scored")
    sqs.send_message(QueueUrl=queue_url, MessageBody="later", DelaySeconds=600)
    sqs.receive_message(QueueUrl=queue_url, VisibilityTimeout=60)
    assert read_depth(sqs, queue_url) == QueueDepth(visible=2, in_flight=1, delayed=1)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"Attributes": {"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0"}},
        {
            "Attributes": {
                "ApproximateNumberOfMessages": "",
                "ApproximateNumberOfMessagesNotVisible": "0",
                "ApproximateNumberOfMessagesDelayed": "0",
            }
        },
        {
            "Attributes": {
                "ApproximateNumberOfMessages": "-1",
                "ApproximateNumberOfMessagesNotVisible": "1",
                "ApproximateNumberOfMessagesDelayed": "0",
            }
        },
    ],
    ids=["no attributes", "one missing", "no number", "negative"],
)
def test_a_missing_count_is_unknown_and_never_zero(answer):
    sqs = boto3.client("sqs", region_name="us-east-1")
    with Stubber(sqs) as stub:
        stub.add_response("get_queue_attributes", answer)
        with pytest.raises(DepthUnknown):
            read_depth(sqs, Q)


def test_a_failed_request_is_unknown():
    sqs = boto3.client("sqs", region_name="us-east-1")
    with Stubber(sqs) as stub:
        stub.add_client_error("get_queue_attributes", "ThrottlingException", http_status_code=503)
        with pytest.raises(DepthUnknown, match="ThrottlingException"):
            read_depth(sqs, Q)


def test_an_unreachable_aws_is_unknown(monkeypatch):
    sqs = boto3.client("sqs", region_name="us-east-1", endpoint_url="http://127.0.0.1:1")
    with pytest.raises(DepthUnknown) as caught:
        read_depth(sqs, Q)
    assert isinstance(caught.value.__cause__, EndpointConnectionError)


def test_a_queue_that_is_not_there_ends_the_wait_at_once(sqs, queue_url):
    with pytest.raises(QueueUnreadable, match="does not exist"):
        read_depth(sqs, queue_url + "-misspelt")


def test_a_forbidden_queue_ends_the_wait_at_once():
    sqs = boto3.client("sqs", region_name="us-east-1")
    with Stubber(sqs) as stub:
        stub.add_client_error("get_queue_attributes", "AccessDenied", http_status_code=403)
        with pytest.raises(QueueUnreadable, match="sqs:GetQueueAttributes"):
            read_depth(sqs, Q)
