"""
Reads S3 notifications: which objects were created. A message may come raw, through SNS or through EventBridge.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from airflow_agari_provider.exceptions import AgariError, cut

EXCERPT = 200  # characters of a message body that an error shows


class MalformedNotification(AgariError):
    """
    A message that is not an S3 notification.

    :param body: the message body.
    :param cause: what is wrong with it.
    """

    def __init__(self, body: str, cause: str) -> None:
        super().__init__(body, cause)
        self.body = body
        self.cause = cause

    def __str__(self) -> str:
        return (
            f"The message is not an S3 notification ({self.cause}): {cut(self.body, EXCERPT)!r}. "
            "Find out what else writes to this queue or topic; the queue may hold only S3 notifications."
        )


@dataclass(frozen=True)
class ObjectReference:
    """
    An object that S3 reported as created.

    :param key: as the S3 API takes it, not URL-encoded.
    :param version_id: None in a bucket without versioning.
    :param etag: without quotes; None if the message has no ETag.
    :param size: bytes; None if the message has no size.
    :param event: S3's name for what happened, such as ``ObjectCreated:Put``.
    """

    bucket: str
    key: str
    version_id: str | None
    etag: str | None
    size: int | None
    event: str

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def object_references(body: str) -> list[ObjectReference]:
    """
    Return the objects that a message body reports as created, in its order.

    Takes an S3 event notification, raw or in an SNS envelope, and an EventBridge event. S3's test event and events that
    create no object (deletions, tags, restores) give an empty list.
    Source: Amazon S3 user guide, "Event message structure" and "EventBridge event message structure".

    :raises MalformedNotification: the body is none of these.
    """
    try:
        message = json.loads(body)
        if not isinstance(message, Mapping):
            raise TypeError("not a JSON object")
        if message.get("Type") == "Notification":  # an SNS envelope
            return object_references(message["Message"])
        if message.get("Event") == "s3:TestEvent":
            return []
        if message.get("source") == "aws.s3":
            return _of_event_bridge(message)
        return [_of_record(record) for record in message["Records"] if _created(record["eventName"])]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedNotification(str(body), f"{type(error).__name__}: {error}") from error


def _created(event: str) -> bool:
    return event.removeprefix("s3:").startswith("ObjectCreated:")


def _of_record(record: Mapping[str, Any]) -> ObjectReference:
    bucket, stored = record["s3"]["bucket"]["name"], record["s3"]["object"]
    key = unquote_plus(stored["key"], errors="strict")
    return _reference(bucket, key, stored.get("versionId"), stored.get("eTag"), stored.get("size"), record["eventName"])


def _of_event_bridge(message: Mapping[str, Any]) -> list[ObjectReference]:
    if message["detail-type"] != "Object Created":
        return []
    bucket, stored = message["detail"]["bucket"]["name"], message["detail"]["object"]
    version_id, etag, size = stored.get("version-id"), stored.get("etag"), stored.get("size")
    return [
        _reference(bucket, stored["key"], version_id, etag, size, message["detail-type"])
    ]  # EventBridge does not URL-encode keys


def _reference(bucket: Any, key: Any, version_id: Any, etag: Any, size: Any, event: str) -> ObjectReference:
    if not (isinstance(bucket, str) and bucket and isinstance(key, str) and key):
        raise TypeError("the bucket or the key is not a text")
    return ObjectReference(
        bucket,
        key,
        version_id or None,
        str(etag).strip('"') if etag else None,
        int(size) if size is not None else None,
        event,
    )
