"""Dead letters on queues of moto: looked at without harm, archived before they are deleted."""

from __future__ import annotations

import json
import pickle

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from airflow_agari_provider.dead_letter_archive import DeadLettersNotDeleted, Purged, archive_and_delete
from airflow_agari_provider.dead_letters import (
    DeadLetter,
    NoDeadLetterQueue,
    dead_letter_queue,
    peek,
    slack_report,
)
from airflow_agari_provider.queue_depth import QueueDepth, read_depth

NOTIFICATION = json.dumps(
    {
        "Records": [
            {
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": "agari"}, "object": {"key": "scored/dt%3D2016-04-28/part-0.avro"}},
            }
        ]
    }
)


def letter(body="scored", **message_attributes):
    return DeadLetter("m-1", body, {}, {name: {"StringValue": value} for name, value in message_attributes.items()})


@pytest.mark.parametrize(
    ("message_attributes", "exception"),
    [
        ({"ErrorMessage": "boom", "RequestID": "1"}, "boom"),
        ({"ERROR_MESSAGE": "no such endpoint"}, "no such endpoint"),
        ({"exception": "ValueError: no such column"}, "ValueError: no such column"),
        ({"x-exception-message": "cannot parse"}, "cannot parse"),
        ({"retries": "3"}, None),
        ({}, None),
    ],
)
def test_the_exception_is_read_from_the_attributes_that_senders_leave(message_attributes, exception):
    assert letter(**message_attributes).exception == exception


@pytest.mark.parametrize(
    ("body", "urls"),
    [
        (NOTIFICATION, ["s3://agari/scored/dt=2016-04-28/part-0.avro"]),
        (
            json.dumps({"Type": "Notification", "Message": NOTIFICATION}),
            ["s3://agari/scored/dt=2016-04-28/part-0.avro"],
        ),
        ("not of S3", []),
    ],
)
def test_the_objects_of_a_dead_notification_are_named(body, urls):
    assert [reference.url for reference in letter(body).objects] == urls


def test_a_look_leaves_the_message_visible_and_in_place(sqs, queue_url):
    sqs.send_message(
        QueueUrl=queue_url,
        MessageBody="dead",
        MessageAttributes={"ErrorMessage": {"DataType": "String", "StringValue": "boom"}},
    )
    found = peek(sqs, queue_url)
    assert (found.body, found.exception) == ("dead", "boom")
    assert read_depth(sqs, queue_url) == QueueDepth(1, 0, 0)


def test_an_empty_queue_has_no_sample(sqs, queue_url):
    assert peek(sqs, queue_url) is None


def test_a_dead_letter_queue_that_redrives_itself_is_not_looked_into(sqs, queue_url):
    last = sqs.create_queue(QueueName="very-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=last, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"RedrivePolicy": policy})
    sqs.send_message(QueueUrl=queue_url, MessageBody="dead")
    assert peek(sqs, queue_url) is None
    received = sqs.receive_message(QueueUrl=queue_url, MessageSystemAttributeNames=["All"])["Messages"]
    assert received[0]["Attributes"]["ApproximateReceiveCount"] == "1"


def test_a_connection_that_may_not_receive_gets_no_sample(caplog):
    sqs = boto3.client("sqs", region_name="us-east-1")
    with Stubber(sqs) as stub:
        stub.add_response("get_queue_attributes", {})
        stub.add_client_error("receive_message", "AccessDenied", http_status_code=403)
        assert peek(sqs, "https://sqs/dead") is None
    assert "No sample" in caplog.text


def test_the_dead_letter_queue_is_found_from_its_source(sqs, queue_url):
    dead = sqs.create_queue(QueueName="importer-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    with pytest.raises(NoDeadLetterQueue, match="no redrive policy"):
        dead_letter_queue(sqs, None, queue_url)
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"RedrivePolicy": policy})
    assert dead_letter_queue(sqs, None, queue_url) == dead
    assert dead_letter_queue(sqs, "https://sqs/given", None) == "https://sqs/given"


def test_slack_gets_no_markup_out_of_a_message():
    text, blocks = slack_report("a & b", "<!channel> ```bold``` " + "&" * 4000, "body")
    shown = [block["text"]["text"] for block in blocks]
    assert text == shown[0] == "a &amp; b"
    assert shown[1].startswith("```&lt;!channel&gt; '''bold''' &amp;")
    assert "<" not in shown[1]
    assert shown[1].endswith("(4022 characters)```")
    assert shown[2] == "```body```"
    assert max(map(len, shown)) <= 3000


def test_slack_is_told_when_no_exception_is_known():
    assert slack_report("title", None, "body")[1][1]["text"]["text"] == "```No exception text is known.```"


# The archive


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


def test_no_more_than_the_limit_is_taken(sqs, s3, queue_url, bucket):
    for number in range(15):
        sqs.send_message(QueueUrl=queue_url, MessageBody=f"dead {number}")
    assert archive_and_delete(sqs, s3, queue_url, "s3://agari/dead", at_most=12).count == 12
    assert read_depth(sqs, queue_url) == QueueDepth(3, 0, 0)


def test_an_empty_queue_writes_no_object(sqs, s3, queue_url, bucket):
    assert archive_and_delete(sqs, s3, queue_url, "s3://agari/dead", at_most=0) == Purged(0, ())
    assert keys(s3) == []


def test_it_ends_when_somebody_else_holds_the_messages(sqs, s3, queue_url, bucket):
    sqs.send_message(QueueUrl=queue_url, MessageBody="dead")
    sqs.receive_message(QueueUrl=queue_url, VisibilityTimeout=60)
    assert archive_and_delete(sqs, s3, queue_url, "s3://agari/dead", at_most=1) == Purged(0, ())


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
