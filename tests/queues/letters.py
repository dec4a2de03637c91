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
