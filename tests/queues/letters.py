"""Dead letters that name S3 objects."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus


def notification(*keys: str, bucket: str = "agari") -> str:
    """S3's notification of these objects, with one record for each."""
    entries = [{"bucket": {"name": bucket}, "object": {"key": quote_plus(key)}} for key in keys]
    return json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": entry} for entry in entries]})


def envelope(body: str) -> str:
    """The same as SNS sends it."""
    return json.dumps({"Type": "Notification", "Message": body})


def redrive(sqs: Any, source: str, dead: str, maximum: int = 1) -> None:
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": maximum})
    sqs.set_queue_attributes(QueueUrl=source, Attributes={"RedrivePolicy": policy})


def die(sqs: Any, source: str, body: str, **attributes: str) -> None:
    """Let a message become a dead letter; its attributes are the sender's."""
    values = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    sqs.send_message(QueueUrl=source, MessageBody=body, MessageAttributes=values)
    for _ in range(2):
        sqs.receive_message(QueueUrl=source, VisibilityTimeout=0)


def bodies(sqs: Any, url: str) -> list[str]:
    """Receive all messages of a queue."""
    found: list[str] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [message["Body"] for message in messages]
    return found
