"""Messages of SQS held for as long as the work on them takes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, TypeVar

from airflow_agari_provider.exceptions import may_pass

logger = logging.getLogger(__name__)

T = TypeVar("T")
TRIES = 6  # for one request, beside botocore's own; the waits between them add up to 31 seconds
DEFAULT_TIMEOUT = 30  # seconds; SQS's own default, taken where the queue hides messages for no time at all


class Lease:
    """
    Receives messages and, in a thread, keeps them invisible for everybody else until they are given up.

    On leaving the context every message still held is visible again at once.

    :param sqs: boto3 client of SQS.
    :param sleep: takes seconds; between tries of a request that failed.
    """

    def __init__(self, sqs: Any, queue_url: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sqs = sqs
        self._queue_url = queue_url
        self._sleep = sleep
        attributes = patiently(
            lambda: sqs.get_queue_attributes(
                QueueUrl=queue_url, AttributeNames=["VisibilityTimeout", "RedrivePolicy"]
            ).get("Attributes", {}),
            sleep,
        )
        self.has_dead_letter_queue = "RedrivePolicy" in attributes
        self.timeout = int(attributes.get("VisibilityTimeout", 0)) or DEFAULT_TIMEOUT
        self._receipts: dict[str, str] = {}
        self._guard = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._extend_until_stopped, name="sqs-lease", daemon=True)

    def receive(self, most: int, wait_time_seconds: int) -> Sequence[Mapping[str, Any]]:
        """Up to so many messages, each once; they are held from now on."""
        answer = patiently(
            lambda: self._sqs.receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=most,
                WaitTimeSeconds=wait_time_seconds,
                VisibilityTimeout=self.timeout,
            ),
            self._sleep,
        )
        messages = {message["MessageId"]: message for message in answer.get("Messages", [])}
        with self._guard:
            self._receipts |= {message_id: message["ReceiptHandle"] for message_id, message in messages.items()}
        return list(messages.values())

    def delete(self, message_id: str) -> None:
        """The work on a message is done."""
        from botocore.exceptions import ClientError

        receipt = self.leave(message_id)
        try:
            patiently(lambda: self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=receipt), self._sleep)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                raise
            # Its time had run out, and another importer may have it; the ledger tells that one it is loaded.
            logger.warning("Message %s is imported, but SQS does not delete it: %s", message_id, error)

    def release(self, message_id: str) -> None:
        """Give a message up so that it is visible at once."""
        receipt = self.leave(message_id)
        with suppress(*_request_errors()):  # then it is visible when its time has run out
            self._sqs.change_message_visibility(QueueUrl=self._queue_url, ReceiptHandle=receipt, VisibilityTimeout=0)

    def leave(self, message_id: str) -> str:
        """Give a message up; it is visible when its time has run out. Its receipt handle."""
        with self._guard:
            return self._receipts.pop(message_id)

    def _extend_until_stopped(self) -> None:
        while not self._stop.wait(self.timeout / 3):
            with self._guard:  # so that no message given up meanwhile is hidden again
                if self._receipts:
                    self._extend()

    def _extend(self) -> None:
        entries = [
            {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": self.timeout}
            for number, receipt in enumerate(self._receipts.values())
        ]
        try:
            answer = self._sqs.change_message_visibility_batch(QueueUrl=self._queue_url, Entries=entries)
        except _request_errors() as error:
            logger.warning("Messages not extended, next try in %.1f s: %s", self.timeout / 3, error)
        else:
            for failure in answer.get("Failed", []):
                logger.warning("A message not extended, another importer may get it: %s", failure.get("Message"))

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        for message_id in list(self._receipts):
            self.release(message_id)


def patiently(request: Callable[[], T], sleep: Callable[[float], None] = time.sleep) -> T:
    """
    Answer of a request to AWS; a broken connection, throttling or a failure on AWS's side is tried again for a while.

    :param sleep: takes seconds.
    """
    for attempt in range(TRIES - 1):
        try:
            return request()
        except _request_errors() as error:
            if not may_pass(error):
                raise
            logger.warning("Request to SQS failed, next try in %s s: %s", 2**attempt, error)
            sleep(2**attempt)
    return request()


def _request_errors() -> tuple[type[Exception], ...]:
    from botocore.exceptions import BotoCoreError, ClientError

    return BotoCoreError, ClientError
