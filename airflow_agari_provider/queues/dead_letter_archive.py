"""Moves messages of a dead-letter queue to S3: a message is deleted only after its copy was stored and read back."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.queues.batches import BATCH, give_back, numbered, receive
from airflow_agari_provider.queues.dead_letters import DeadLetter
from airflow_agari_provider.queues.deliveries import Deliveries
from airflow_agari_provider.queues.depth import read_depth
from airflow_agari_provider.queues.letter_formats import FORMATS, UNREADABLE, ArchiveFormat
from airflow_agari_provider.queues.letter_progress import LetterProgress
from airflow_agari_provider.queues.patience import patiently
from airflow_agari_provider.queues.permissions import told
from airflow_agari_provider.s3.urls import split_url

HIDDEN = 120  # seconds a batch stays hidden: storing and deleting it takes less than one, but a request may be retried
WAIT = 1  # seconds


class ArchiveNotSound(AgariError):
    """
    What S3 gives back is not what was stored there.

    :param url: URL of the archived object.
    :param letters: how many letters it should hold.
    :param problem: what is wrong.
    """

    def __init__(self, url: str, letters: int, problem: str) -> None:
        super().__init__(url, letters, problem)
        self.url, self.letters, self.problem = url, letters, problem

    def __str__(self) -> str:
        return (
            f"The archive of {self.letters} dead letter(s) at {self.url} is not what was written: {self.problem}. They "
            "were not deleted, so nothing is lost. Look what changes the objects of this bucket, such as a proxy, a "
            "function or a lifecycle rule, then run this task again."
        )


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


@dataclass
class Archive:
    """
    Moves messages of one queue to S3, batch by batch.

    If the process dies in between, the messages are still in the queue, and at worst S3 has a copy of them too.

    :param sqs: boto3 client of SQS.
    :param s3: boto3 client of S3.
    :param archive_url: ``s3://bucket/prefix``. An object's name is made from its message ids, so when the same batch
        is read again, its new copy replaces the first.
    :param sleep: takes seconds; called between two tries of a request that AWS could not answer.
    :param clock: tells seconds.
    :param format: how the letters are written.
    :raises ValueError: ``archive_url`` is not such a URL.
    """

    sqs: Any
    s3: Any
    queue_url: str
    archive_url: str
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    format: ArchiveFormat = FORMATS["jsonl"]
    count: int = field(default=0, init=False)
    archive_urls: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        try:
            split_url(self.archive_url)
        except ValueError as error:
            raise ValueError(f"archive_url must be s3://bucket/prefix, not {self.archive_url!r}") from error
        self._progress = LetterProgress("Archived and deleted", self.queue_url, 0, self.clock)

    def take(self, batch: list[dict[str, Any]]) -> None:
        """
        Store up to ten received messages, read the copy back, then delete them.

        :raises ArchiveNotSound: the copy is not what was stored; the messages are visible again.
        :raises DeadLettersNotDeleted: SQS did not delete some of them.
        """
        with _given_back_on_errors(self.sqs, self.queue_url, batch):
            self.archive_urls.append(self._store(batch))
            failed = patiently(partial(_delete, self.sqs, self.queue_url, batch), self.sleep)
        if failed:
            raise DeadLettersNotDeleted(self.queue_url, failed, tuple(self.archive_urls))
        self.count += len(batch)
        self._progress.tell(self.count)

    def take_those_there(self, at_most: int) -> int:
        """
        Take as many messages as the queue holds now, but not more than ``at_most``. Return how many it held.

        :raises DeadLettersNotDeleted: SQS did not delete some of them.
        :raises DeadLettersLeft: SQS counts visible messages, but does not deliver them.
        """
        found = self._total()
        if not found:  # the count of a queue of thousands may be 0 for a minute, so ask for messages all the same
            self.take_up_to(min(BATCH, at_most))
            found = self.count + self._total() if self.count else 0
        self._progress.total = min(found, at_most)
        self.take_up_to(min(found, at_most))
        return found

    def take_up_to(self, at_most: int) -> None:
        """
        Receive and take messages, until ``at_most`` are taken or the queue delivers no more.

        :raises DeadLettersNotDeleted: SQS did not delete some of them.
        :raises DeadLettersLeft: SQS counts visible messages, but does not deliver them.
        """
        deliveries = Deliveries(self.sqs, self.queue_url, self.sleep, self.clock)
        while (left := at_most - self.count) > 0:
            batch = patiently(partial(receive, self.sqs, self.queue_url, left, HIDDEN, WAIT), self.sleep)
            if batch:
                self.take(batch)
            if deliveries.over(len(batch), self.count):
                return

    def _total(self) -> int:
        return patiently(partial(read_depth, self.sqs, self.queue_url), self.sleep).total

    def _store(self, batch: list[dict[str, Any]]) -> str:
        """Store the batch and read it back. Return its URL."""
        bucket, prefix = split_url(self.archive_url)
        ids = "\n".join(sorted(message["MessageId"] for message in batch))
        hashed = hashlib.sha256(ids.encode()).hexdigest()[:32]
        name = f"{self.queue_url.rsplit('/', 1)[-1]}-{hashed}{self.format.ending}"
        key = f"{prefix.strip('/')}/{name}".lstrip("/")
        url, place = f"s3://{bucket}/{key}", {"Bucket": bucket, "Key": key}
        body = self.format.write(self.queue_url, batch)
        self._ask_s3(url, "put_object", **place, Body=body, ContentType=self.format.content_type)
        stored = self._ask_s3(url, "get_object", **place)
        try:
            sound = _contents(self.format.read(stored)) == _contents(self.format.read(body))
        except UNREADABLE as error:
            raise ArchiveNotSound(url, len(batch), f"it cannot be read ({type(error).__name__}: {error})") from error
        if not sound:
            raise ArchiveNotSound(url, len(batch), f"{len(body)} bytes were written, other letters came back")
        return url

    def _ask_s3(self, url: str, operation: str, **request: Any) -> bytes:
        def ask() -> bytes:
            answer = getattr(self.s3, operation)(**request)
            return bytes(answer["Body"].read()) if "Body" in answer else b""

        return told(partial(patiently, ask, self.sleep), url)


def _contents(letters: list[DeadLetter]) -> dict[str, Any]:
    """What must come back; not the receive counts, because another purge may have stored the same letters meanwhile."""
    return {letter.message_id: (letter.body, letter.sent_at, letter.message_attributes) for letter in letters}


def _delete(sqs: Any, queue_url: str, batch: list[dict[str, Any]]) -> dict[str, str]:
    """Delete the batch. Return the ids of the messages that SQS did not delete, each with its reason."""
    answer = sqs.delete_message_batch(QueueUrl=queue_url, Entries=numbered(_receipts(batch)))
    failed = {int(entry["Id"]): f"{entry['Code']} {entry.get('Message', '')}" for entry in answer.get("Failed", [])}
    give_back(sqs, queue_url, _receipts([batch[number] for number in failed]))
    return {batch[number]["MessageId"]: cause for number, cause in failed.items()}


@contextmanager
def _given_back_on_errors(sqs: Any, queue_url: str, batch: list[dict[str, Any]]) -> Iterator[None]:
    try:
        yield
    except Exception:
        give_back(sqs, queue_url, _receipts(batch))
        raise


def _receipts(batch: list[dict[str, Any]]) -> list[str]:
    return [message["ReceiptHandle"] for message in batch]
