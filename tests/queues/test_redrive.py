"""Dead letters brought back by hand, from a queue of moto and from an archive in its S3."""

from __future__ import annotations

import json
import pickle

import boto3
import pytest
from botocore.stub import Stubber

from airflow_agari_provider.queues.archived_letters import BadArchive, redrive_archive
from airflow_agari_provider.queues.dead_letter_archive import Archive
from airflow_agari_provider.queues.depth import QueueDepth, read_depth
from airflow_agari_provider.queues.letter_formats import FORMATS
from airflow_agari_provider.queues.letter_look import ReceivesMoveLetters
from airflow_agari_provider.queues.redrive import LettersNotSent, LettersSentNotDeleted, Redrive, Wanted
from tests.queues.letters import redrive as send_dead_letters_to

ALL = 1000
ARCHIVE = "s3://agari/dead"


class Killed(BaseException):
    """As if the process had died."""


@pytest.fixture
def dead(sqs, queue_url):
    url = sqs.create_queue(QueueName="importer-dead")["QueueUrl"]
    send_dead_letters_to(sqs, queue_url, url)
    return url


def die(sqs, source, body, **attributes):
    """Let a message become a dead letter; its attributes are the sender's."""
    values = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    sqs.send_message(QueueUrl=source, MessageBody=body, MessageAttributes=values)
    for _ in range(2):
        sqs.receive_message(QueueUrl=source, VisibilityTimeout=0)


def bodies(sqs, url):
    found = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [message["Body"] for message in messages]
    return found


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


# From the archive


@pytest.fixture
def archived(sqs, s3, queue_url, dead, bucket):
    for number in range(12):
        die(sqs, queue_url, f"letter\n{number:02}", ErrorMessage="boom" if number else "other")
    Archive(sqs, s3, dead, ARCHIVE).take_up_to(12)
    return ARCHIVE


def test_archived_letters_go_back_once_with_their_attributes(sqs, s3, queue_url, archived):
    back = Redrive(sqs, to_queue="importer")
    assert len(redrive_archive(back, s3, archived, ALL)) == 2
    assert back.moved == 12
    received = sqs.receive_message(QueueUrl=queue_url, MessageAttributeNames=["All"])["Messages"][0]
    assert received["Body"].startswith("letter\n")
    assert "ErrorMessage" in received["MessageAttributes"]
    again = Redrive(sqs, to_queue="importer")
    assert redrive_archive(again, s3, archived, ALL) == []
    assert (again.moved, read_depth(sqs, queue_url).total) == (0, 12)


def test_a_filter_leaves_archived_letters_for_another_time(sqs, s3, queue_url, archived):
    back = Redrive(sqs, to_queue="importer", wanted=Wanted(exception="other"))
    redrive_archive(back, s3, archived, ALL)
    assert (back.moved, back.left) == (1, 11)
    back = Redrive(sqs, to_queue="importer")
    redrive_archive(back, s3, archived, ALL)
    assert back.moved == 11


def test_a_redrive_of_an_archive_that_dies_goes_on_where_it_was(sqs, s3, queue_url, archived):
    dying, calls = boto3.client("s3", region_name="us-east-1"), []

    def kill(**_):
        calls.append(1)
        if len(calls) == 2:
            raise Killed

    dying.meta.events.register("before-call.s3.PutObject", kill)
    with pytest.raises(Killed):
        redrive_archive(Redrive(sqs, to_queue="importer"), dying, archived, ALL)
    back = Redrive(sqs, to_queue="importer")
    redrive_archive(back, s3, archived, ALL)
    assert {back.moved, read_depth(sqs, queue_url).total - 12} <= {2, 10}  # one batch came twice


def test_binary_attributes_survive_the_archive(sqs, s3, queue_url, dead, bucket):
    value = {"DataType": "Binary", "BinaryValue": b"\x00\xff"}
    sqs.send_message(QueueUrl=dead, MessageBody="x", MessageAttributes={"checksum": value})
    Archive(sqs, s3, dead, ARCHIVE).take_up_to(1)
    redrive_archive(Redrive(sqs, to_queue="importer"), s3, ARCHIVE, ALL)
    received = sqs.receive_message(QueueUrl=queue_url, MessageAttributeNames=["All"])["Messages"][0]
    assert received["MessageAttributes"]["checksum"]["BinaryValue"] == b"\x00\xff"


def test_a_letter_that_a_dying_purge_archived_twice_comes_back_once(sqs, s3, queue_url, bucket):
    def store(name, *ids):
        lines = [{"message_id": one, "body": one, "attributes": {}, "message_attributes": {}} for one in ids]
        s3.put_object(Bucket="agari", Key=f"dead/{name}.jsonl", Body="".join(json.dumps(one) + "\n" for one in lines))

    store("b", "m1", "m2")
    store("c", "m2", "m3", "m3")
    back = Redrive(sqs, to_queue="importer")
    redrive_archive(back, s3, ARCHIVE, ALL)
    assert back.moved == 3
    store("a", "m3", "m4")  # a later purge, whose object is listed first
    redrive_archive(back, s3, ARCHIVE, ALL)
    assert sorted(bodies(sqs, queue_url)) == ["m1", "m2", "m3", "m4"]


def test_letters_come_back_from_an_archive_of_avro(sqs, s3, queue_url, dead, bucket):
    die(sqs, queue_url, "letter\n", ErrorMessage="boom")
    Archive(sqs, s3, dead, ARCHIVE, format=FORMATS["avro"]).take_up_to(1)
    redrive_archive(Redrive(sqs, to_queue="importer"), s3, ARCHIVE, ALL)
    (received,) = sqs.receive_message(QueueUrl=queue_url, MessageAttributeNames=["All"])["Messages"]
    assert received["Body"] == "letter\n"
    assert received["MessageAttributes"]["ErrorMessage"] == {"DataType": "String", "StringValue": "boom"}


def test_what_is_no_archive_is_refused(sqs, s3, queue_url, bucket):
    s3.put_object(Bucket="agari", Key="dead/x.jsonl", Body=b'{"rows": 3}\n')
    with pytest.raises(BadArchive, match=r"s3://agari/dead/x\.jsonl is no archive"):
        redrive_archive(Redrive(sqs, to_queue="importer"), s3, ARCHIVE, ALL)


# By SQS


def test_a_redrive_of_sqs_is_joined_and_counted():
    from airflow_agari_provider.queues.move_task import MoveTaskFailed, cancel, moved_by, start_or_join, state_of

    arn = "arn:aws:sqs:us-east-1:123456789012:importer-dead"
    running = {"Status": "RUNNING", "TaskHandle": "h", "StartedTimestamp": 5, "ApproximateNumberOfMessagesMoved": 2}
    old = {"Status": "COMPLETED", "StartedTimestamp": 1, "ApproximateNumberOfMessagesMoved": 900}
    sqs = boto3.client("sqs", region_name="us-east-1")
    with Stubber(sqs) as stub:
        stub.add_response("list_message_move_tasks", {"Results": [old]})
        stub.add_response(
            "start_message_move_task", {"TaskHandle": "h"}, {"SourceArn": arn, "MaxNumberOfMessagesPerSecond": 9}
        )
        for _ in range(3):
            stub.add_response("list_message_move_tasks", {"Results": [running, old]})
        stub.add_response("cancel_message_move_task", {"ApproximateNumberOfMessagesMoved": 2}, {"TaskHandle": "h"})
        done = {**running, "Status": "COMPLETED", "ApproximateNumberOfMessagesMoved": 40}
        stub.add_response("list_message_move_tasks", {"Results": [done, old]})
        task = start_or_join(sqs, arn, None, 9)
        assert start_or_join(sqs, arn, None, 9) == task
        cancel(sqs, task)
        assert moved_by(state_of(sqs, task)) == 40
    with pytest.raises(MoveTaskFailed, match="importer-dead is RUNNING after 2"):
        moved_by(task)
