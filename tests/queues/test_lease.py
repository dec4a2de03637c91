from __future__ import annotations

import time
from typing import Any

import botocore.config
import botocore.exceptions
import botocore.stub
import pytest

from airflow_agari_provider.queues.depth import read_depth
from airflow_agari_provider.queues.lease import Lease, received_before


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


def test_many_messages_are_held_and_deleted_ten_by_a_request(sqs, queue_url):
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": "1"})
    for number in range(25):
        sqs.send_message(QueueUrl=queue_url, MessageBody=str(number))
    extended: list[int] = []
    event = "provide-client-params.sqs.ChangeMessageVisibilityBatch"
    sqs.meta.events.register(event, lambda params, **_: extended.append(len(params["Entries"])), unique_id="note")
    with Lease(sqs, queue_url) as lease:
        messages = [*lease.receive(10, 0), *lease.receive_more(90)]
        time.sleep(0.5)
        lease.delete_all([message["MessageId"] for message in messages[:23]])
    sqs.meta.events.unregister(event, unique_id="note")
    assert sorted(extended[:3]) == [5, 10, 10]
    assert sorted(one["Body"] for one in messages) == sorted(map(str, range(25)))
    assert (read_depth(sqs, queue_url).visible, read_depth(sqs, queue_url).in_flight) == (2, 0)


def test_a_message_that_is_not_deleted_with_the_others_is_deleted_alone_or_told(sqs, queue_url, caplog):
    for number in range(3):
        sqs.send_message(QueueUrl=queue_url, MessageBody=str(number))
    with Lease(sqs, queue_url) as lease:
        first, second, third = (message["MessageId"] for message in lease.receive(10, 0))
        with botocore.stub.Stubber(sqs) as stub:
            refused = {"Id": "1", "SenderFault": True, "Code": "ReceiptHandleIsInvalid", "Message": "gone"}
            stub.add_response("delete_message_batch", {"Successful": [], "Failed": [refused]})
            stub.add_client_error("delete_message", "ReceiptHandleIsInvalid", http_status_code=400)
            lease.delete_all([first, second, third])
            stub.assert_no_pending_responses()
    assert f"Message {second} is imported, but SQS did not delete it" in caplog.text


@pytest.mark.parametrize(("times", "again"), [(1, False), (2, True)])
def test_a_message_tells_whether_it_was_received_before(sqs, queue_url, times, again):
    sqs.send_message(QueueUrl=queue_url, MessageBody="scored")
    for _ in range(times - 1):
        sqs.receive_message(QueueUrl=queue_url, VisibilityTimeout=0)
    with Lease(sqs, queue_url) as lease:
        (message,) = lease.receive(1, 0)
    assert received_before(message) is again
