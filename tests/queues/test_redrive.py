"""Dead letters brought back by hand, from a queue of moto."""

from __future__ import annotations

import pickle

import boto3
import pytest

from airflow_agari_provider.queues.depth import QueueDepth, read_depth
from airflow_agari_provider.queues.letter_look import ReceivesMoveLetters
from airflow_agari_provider.queues.redrive import LettersNotSent, LettersSentNotDeleted, Redrive, Wanted
from tests.queues.letters import bodies, die
from tests.queues.letters import redrive as send_dead_letters_to

ALL = 1000


class Killed(BaseException):
    """As if the process had died."""


def test_letters_go_back_to_the_queue_from_which_they_came(sqs, queue_url, dead):
    for number in range(12):
        die(sqs, queue_url, f"letter\n{number:02}", ErrorMessage="boom")
    back = Redrive(sqs)
    back.from_queue(dead, ALL)
    assert (back.moved, back.left, back.homeless) == (12, 0, 0)
    assert read_depth(sqs, dead).total == 0
    received = sqs.receive_message(QueueUrl=queue_url, MessageAttributeNames=["All"])["Messages"][0]
    assert received["MessageAttributes"]["ErrorMessage"]["StringValue"] == "boom"
    assert len(bodies(sqs, queue_url)) == 11


@pytest.mark.parametrize(
    ("wanted", "moved"),
    [
        (Wanted(exception="time.?out"), ["slow"]),
        (Wanted(max_age=3600), ["slow", "bad"]),
        (Wanted(min_age=3600), []),
        (Wanted(exception="nothing like it"), []),
    ],
)
def test_only_wanted_letters_go_back_and_the_others_are_visible_again(sqs, queue_url, dead, wanted, moved):
    die(sqs, queue_url, "slow", ErrorMessage="Timeout of the database")
    die(sqs, queue_url, "bad", ErrorMessage="no such column")
    back = Redrive(sqs, wanted=wanted)
    back.from_queue(dead, ALL)
    assert (back.moved, back.left) == (len(moved), 2 - len(moved))
    assert read_depth(sqs, dead) == QueueDepth(2 - len(moved), 0, 0)
    assert sorted(bodies(sqs, queue_url)) == sorted(moved)


def test_letters_of_unknown_origin_stay_unless_a_queue_is_named(sqs, queue_url, dead):
    send_dead_letters_to(sqs, sqs.create_queue(QueueName="other")["QueueUrl"], dead)
    sqs.send_message(QueueUrl=dead, MessageBody="sent there directly")
    back = Redrive(sqs)
    back.from_queue(dead, ALL)
    assert (back.moved, back.homeless) == (0, 1)
    back = Redrive(sqs, to_queue="importer")
    back.from_queue(dead, ALL)
    assert (back.moved, bodies(sqs, queue_url)) == (1, ["sent there directly"])


def test_a_fifo_queue_gets_its_groups_in_order_and_no_double(sqs):
    fifo = {"FifoQueue": "true"}
    source = sqs.create_queue(QueueName="importer.fifo", Attributes=fifo)["QueueUrl"]
    dead = sqs.create_queue(QueueName="dead.fifo", Attributes=fifo)["QueueUrl"]
    for number in range(4):
        sqs.send_message(
            QueueUrl=dead, MessageBody=str(number), MessageGroupId="org", MessageDeduplicationId=f"d{number}"
        )
    back = Redrive(sqs, to_queue="importer.fifo")
    back.from_queue(dead, ALL)
    assert back.moved == 4
    got = []
    while messages := sqs.receive_message(QueueUrl=source, MessageSystemAttributeNames=["All"]).get("Messages"):
        got += [(one["Body"], one["Attributes"]["MessageGroupId"]) for one in messages]
        sqs.delete_message(QueueUrl=source, ReceiptHandle=messages[0]["ReceiptHandle"])
    assert got == [("0", "org"), ("1", "org"), ("2", "org"), ("3", "org")]


def test_a_process_that_dies_between_sending_and_deleting_loses_nothing(sqs, queue_url, dead):
    die(sqs, queue_url, "letter")
    dying = boto3.client("sqs", region_name="us-east-1")

    def kill(**_):
        raise Killed

    dying.meta.events.register("before-call.sqs.DeleteMessageBatch", kill)
    with pytest.raises(Killed):
        Redrive(dying).from_queue(dead, ALL)
    assert read_depth(sqs, dead).total == 1
    assert bodies(sqs, queue_url) == ["letter"]


def test_letters_that_a_queue_does_not_take_stay_visible_and_are_named(sqs, queue_url, dead):
    die(sqs, queue_url, "letter")
    refusing = boto3.client("sqs", region_name="us-east-1")

    def refuse(parsed, **_):
        parsed.update(Successful=[], Failed=[{"Id": "0", "Code": "AccessDenied", "Message": "no", "SenderFault": True}])

    refusing.meta.events.register("after-call.sqs.SendMessageBatch", refuse)
    with pytest.raises(LettersNotSent, match="sqs:SendMessage") as caught:
        Redrive(refusing).from_queue(dead, ALL)
    assert read_depth(sqs, dead) == QueueDepth(1, 0, 0)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_letters_that_were_sent_but_not_deleted_are_named(sqs, queue_url, dead):
    die(sqs, queue_url, "letter")
    keeping = boto3.client("sqs", region_name="us-east-1")

    def keep(parsed, **_):
        parsed.update(Successful=[], Failed=[{"Id": "0", "Code": "AccessDenied", "Message": "no", "SenderFault": True}])

    keeping.meta.events.register("after-call.sqs.DeleteMessageBatch", keep)
    with pytest.raises(LettersSentNotDeleted, match="sends them once more"):
        Redrive(keeping).from_queue(dead, ALL)


def test_a_dead_letter_queue_that_moves_letters_on_is_refused(sqs, queue_url, dead):
    with pytest.raises(ReceivesMoveLetters):
        Redrive(sqs).from_queue(queue_url, ALL)


def test_a_task_that_is_stopped_leaves_the_rest(sqs, queue_url, dead):
    for number in range(12):
        die(sqs, queue_url, str(number))
    asked = iter([False, True])
    back = Redrive(sqs, stopped=lambda: next(asked))
    back.from_queue(dead, ALL)
    assert back.moved == 10
    assert read_depth(sqs, dead) == QueueDepth(2, 0, 0)


def test_the_rate_is_kept(sqs, queue_url, dead):
    for number in range(12):
        die(sqs, queue_url, str(number))
    waits = []
    Redrive(sqs, per_second=5, sleep=waits.append).from_queue(dead, ALL)
    assert waits == [2, 0.4]
