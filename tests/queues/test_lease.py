from __future__ import annotations

import time
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import botocore.stub
import pytest

from airflow_agari_provider.queues.depth import read_depth
from airflow_agari_provider.queues.lease import Lease, patiently


def received(sqs: Any, queue_url: str) -> list[str]:
    return [message["Body"] for message in sqs.receive_message(QueueUrl=queue_url).get("Messages", [])]


@pytest.fixture
def short(sqs: Any, queue_url: str) -> str:
    """A queue that hides messages for two seconds, with one message in it."""
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": "2"})
    sqs.send_message(QueueUrl=queue_url, MessageBody="scored")
    return queue_url


def test_a_held_message_stays_hidden_beyond_its_time(sqs, short):
    with Lease(sqs, short) as lease:
        (message,) = lease.receive(10, 0)
        time.sleep(3)
        assert received(sqs, short) == []
        lease.delete(message["MessageId"])
    assert read_depth(sqs, short).total == 0


def test_a_message_left_comes_back_when_its_time_has_run_out(sqs, short):
    with Lease(sqs, short) as lease:
        (message,) = lease.receive(10, 0)
        lease.leave(message["MessageId"])
        assert received(sqs, short) == []
        time.sleep(2.5)
        assert received(sqs, short) == ["scored"]


def test_a_message_released_or_never_finished_is_visible_at_once(sqs, queue_url):
    for body in ("released", "not finished"):
        sqs.send_message(QueueUrl=queue_url, MessageBody=body)
    with Lease(sqs, queue_url) as lease:
        first, second = lease.receive(10, 0)
        lease.release(first["MessageId"])
        assert received(sqs, queue_url) == [first["Body"]]
    assert received(sqs, queue_url) == [second["Body"]]


def test_a_queue_says_how_long_it_hides_and_whether_it_has_dead_letters(sqs, queue_url):
    lease = Lease(sqs, queue_url)
    assert (lease.timeout, lease.has_dead_letter_queue) == (30, False)
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": "0"})
    assert Lease(sqs, queue_url).timeout == 30


def test_a_message_that_sqs_no_longer_lets_us_delete_is_no_failure(sqs, queue_url):
    sqs.send_message(QueueUrl=queue_url, MessageBody="scored")
    with Lease(sqs, queue_url) as lease:
        (message,) = lease.receive(1, 0)
        with botocore.stub.Stubber(sqs) as stub:
            stub.add_client_error("delete_message", "ReceiptHandleIsInvalid", http_status_code=400)
            lease.delete(message["MessageId"])


FAILURES = [
    pytest.param({"service_error_code": "InternalError", "http_status_code": 500}, id="500"),
    *(
        pytest.param({"service_error_code": code, "http_status_code": 400}, id=code)
        for code in ("ThrottlingException", "RequestLimitExceeded", "SlowDown", "TooManyRequests", "ExpiredToken")
    ),
]


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_of_sqs_is_tried_again(sqs, queue_url, failure):
    waits: list[float] = []
    with botocore.stub.Stubber(sqs) as stub:
        for _ in range(3):
            stub.add_client_error("receive_message", **failure)
        stub.add_response("receive_message", {"Messages": []})
        assert patiently(lambda: sqs.receive_message(QueueUrl=queue_url), waits.append) == {"Messages": []}
    assert waits == [1, 2, 4]


def test_sqs_out_of_reach_is_tried_for_half_a_minute():
    once = botocore.config.Config(retries={"total_max_attempts": 1}, connect_timeout=1)
    sqs = boto3.client("sqs", endpoint_url="http://127.0.0.1:1", region_name="us-east-1", config=once)
    waits: list[float] = []
    with pytest.raises(botocore.exceptions.EndpointConnectionError):
        patiently(lambda: sqs.receive_message(QueueUrl="http://127.0.0.1:1/q"), waits.append)
    assert waits == [1, 2, 4, 8, 16]


def test_a_mistake_is_not_tried_again(sqs):
    waits: list[float] = []
    with pytest.raises(botocore.exceptions.ClientError):
        patiently(lambda: sqs.receive_message(QueueUrl="https://sqs.us-east-1.amazonaws.com/1/nowhere"), waits.append)
    assert waits == []
