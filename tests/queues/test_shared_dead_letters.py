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


@pytest.fixture
def crowded(sqs, queues):
    """120 old letters of the other pipeline."""
    for start in range(0, 120, 10):
        entries = [{"Id": str(number), "MessageBody": f"of another pipeline {start + number}"} for number in range(10)]
        sqs.send_message_batch(QueueUrl=queues[2], Entries=entries)
    return queues


def test_a_letter_of_another_pipeline_fails_no_run_however_many_there_are(sqs, crowded):
    ours, other, _ = crowded
    watch = start_watch(sqs, [ours], quiet_period=5)
    poll(sqs, watch, 0)
    die(sqs, other, "of another pipeline")
    assert [poll(sqs, watch, now) for now in range(1, 7)][-1] is None
    assert (watch.summary()["new_dead_letters"], watch.unknown_dead_letters) == (0, {})


def test_a_letter_of_this_pipeline_is_found_among_any_number(sqs, crowded):
    ours, other, _ = crowded
    watch = start_watch(sqs, [ours], quiet_period=5)
    poll(sqs, watch, 0)
    die(sqs, other, "of another pipeline")
    die(sqs, ours, "ours")
    with pytest.raises(DeadLettersGrew, match=r"grew from 121 to 122 .*body 'ours'"):
        [poll(sqs, watch, now) for now in range(1, 7)]


def test_letters_that_another_reader_holds_are_looked_at_when_they_are_back(sqs, queues):
    ours, other, dead = queues
    watch = start_watch(sqs, [ours], quiet_period=5)
    poll(sqs, watch, 0)
    die(sqs, other, "of another pipeline")
    die(sqs, ours, "ours")
    held = sqs.receive_message(QueueUrl=dead, VisibilityTimeout=60, MaxNumberOfMessages=10)["Messages"]
    assert all(poll(sqs, watch, now) is not None for now in range(1, 4))
    for message in held:
        sqs.change_message_visibility(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    with pytest.raises(DeadLettersGrew, match=r"grew from 1 to 2 .*body 'ours'"):
        poll(sqs, watch, 4)


def test_letters_that_stay_hidden_fail_no_run_but_are_told(sqs, queues, caplog, monkeypatch):
    monkeypatch.setattr("airflow_agari_provider.queues.drain.MOST_LOOKS", 2)
    monkeypatch.setattr("airflow_agari_provider.queues.letter_count.MOST_LOOKS", 2)
    ours, other, dead = queues
    watch = start_watch(sqs, [ours], quiet_period=5)
    poll(sqs, watch, 0)
    die(sqs, other, "of another pipeline")
    sqs.receive_message(QueueUrl=dead, VisibilityTimeout=600, MaxNumberOfMessages=10)
    pauses = [poll(sqs, watch, now) for now in range(1, 9)]
    assert pauses[:2].count(None) == 0
    assert pauses[-1] is None
    assert watch.summary()["unknown_dead_letters"] == {dead: 1}
    assert caplog.text.count("They do not fail this wait; look whether some are of its queues.") == 1
