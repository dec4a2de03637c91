"""Dead letters brought back from an archive in moto's S3."""

from __future__ import annotations

import json

import boto3
import pytest

from airflow_agari_provider.queues.archived_letters import BadArchive, redrive_archive
from airflow_agari_provider.queues.dead_letter_archive import Archive
from airflow_agari_provider.queues.depth import read_depth
from airflow_agari_provider.queues.letter_formats import FORMATS
from airflow_agari_provider.queues.redrive import Redrive, Wanted
from tests.queues.letters import bodies, die

ALL = 1000
ARCHIVE = "s3://agari/dead"


class Killed(BaseException):
    """As if the process had died."""


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


@pytest.mark.parametrize(
    "note",
    [b"", b"{", b'{"m1": 1}', b'"m1"', b"[1]", b"null", b"\xff", b"[" * 100_000],
    ids=lambda note: ascii(note[:9]),
)
def test_without_the_note_of_what_was_sent_nothing_is_sent_twice(sqs, s3, queue_url, bucket, note):
    letter = {"message_id": "m1", "body": "x", "attributes": {}, "message_attributes": {}}
    s3.put_object(Bucket="agari", Key="dead/a.jsonl", Body=json.dumps(letter))
    s3.put_object(Bucket="agari", Key="dead/a.jsonl.redriven", Body=note)
    with pytest.raises(BadArchive, match=r"s3://agari/dead/a\.jsonl\.redriven .* is not the list of the message ids"):
        redrive_archive(Redrive(sqs, to_queue="importer"), s3, ARCHIVE, ALL)
    assert read_depth(sqs, queue_url).total == 0


def test_no_more_than_wanted_are_sent_and_the_rest_next_time(sqs, s3, queue_url, archived):
    back = Redrive(sqs, to_queue="importer")
    redrive_archive(back, s3, archived, 7)
    assert (back.moved, read_depth(sqs, queue_url).total) == (7, 7)
    back = Redrive(sqs, to_queue="importer")
    redrive_archive(back, s3, archived, ALL)
    assert (back.moved, len(set(bodies(sqs, queue_url)))) == (5, 12)


def test_a_folder_whose_name_only_begins_alike_is_another_archive(sqs, s3, queue_url, bucket):
    letter = {"message_id": "m1", "body": "x", "attributes": {}, "message_attributes": {}}
    s3.put_object(Bucket="agari", Key="dead-2/a.jsonl", Body=json.dumps(letter))
    back = Redrive(sqs, to_queue="importer")
    assert (redrive_archive(back, s3, ARCHIVE, ALL), back.moved) == ([], 0)
