"""Moves the messages of a dead-letter queue to S3: a message is deleted only after its copy is stored."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.queues.patience import patiently, request_errors
from airflow_agari_provider.s3.urls import split_url

logger = logging.getLogger(__name__)

BATCH = 10  # messages; the most that SQS delivers or deletes in one request
HIDDEN = 120  # seconds a batch stays hidden: storing and deleting it takes less than one, but a request may be retried


class DeadLettersNotDeleted(AgariError):
    """
    Some messages are archived, but still in the queue.

    :param queue_url: URL of the dead-letter queue.
    :param causes: message id -> what SQS answered.
    :param archive_urls: URLs of the objects that contain all messages of this run, including the ones not deleted.
    """

    def __init__(self, queue_url: str, causes: dict[str, str], archive_urls: tuple[str, ...]) -> None:
        super().__init__(queue_url, causes, archive_urls)
        self.queue_url, self.causes, self.archive_urls = queue_url, causes, archive_urls

    def __str__(self) -> str:
        first, cause = next(iter(self.causes.items()))
        return (
            f"{len(self.causes)} dead letter(s) of {self.queue_url} are archived but not deleted, "
            f"first {first}: {cause}. Nothing is lost ({len(self.archive_urls)} object(s) archived, last "
            f"{self.archive_urls[-1]}). Check that the connection may call sqs:DeleteMessage and run this task again: "
            "it archives the remaining messages once more and deletes them. A message that is archived twice has the "
            "same message_id both times."
        )


@dataclass(frozen=True)
class Purged:
    """
    The messages that were moved out of a queue.

    :param count: number of messages archived and deleted.
    :param archive_urls: URLs of the archive, one object of JSON lines for each batch.
    """

    count: int
    archive_urls: tuple[str, ...]


def archive_and_delete(
    sqs: Any,
    s3: Any,
    queue_url: str,
    archive_url: str,
    at_most: int,
    sleep: Callable[[float], None] = time.sleep,
) -> Purged:
    """
    Move messages of a queue to S3, ten at a time: receive, store, delete.

    If the process dies in between, the messages are still in the queue, and at worst S3 has a copy of them too. Stops
    when ``at_most`` messages are moved, or when the queue delivers no more.

    :param sqs: boto3 client of SQS.
    :param s3: boto3 client of S3.
    :param archive_url: ``s3://bucket/prefix``. An object's name is made from its message ids, so when the same batch
        is read again, its new copy replaces the first.
    :param at_most: number of messages.
    :param sleep: takes seconds; called between two tries of a request that AWS could not answer.
    :raises ValueError: ``archive_url`` is not such a URL; nothing was received.
    :raises DeadLettersNotDeleted: SQS did not delete some of the messages.
    """
    try:
        split_url(archive_url)
    except ValueError as error:
        raise ValueError(f"archive_url must be s3://bucket/prefix, not {archive_url!r}") from error
    count = 0
    archive_urls: list[str] = []
    while count < at_most and (
        batch := patiently(partial(_receive, sqs, queue_url, min(BATCH, at_most - count)), sleep)
    ):
        with _given_back_on_errors(sqs, queue_url, batch):
            archive_urls.append(patiently(partial(_store, s3, queue_url, archive_url, batch), sleep))
            failed = patiently(partial(_delete, sqs, queue_url, batch), sleep)
        if failed:
            raise DeadLettersNotDeleted(queue_url, failed, tuple(archive_urls))
        count += len(batch)
    return Purged(count, tuple(archive_urls))


def _receive(sqs: Any, queue_url: str, at_most: int) -> list[dict[str, Any]]:
    answer = sqs.receive_message(
        QueueUrl=queue_url,
        MaxNumberOfMessages=at_most,
        VisibilityTimeout=HIDDEN,
        WaitTimeSeconds=2,  # a long poll asks all servers, so an empty answer means that no message is visible
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
    )
    return list(answer.get("Messages", []))


def _store(s3: Any, queue_url: str, archive_url: str, batch: list[dict[str, Any]]) -> str:
    bucket, prefix = split_url(archive_url)
    ids = "\n".join(sorted(message["MessageId"] for message in batch))
    name = f"{queue_url.rsplit('/', 1)[-1]}-{hashlib.sha256(ids.encode()).hexdigest()[:32]}.jsonl"
    key = f"{prefix.strip('/')}/{name}".lstrip("/")
    s3.put_object(Bucket=bucket, Key=key, Body=_json_lines(queue_url, batch), ContentType="application/x-ndjson")
    return f"s3://{bucket}/{key}"


def _json_lines(queue_url: str, batch: list[dict[str, Any]]) -> bytes:
    lines = [
        {
            "message_id": message["MessageId"],
            "queue_url": queue_url,
            "body": message["Body"],
            "receive_count": int(message.get("Attributes", {}).get("ApproximateReceiveCount", 0)),
            "attributes": message.get("Attributes", {}),
            "message_attributes": message.get("MessageAttributes", {}),  # bytes become base64, as in the AWS CLI
        }
        for message in batch
    ]
    text = "".join(f"{json.dumps(line, default=lambda data: base64.b64encode(data).decode())}\n" for line in lines)
    return text.encode()


def _delete(sqs: Any, queue_url: str, batch: list[dict[str, Any]]) -> dict[str, str]:
    """Delete the batch. Return the ids of the messages that SQS did not delete, each with its reason."""
    answer = sqs.delete_message_batch(QueueUrl=queue_url, Entries=_entries(batch))
    failed = {int(entry["Id"]): f"{entry['Code']} {entry.get('Message', '')}" for entry in answer.get("Failed", [])}
    if failed:
        _give_back(sqs, queue_url, [batch[number] for number in failed])
    return {batch[number]["MessageId"]: cause for number, cause in failed.items()}


@contextmanager
def _given_back_on_errors(sqs: Any, queue_url: str, batch: list[dict[str, Any]]) -> Iterator[None]:
    try:
        yield
    except request_errors():
        _give_back(sqs, queue_url, batch)
        raise


def _give_back(sqs: Any, queue_url: str, batch: list[dict[str, Any]]) -> None:
    """Make messages visible again now, so that a retry finds them before their visibility timeout ends."""
    entries = [entry | {"VisibilityTimeout": 0} for entry in _entries(batch)]
    try:
        sqs.change_message_visibility_batch(QueueUrl=queue_url, Entries=entries)
    except request_errors() as error:  # the error that led here matters more
        logger.warning("Messages of %s stay hidden for up to %s s: %s", queue_url, HIDDEN, error)


def _entries(batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]} for number, message in enumerate(batch)]
