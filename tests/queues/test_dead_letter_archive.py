"""Dead letters on queues of moto, archived before they are deleted."""

from __future__ import annotations

import json
import logging
import pickle
import time

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from airflow_agari_provider.queues.dead_letter_archive import Archive, ArchiveNotSound, DeadLettersNotDeleted
from airflow_agari_provider.queues.deliveries import DeadLettersLeft
from airflow_agari_provider.queues.depth import QueueDepth, read_depth
from airflow_agari_provider.queues.letter_formats import FORMATS


def archive_and_delete(sqs, s3, queue_url, archive_url, at_most, sleep=time.sleep):
    archive = Archive(sqs, s3, queue_url, archive_url, sleep)
    archive.take_up_to(at_most)
    return archive


def bodies(s3, urls):
    lines = [
        line
        for url in urls
        for line in s3.get_object(Bucket="agari", Key=url.removeprefix("s3://agari/"))["Body"].read().splitlines()
    ]
    return sorted(json.loads(line)["body"] for line in lines)


def keys(s3):
    return [found["Key"] for found in s3.list_objects_v2(Bucket="agari").get("Contents", [])]


def test_every_message_is_archived_and_deleted(sqs, s3, queue_url, bucket):
    for number in range(23):
        sqs.send_message(QueueUrl=queue_url, MessageBody=f"dead {number:02}")
    purged = archive_and_delete(sqs, s3, queue_url, "s3://agari/dead/importer", at_most=23)
    assert purged.count == 23
    assert len(purged.archive_urls) == 3
    assert all(url.startswith("s3://agari/dead/importer/importer-") for url in purged.archive_urls)
    assert bodies(s3, purged.archive_urls) == [f"dead {number:02}" for number in range(23)]
    assert read_depth(sqs, queue_url).total == 0


def test_a_copy_holds_all_that_sqs_knows_of_a_message(sqs, s3, queue_url, bucket):
    sent = sqs.send_message(
        QueueUrl=queue_url,
        MessageBody="größer\n",
        MessageAttributes={
            "ErrorMessage": {"DataType": "String", "StringValue": "boom"},
            "checksum": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    )
    purged = archive_and_delete(sqs, s3, queue_url, "s3://agari", at_most=1)
    key = purged.archive_urls[0].removeprefix("s3://agari/")
    copy = json.loads(s3.get_object(Bucket="agari", Key=key)["Body"].read())
    assert copy["message_id"] == sent["MessageId"]
    assert copy["queue_url"] == queue_url
    assert copy["body"] == "größer\n"
    assert copy["receive_count"] == 1
    assert "SentTimestamp" in copy["attributes"]
    assert copy["message_attributes"] == {
        "ErrorMessage": {"DataType": "String", "StringValue": "boom"},
        "checksum": {"DataType": "Binary", "BinaryValue": "AP8="},
    }


@pytest.mark.parametrize("prefix", ["dead#1/letters", "dead?2/letters", "dead%2F/letters", "dead/letters/"])
def test_letters_are_stored_below_the_whole_prefix_whatever_it_is_called(sqs, s3, queue_url, bucket, prefix):
    sqs.send_message(QueueUrl=queue_url, MessageBody="dead")
    purged = archive_and_delete(sqs, s3, queue_url, f"s3://agari/{prefix}", at_most=1)
    (stored,) = [item["Key"] for item in s3.list_objects_v2(Bucket="agari")["Contents"]]
    assert stored.startswith(f"{prefix.rstrip('/')}/importer-")
    assert purged.archive_urls == [f"s3://agari/{stored}"]


def test_no_more_than_the_limit_is_taken(sqs, s3, queue_url, bucket):
    for number in range(15):
        sqs.send_message(QueueUrl=queue_url, MessageBody=f"dead {number}")
    assert archive_and_delete(sqs, s3, queue_url, "s3://agari/dead", at_most=12).count == 12
    assert read_depth(sqs, queue_url) == QueueDepth(3, 0, 0)


def test_an_empty_queue_writes_no_object(sqs, s3, queue_url, bucket):
    assert archive_and_delete(sqs, s3, queue_url, "s3://agari/dead", at_most=0).archive_urls == []
    assert keys(s3) == []


def test_it_ends_when_somebody_else_holds_the_messages(sqs, s3, queue_url, bucket):
    sqs.send_message(QueueUrl=queue_url, MessageBody="dead")
    sqs.receive_message(QueueUrl=queue_url, VisibilityTimeout=60)
    assert archive_and_delete(sqs, s3, queue_url, "s3://agari/dead", at_most=1).count == 0
    assert keys(s3) == []


def test_without_an_archive_nothing_is_deleted_and_a_retry_finds_it_at_once(sqs, s3, queue_url):
    sqs.send_message(QueueUrl=queue_url, MessageBody="dead")
    with pytest.raises(ClientError, match="NoSuchBucket"):
        archive_and_delete(sqs, s3, queue_url, "s3://no-such-bucket/dead", at_most=1)
    assert read_depth(sqs, queue_url) == QueueDepth(1, 0, 0)


@pytest.mark.parametrize("archive_url", ["", "agari/dead", "https://agari/dead", "s3:///dead"])
def test_a_wrong_archive_is_refused_before_anything_is_received(sqs, s3, queue_url, archive_url):
    sqs.send_message(QueueUrl=queue_url, MessageBody="dead")
    with pytest.raises(ValueError, match="s3://bucket/prefix"):
        archive_and_delete(sqs, s3, queue_url, archive_url, at_most=1)
    received = sqs.receive_message(QueueUrl=queue_url, MessageSystemAttributeNames=["All"])["Messages"]
    assert received[0]["Attributes"]["ApproximateReceiveCount"] == "1"


class Killed(BaseException):
    """As sudden as a SIGKILL: nothing of the package catches it."""


def test_a_run_that_dies_between_copy_and_deletion_is_repeated_into_the_same_object(sqs, s3, queue_url, bucket):
    received = []

    def die(**_):
        raise Killed

    sqs.send_message(QueueUrl=queue_url, MessageBody="dead")
    dying = boto3.client("sqs", region_name="us-east-1")
    dying.meta.events.register("after-call.sqs.ReceiveMessage", lambda parsed, **_: received.append(parsed))
    dying.meta.events.register("before-call.sqs.DeleteMessageBatch", die)
    with pytest.raises(Killed):
        archive_and_delete(dying, s3, queue_url, "s3://agari/dead", at_most=1)
    first = keys(s3)
    assert len(first) == 1
    assert read_depth(sqs, queue_url) == QueueDepth(0, 1, 0)  # hidden for a minute, then there again

    handle = received[0]["Messages"][0]["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=queue_url, ReceiptHandle=handle, VisibilityTimeout=0)  # the minute is over
    assert archive_and_delete(sqs, s3, queue_url, "s3://agari/dead", at_most=1).count == 1
    assert keys(s3) == first
    assert read_depth(sqs, queue_url).total == 0


def test_messages_that_sqs_keeps_are_named_and_say_what_to_do(s3, bucket):
    url = "https://sqs.us-east-1.amazonaws.com/1/importer-dead"
    sqs = boto3.client("sqs", region_name="us-east-1")
    messages = [{"MessageId": f"m-{n}", "ReceiptHandle": f"r-{n}", "Body": f"dead {n}"} for n in range(2)]
    with Stubber(sqs) as stub:
        stub.add_response("receive_message", {"Messages": messages})
        stub.add_response(
            "delete_message_batch",
            {
                "Successful": [{"Id": "0"}],
                "Failed": [{"Id": "1", "Code": "ReceiptHandleIsInvalid", "Message": "expired", "SenderFault": True}],
            },
        )
        stub.add_response(
            "change_message_visibility_batch",
            {"Successful": [], "Failed": []},
            {"QueueUrl": url, "Entries": [{"Id": "0", "ReceiptHandle": "r-1", "VisibilityTimeout": 0}]},
        )
        with pytest.raises(DeadLettersNotDeleted) as caught:
            archive_and_delete(sqs, s3, url, "s3://agari/dead", at_most=2)
        stub.assert_no_pending_responses()
    assert caught.value.causes == {"m-1": "ReceiptHandleIsInvalid expired"}
    assert "run this task again" in str(caught.value)
    assert bodies(s3, caught.value.archive_urls) == ["dead 0", "dead 1"]
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def failing_once(client, *calls):
    """The client, whose first request of each of these calls is throttled."""
    for call in calls:
        answers = iter(
            [ClientError({"Error": {"Code": "Throttling"}, "ResponseMetadata": {"HTTPStatusCode": 400}}, call)]
        )

        def throttle(answers=answers, **_):
            if error := next(answers, None):
                raise error

        client.meta.events.register(f"before-call.{client.meta.service_model.service_name}.{call}", throttle)
    return client


def test_a_throttled_request_is_sent_again(sqs, s3, queue_url, bucket):
    sqs.send_message(QueueUrl=queue_url, MessageBody="dead")
    throttled = failing_once(boto3.client("sqs", region_name="us-east-1"), "ReceiveMessage", "DeleteMessageBatch")
    store = failing_once(boto3.client("s3", region_name="us-east-1"), "PutObject")
    waits = []
    assert archive_and_delete(throttled, store, queue_url, "s3://agari/dead", 1, waits.append).count == 1
    assert waits == [1, 1, 1]
    assert read_depth(sqs, queue_url).total == 0
    assert len(keys(s3)) == 1


def test_messages_that_cannot_be_deleted_at_all_are_given_back(sqs, s3, queue_url, bucket):
    sqs.send_message(QueueUrl=queue_url, MessageBody="dead")

    def deny(**_):
        answer = {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        raise ClientError(answer, "DeleteMessageBatch")

    denied = boto3.client("sqs", region_name="us-east-1")
    denied.meta.events.register("before-call.sqs.DeleteMessageBatch", deny)
    with pytest.raises(ClientError, match="AccessDenied"):
        archive_and_delete(denied, s3, queue_url, "s3://agari/dead", at_most=1)
    assert read_depth(sqs, queue_url) == QueueDepth(1, 0, 0)


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self):
        self.now = 0.0

    def sleep(self, seconds):
        self.now += seconds


def deaf(answers):
    """A client to which SQS delivers nothing for so many receives."""
    client = boto3.client("sqs", region_name="us-east-1")
    left = [answers]

    def deliver_nothing(params, **_):
        if left[0]:
            left[0] -= 1
            return AWSResponse("", 200, {}, None), {"Messages": [], "ResponseMetadata": {}}
        return None

    client.meta.events.register("before-call.sqs.ReceiveMessage", deliver_nothing)
    return client


def test_an_empty_receive_is_no_end_while_the_queue_counts_messages(sqs, s3, queue_url, bucket):
    for number in range(3):
        sqs.send_message(QueueUrl=queue_url, MessageBody=str(number))
    clock = Clock()
    archive = Archive(deaf(4), s3, queue_url, "s3://agari/dead", clock.sleep, lambda: clock.now)
    assert archive.take_those_there(100) == 3
    assert archive.count == 3


def test_messages_that_are_counted_but_not_delivered_are_no_success(sqs, s3, queue_url, bucket):
    sqs.send_message(QueueUrl=queue_url, MessageBody="x")
    clock = Clock()
    archive = Archive(deaf(99), s3, queue_url, "s3://agari/dead", clock.sleep, lambda: clock.now)
    with pytest.raises(DeadLettersLeft, match="counts 1 more and has not delivered any for 75 s") as caught:
        archive.take_those_there(100)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_count_of_0_does_not_end_a_purge(sqs, s3, queue_url, bucket):
    for number in range(12):
        sqs.send_message(QueueUrl=queue_url, MessageBody=str(number))
    wrong = boto3.client("sqs", region_name="us-east-1")
    first = iter([True])

    def drop_to_0(parsed, **_):
        if next(first, False):
            parsed["Attributes"] = dict.fromkeys(parsed["Attributes"], "0")

    wrong.meta.events.register("after-call.sqs.GetQueueAttributes", drop_to_0)
    archive = Archive(wrong, s3, queue_url, "s3://agari/dead")
    assert archive.take_those_there(100) == 12
    assert archive.count == 12


def test_an_error_while_messages_are_given_back_does_not_hide_the_first(sqs, s3, queue_url, bucket):
    sqs.send_message(QueueUrl=queue_url, MessageBody="x")
    broken = boto3.client("sqs", region_name="us-east-1")

    def fail(**_):
        raise RuntimeError("giving back")

    broken.meta.events.register("before-call.sqs.ChangeMessageVisibilityBatch", fail)
    with pytest.raises(ClientError, match="NoSuchBucket"):
        archive_and_delete(broken, s3, queue_url, "s3://nowhere/dead", at_most=1)


# The copy is read back before the messages are deleted


@pytest.mark.parametrize(
    ("problem", "spoil"),
    [
        ("cannot be read", lambda body: body[:40]),
        ("other letters came back", lambda body: body.replace(b"dead", b"deaf")),
        ("other letters came back", lambda body: b""),
    ],
    ids=["cut", "changed", "empty"],
)
def test_a_copy_that_is_not_what_was_written_deletes_nothing(sqs, s3, queue_url, bucket, problem, spoil):
    sqs.send_message(QueueUrl=queue_url, MessageBody="dead")

    class Spoiling:
        """What was stored is spoilt before it is read back."""

        def put_object(self, **request):
            return s3.put_object(**request | {"Body": spoil(request["Body"])})

        get_object = staticmethod(s3.get_object)

    with pytest.raises(ArchiveNotSound, match=f"archive of 1 dead letter.*{problem}.*nothing is lost") as caught:
        archive_and_delete(sqs, Spoiling(), queue_url, "s3://agari/dead", at_most=1)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert read_depth(sqs, queue_url) == QueueDepth(1, 0, 0)


def test_a_copy_that_may_not_be_read_back_deletes_nothing_and_says_what_is_missing(sqs, s3, queue_url, bucket):
    sqs.send_message(QueueUrl=queue_url, MessageBody="dead")

    def refuse(**_):
        answer = {"Error": {"Code": "AccessDenied", "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        return AWSResponse("", 403, {}, None), answer

    refusing = boto3.client("s3", region_name="us-east-1")
    refusing.meta.events.register("before-call.s3.GetObject", refuse)
    with pytest.raises(ClientError, match="The connection needs s3:GetObject on s3://agari/dead/importer-"):
        archive_and_delete(sqs, refusing, queue_url, "s3://agari/dead", at_most=1)
    assert read_depth(sqs, queue_url) == QueueDepth(1, 0, 0)


def test_another_purge_that_stores_the_same_letters_meanwhile_is_no_damage(sqs, s3, queue_url, bucket):
    sqs.send_message(QueueUrl=queue_url, MessageBody="dead")

    class Racing:
        def put_object(self, **request):
            s3.put_object(**request)
            later = request["Body"].replace(b'"ApproximateReceiveCount": "1"', b'"ApproximateReceiveCount": "2"')
            assert later != request["Body"]
            return s3.put_object(**request | {"Body": later})

        get_object = staticmethod(s3.get_object)

    assert archive_and_delete(sqs, Racing(), queue_url, "s3://agari/dead", at_most=1).count == 1


def test_letters_may_be_archived_as_avro(sqs, s3, queue_url, bucket):
    sqs.send_message(QueueUrl=queue_url, MessageBody="dead")
    archive = Archive(sqs, s3, queue_url, "s3://agari/dead", format=FORMATS["avro"])
    archive.take_up_to(1)
    (url,) = archive.archive_urls
    assert url.endswith(".avro")
    body = s3.get_object(Bucket="agari", Key=url.removeprefix("s3://agari/"))["Body"].read()
    assert [letter.body for letter in FORMATS["avro"].read(body)] == ["dead"]


def test_a_long_purge_tells_how_far_it_is(sqs, s3, queue_url, bucket, caplog):
    caplog.set_level(logging.INFO)
    for number in range(25):
        sqs.send_message(QueueUrl=queue_url, MessageBody=str(number))
    times = iter(range(0, 1000, 6))
    Archive(sqs, s3, queue_url, "s3://agari/dead", clock=lambda: next(times)).take_those_there(100)
    told = [record.getMessage() for record in caplog.records if "Archived and deleted" in record.getMessage()]
    assert told == [f"Archived and deleted 20 of about 25 dead letter(s) of {queue_url}: 1.7/s, about 3 s to go"]
