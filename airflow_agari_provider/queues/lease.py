"""Holds messages of SQS for as long as the work on them takes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import chain
from types import TracebackType
from typing import Any, TypeVar

from airflow_agari_provider.exceptions import may_pass
from airflow_agari_provider.queues.depth import queue_settings
from airflow_agari_provider.queues.patience import patiently, request_errors

logger = logging.getLogger(__name__)

T = TypeVar("T")
BATCH = 10  # messages of a request; the most that SQS allows
REQUESTS = 6  # at once
DEFAULT_TIMEOUT = 30  # seconds; SQS's own default, used if the queue's visibility timeout is 0


def received_before(message: Mapping[str, Any]) -> bool:
    """Whether a message was received at least once before, by whoever."""
    return int(message.get("Attributes", {}).get("ApproximateReceiveCount", 1)) > 1


def _parts(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[start : start + BATCH] for start in range(0, len(items), BATCH)]


class Lease:
    """
    Receives messages. A thread extends their visibility timeouts, so that no other consumer gets them while held.

    When the context ends, every message still held becomes visible again at once.

    :param sqs: boto3 client of SQS.
    :param sleep: takes seconds; called between two tries of a failed request.
    """

    def __init__(self, sqs: Any, queue_url: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sqs = sqs
        self._queue_url = queue_url
        self._sleep = sleep
        settings = patiently(partial(queue_settings, sqs, queue_url, ("RedrivePolicy",)), sleep)
        self.has_dead_letter_queue = "RedrivePolicy" in settings
        self.timeout = int(settings["VisibilityTimeout"]) or DEFAULT_TIMEOUT
        self._receipts: dict[str, str] = {}
        self._guard = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._extend_until_stopped, name="sqs-lease", daemon=True)

    def receive(self, most: int, wait_time_seconds: int) -> Sequence[Mapping[str, Any]]:
        """
        Receive messages, each only once in the result. They are held from now on.

        :param most: the largest number of messages.
        :param wait_time_seconds: how long SQS waits for the first message.
        """
        answer = patiently(
            lambda: self._sqs.receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=most,
                WaitTimeSeconds=wait_time_seconds,
                VisibilityTimeout=self.timeout,
                AttributeNames=["ApproximateReceiveCount"],
            ),
            self._sleep,
        )
        messages = {message["MessageId"]: message for message in answer.get("Messages", [])}
        with self._guard:
            self._receipts |= {message_id: message["ReceiptHandle"] for message_id, message in messages.items()}
        return list(messages.values())

    def receive_more(self, most: int) -> list[Mapping[str, Any]]:
        """Receive up to this many of the messages that are there now, by several requests at once."""
        sizes = [min(BATCH, most - begun) for begun in range(0, most, BATCH)]
        messages = chain.from_iterable(self._at_once(lambda size: self.receive(size, 0), sizes))
        return list({message["MessageId"]: message for message in messages}.values())

    def delete_all(self, message_ids: Sequence[str]) -> None:
        """Delete messages from the queue: the work on them is done."""
        self._at_once(self._delete_part, _parts(message_ids))

    def _delete_part(self, message_ids: Sequence[str]) -> None:
        from botocore.exceptions import ClientError

        receipts = [self.leave(message_id) for message_id in message_ids]
        entries = [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(receipts)]
        try:
            answer = patiently(
                lambda: self._sqs.delete_message_batch(QueueUrl=self._queue_url, Entries=entries), self._sleep
            )
            failed = [int(failure["Id"]) for failure in answer.get("Failed", [])]
        except ClientError as error:
            if may_pass(error):
                raise
            failed = list(range(len(receipts)))
        for number in failed:  # each alone, which tells why
            self._delete(message_ids[number], receipts[number])

    def _at_once(self, request: Callable[[Any], T], arguments: Sequence[Any]) -> list[T]:
        if len(arguments) < 2:
            return [request(one) for one in arguments]
        with ThreadPoolExecutor(min(REQUESTS, len(arguments)), "sqs") as pool:
            return list(pool.map(request, arguments))

    def delete(self, message_id: str) -> None:
        """Delete a message from the queue: the work on it is done."""
        self._delete(message_id, self.leave(message_id))

    def _delete(self, message_id: str, receipt: str) -> None:
        from botocore.exceptions import ClientError

        try:
            patiently(lambda: self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=receipt), self._sleep)
        except ClientError as error:
            if may_pass(error):
                raise
            # Its lease had ended, and another importer may have the message. The ledger tells that one it is loaded.
            logger.warning(
                "Message %s is imported, but SQS did not delete it and may deliver it again: %s", message_id, error
            )

    def release(self, message_id: str) -> None:
        """Stop holding a message; it becomes visible at once."""
        receipt = self.leave(message_id)
        with suppress(*request_errors()):  # then it becomes visible when its visibility timeout ends
            self._sqs.change_message_visibility(QueueUrl=self._queue_url, ReceiptHandle=receipt, VisibilityTimeout=0)

    def leave(self, message_id: str) -> str:
        """Stop holding a message; it becomes visible when its visibility timeout ends. Return its receipt handle."""
        with self._guard:
            return self._receipts.pop(message_id)

    def _extend_until_stopped(self) -> None:
        while not self._stop.wait(self.timeout / 3):
            with self._guard:  # so that a message released at this moment is not hidden again
                self._at_once(self._extend, _parts(list(self._receipts.values())))

    def _extend(self, receipts: Sequence[str]) -> None:
        entries = [
            {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": self.timeout}
            for number, receipt in enumerate(receipts)
        ]
        try:
            answer = self._sqs.change_message_visibility_batch(QueueUrl=self._queue_url, Entries=entries)
        except request_errors() as error:
            logger.warning(
                "The leases of the messages were not extended, next try in %.1f s: %s", self.timeout / 3, error
            )
        else:
            for failure in answer.get("Failed", []):
                logger.warning(
                    "The lease of a message was not extended, so another importer may receive it: %s",
                    failure.get("Message"),
                )

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._at_once(self.release, list(self._receipts))
