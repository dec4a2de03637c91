"""When a queue that is being emptied delivers no more."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber

from airflow_agari_provider.queues.deliveries import PAUSE, SETTLED_AFTER, DeadLettersLeft, Deliveries

URL = "https://sqs/dead"


class Queue:
    """A queue that counts so many visible messages, and a clock that only sleeping moves on."""

    def __init__(self, *visible: int) -> None:
        self.now = 0.0
        self.sqs = boto3.client("sqs", region_name="us-east-1")
        stub = Stubber(self.sqs)
        for count in visible:
            counts = {"ApproximateNumberOfMessages": str(count)}
            counts |= {f"ApproximateNumberOfMessages{kind}": "0" for kind in ("NotVisible", "Delayed")}
            stub.add_response("get_queue_attributes", {"Attributes": counts})
        stub.activate()
        self.deliveries = Deliveries(self.sqs, URL, self.sleep, lambda: self.now)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def over(self, new: int) -> bool:
        return self.deliveries.over(new, done=20)


def test_two_empty_receives_with_a_count_of_nothing_end_it():
    queue = Queue(0, 0)
    assert [queue.over(new) for new in (10, 0, 0)] == [False, False, True]
    assert queue.now == 0


def test_new_messages_begin_the_count_of_empty_receives_anew():
    queue = Queue(0, 0, 0)
    assert [queue.over(new) for new in (0, 3, 0, 0)] == [False, False, False, True]


def test_an_empty_receive_of_a_queue_that_counts_messages_is_waited_for():
    queue = Queue(4980, 0)
    assert [queue.over(0), queue.over(0)] == [False, True]
    assert queue.now == PAUSE


def test_messages_that_are_never_delivered_are_an_error_that_says_how_many():
    queue = Queue(*[4980] * 20)
    with pytest.raises(DeadLettersLeft, match=r"20 dead letter.* counts 4980 more.*Nothing is lost"):
        any(queue.over(0) for _ in range(20))
    assert queue.now == SETTLED_AFTER
