"""Messages of a queue, ten at a time: received with all that SQS knows of them, and given back."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

logger = logging.getLogger(__name__)

BATCH = 10  # messages; the most that SQS delivers, deletes or changes in one request


def receive(sqs: Any, queue_url: str, at_most: int, hidden_for: int, wait: int) -> list[dict[str, Any]]:
    """
    Receive up to ten messages, with all their attributes.

    :param hidden_for: seconds for which no other reader gets them.
    :param wait: seconds that SQS waits for a message. With 1 or more it asks all its servers, so an empty answer means
        that no message is visible.
    """
    answer = sqs.receive_message(
        QueueUrl=queue_url,
        MaxNumberOfMessages=min(BATCH, at_most),
        VisibilityTimeout=hidden_for,
        WaitTimeSeconds=wait,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
    )
    return list(answer.get("Messages", []))


def give_back(sqs: Any, queue_url: str, receipts: Sequence[str]) -> None:
    """
    Make messages visible again now, and not only when their visibility timeout ends.

    A request that fails is only logged: an error that led here matters more.

    :param receipts: receipt handles, any number.
    """
    for start in range(0, len(receipts), BATCH):
        entries = [entry | {"VisibilityTimeout": 0} for entry in numbered(receipts[start : start + BATCH])]
        try:
            sqs.change_message_visibility_batch(QueueUrl=queue_url, Entries=entries)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not hide the error that led here
            logger.warning("Messages of %s stay hidden until their visibility timeout ends: %s", queue_url, error)


def numbered(receipts: Sequence[str]) -> list[dict[str, Any]]:
    """Return receipt handles as the entries of a batch request; each entry's ``Id`` is its number, from 0."""
    return [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(receipts)]
