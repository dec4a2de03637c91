"""A look at letters leaves each of them in its queue, visible."""

from __future__ import annotations

import pytest

from airflow_agari_provider.queues.depth import QueueDepth, read_depth
from airflow_agari_provider.queues.letter_look import LONGEST, Look, ReceivesMoveLetters, look
from tests.queues.letters import redrive
from tests.queues.test_letter_causes import letter

OURS = "arn:aws:sqs:us-east-1:123456789012:importer"


def of(source, sent):
    found = letter(f"{source} {sent}", sent=sent)
    found.attributes.update({"DeadLetterQueueSourceArn": source} if source else {})
    return found


def test_letters_of_other_queues_and_of_earlier_are_not_ours():
    found = Look([of(OURS, 300), of(OURS, 100), of("another", 300), of(None, 300), of(OURS, None)])
    assert [one.body for one in found.of([OURS], since=200)] == [f"{OURS} 300", "None 300", f"{OURS} None"]
    assert len(found.of([OURS])) == 4


def test_the_one_sent_last_comes_first_and_all_stay_visible(sqs, queue_url):
    for number in range(5):
        sqs.send_message(QueueUrl=queue_url, MessageBody=str(number))
    found = look(sqs, queue_url)
    assert len(found.letters) == 5
    assert [one.sent_at for one in found.letters] == sorted((one.sent_at for one in found.letters), reverse=True)
    assert read_depth(sqs, queue_url) == QueueDepth(5, 0, 0)


def test_beyond_the_most_the_rest_is_counted(sqs, queue_url):
    for number in range(8):
        sqs.send_message(QueueUrl=queue_url, MessageBody=str(number))
    found = look(sqs, queue_url, most=5)
    assert (len(found.letters), found.unseen) == (5, 3)


def test_a_look_ends_before_the_first_letter_could_be_received_again(sqs, queue_url):
    for number in range(30):
        sqs.send_message(QueueUrl=queue_url, MessageBody=str(number))
    seconds = iter(range(0, 10 * LONGEST, LONGEST // 2))
    assert len(look(sqs, queue_url, clock=lambda: next(seconds)).letters) == 10


def test_a_queue_whose_receives_move_letters_on_is_not_received_from(sqs):
    first, last = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("first-dead", "last-dead"))
    redrive(sqs, first, last)
    sqs.send_message(QueueUrl=first, MessageBody="x")
    with pytest.raises(ReceivesMoveLetters, match="redrive policy of its own"):
        look(sqs, first)
    assert read_depth(sqs, first) == QueueDepth(1, 0, 0)
