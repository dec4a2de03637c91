"""Dead letters on queues of moto, looked at without harm."""

from __future__ import annotations

import json

import boto3
import pytest
from botocore.stub import Stubber

from airflow_agari_provider.queues.dead_letters import DeadLetter, NoDeadLetterQueue, dead_letter_queue, peek
from airflow_agari_provider.queues.depth import DepthUnknown, QueueDepth, read_depth

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
        stub.add_response("get_queue_attributes", {"Attributes": {"VisibilityTimeout": "30"}})
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


def test_a_dead_letter_queue_that_cannot_be_looked_up_for_now_is_unknown_and_not_missing():
    sqs = boto3.client("sqs", region_name="us-east-1")
    policy = json.dumps({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:importer-dead"})
    with Stubber(sqs) as stub:
        stub.add_response("get_queue_attributes", {"Attributes": {"VisibilityTimeout": "30", "RedrivePolicy": policy}})
        stub.add_client_error("get_queue_url", "RequestThrottled", http_status_code=400)
        with pytest.raises(DepthUnknown, match="RequestThrottled"):
            dead_letter_queue(sqs, None, "https://sqs/importer")
