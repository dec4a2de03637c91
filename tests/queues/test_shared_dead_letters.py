"""A dead-letter queue that several queues share, or whose letters are old."""

from __future__ import annotations

import logging

import pytest

from airflow_agari_provider.queues.drain import poll, start_watch
from airflow_agari_provider.queues.drain_errors import DeadLettersGrew
from tests.queues.letters import redrive


@pytest.fixture
def queues(sqs, queue_url):
    """(this pipeline's queue, the other's, the dead-letter queue of both)."""
    other = sqs.create_queue(QueueName="other")["QueueUrl"]
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    for source in (queue_url, other):
        redrive(sqs, source, dead)
    return queue_url, other, dead


@pytest.fixture
def sqs(sqs):
    """moto does not tell where a letter came from, as SQS does: here its body says it."""

    def tell_source(parsed, **_):
        for message in parsed.get("Messages", []):
            name = "other" if "another pipeline" in message["Body"] else "importer"
            message.setdefault("Attributes", {})["DeadLetterQueueSourceArn"] = (
                f"arn:aws:sqs:us-east-1:123456789012:{name}"
            )

    sqs.meta.events.register("after-call.sqs.ReceiveMessage", tell_source)
    return sqs


def die(sqs, source, body):
    sqs.send_message(QueueUrl=source, MessageBody=body)
    for _ in range(2):
        sqs.receive_message(QueueUrl=source, VisibilityTimeout=0)


def test_a_letter_of_another_pipeline_fails_no_run(sqs, queues, caplog):
    caplog.set_level(logging.INFO)
    ours, other, _ = queues
    watch = start_watch(sqs, [ours], quiet_period=5)
    poll(sqs, watch, 0)
    die(sqs, other, "of another pipeline")
    assert [poll(sqs, watch, now) for now in range(1, 7)][-1] is None
    assert "are of other queues" in caplog.text
    assert watch.summary()["new_dead_letters"] == 0


def test_a_letter_of_this_pipeline_fails_and_is_the_sample(sqs, queues):
    ours, other, dead = queues
    for number in range(3):
        sqs.send_message(QueueUrl=dead, MessageBody=f"old {number}")
    watch = start_watch(sqs, [ours], quiet_period=5)
    poll(sqs, watch, 0)
    die(sqs, other, "of another pipeline")
    die(sqs, ours, "ours")
    with pytest.raises(DeadLettersGrew, match="body 'ours'"):
        [poll(sqs, watch, now) for now in range(1, 7)]


def test_a_dead_letter_queue_that_goes_away_does_not_end_the_wait(sqs, queues, caplog):
    ours, _, dead = queues
    sqs.send_message(QueueUrl=ours, MessageBody="work")
    watch = start_watch(sqs, [ours], quiet_period=5, max_unknown=3)
    poll(sqs, watch, 0)
    sqs.delete_queue(QueueUrl=dead)
    sqs.purge_queue(QueueUrl=ours)
    assert [poll(sqs, watch, now) for now in range(1, 8)][-1] is None
    assert watch.summary()["unread_dead_letters"] == [dead]
    assert caplog.text.count("New dead letters are not noticed") == 1
