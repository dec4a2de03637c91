from __future__ import annotations

import time
from typing import Any

import botocore.config
import botocore.exceptions
import botocore.stub
import pytest

from airflow_agari_provider.queues.depth import read_depth
from airflow_agari_provider.queues.lease import Lease


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


def test_a_message_that_cannot_be_deleted_for_now_is_an_error_and_comes_back(sqs, queue_url):
    sqs.send_message(QueueUrl=queue_url, MessageBody="scored")
    waits: list[float] = []
    with Lease(sqs, queue_url, waits.append) as lease:
        (message,) = lease.receive(1, 0)
        with botocore.stub.Stubber(sqs) as stub:
            for _ in range(6):
                stub.add_client_error("delete_message", "ThrottlingException", http_status_code=400)
            with pytest.raises(botocore.exceptions.ClientError, match="Throttling"):
                lease.delete(message["MessageId"])
    assert waits == [1, 2, 4, 8, 16]
