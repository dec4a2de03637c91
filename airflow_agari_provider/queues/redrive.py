"""
Brings dead letters back by hand: each is sent to its queue again, and only then deleted from where it was.

If the process dies in between, a letter is in both places: at most the ten of one batch, which then come twice. A FIFO
queue leaves out such a double by itself, for five minutes, because a letter's id is its deduplication id.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.queues.addresses import queue_url_of
from airflow_agari_provider.queues.batches import BATCH, give_back, numbered, receive
from airflow_agari_provider.queues.dead_letters import DeadLetter, dead_letter
from airflow_agari_provider.queues.deliveries import Deliveries
from airflow_agari_provider.queues.letter_look import require_unmoved_by_receives
from airflow_agari_provider.queues.letter_progress import LetterProgress
from airflow_agari_provider.queues.patience import patiently, request_errors

HIDDEN = 120  # seconds a received letter stays hidden: sending and deleting takes less than one
WAIT = 1  # seconds
REQUEST_BYTES = 262_144  # of all messages in one request; SQS API reference, SendMessageBatch (its least limit)


class LettersNotSent(AgariError):
    """
    SQS did not take some letters back.

    :param queue_url: URL of the queue to which they should go.
    :param causes: message id -> what SQS answered.
    """

    def __init__(self, queue_url: str, causes: dict[str, str]) -> None:
        super().__init__(queue_url, causes)
        self.queue_url, self.causes = queue_url, causes

    def __str__(self) -> str:
        first, cause = next(iter(self.causes.items()))
        return (
            f"{len(self.causes)} dead letter(s) could not be sent to {self.queue_url}, first {first}: {cause}. They "
            "are still where they were. Check that the connection may call sqs:SendMessage, then run this task again."
        )


class LettersSentNotDeleted(AgariError):
    """
    Letters that were sent, but are still in the dead-letter queue.

    :param queue_url: URL of the dead-letter queue.
    :param causes: message id -> what SQS answered.
    """

    def __init__(self, queue_url: str, causes: dict[str, str]) -> None:
        super().__init__(queue_url, causes)
        self.queue_url, self.causes = queue_url, causes

    def __str__(self) -> str:
        first, cause = next(iter(self.causes.items()))
        return (
            f"{len(self.causes)} dead letter(s) of {self.queue_url} were sent to their queue, but SQS did not delete "
            f"them, first {first}: {cause}. The next redrive sends them once more. Check that the connection may call "
            "sqs:DeleteMessage."
        )


@dataclass(frozen=True)
class Wanted:
    """
    Which letters to bring back.

    :param exception: regular expression that is found in the text of the failure; None: any.
    :param min_age: sent so many seconds ago or earlier; None: any.
    :param max_age: sent so many seconds ago or later; None: any.
    """

    exception: str | None = None
    min_age: float | None = None
    max_age: float | None = None

    @property
    def all(self) -> bool:
        return self == Wanted()

    def takes(self, letter: DeadLetter, now: float) -> bool:
        """Whether a letter is wanted. One whose exception or age is not known is not, if these matter."""
        if self.exception is not None and not re.search(self.exception, letter.exception or "", re.IGNORECASE):
            return False
        if self.min_age is None and self.max_age is None:
            return True
        if letter.sent_at is None:
            return False
        age = now - letter.sent_at
        return (self.min_age is None or age >= self.min_age) and (self.max_age is None or age <= self.max_age)


@dataclass
class Redrive:
    """
    Sends letters to where they came from.

    :param sqs: boto3 client of SQS, or ``RegionalSqs``.
    :param to_queue: URL, ARN or name of the queue that gets them; None: the queue from which each letter came.
    :param wanted: which letters.
    :param per_second: how many letters at most; None: as many as there are.
    :param stopped: asked before each batch; True ends the work, and what is left stays where it is.
    :ivar moved: letters that were sent, and deleted from where they were.
    :ivar homeless: wanted letters of which it is not known where they came from; they stay.
    :ivar left: letters that are not wanted; they stay.
    """

    sqs: Any
    to_queue: str | None = None
    wanted: Wanted = field(default_factory=Wanted)
    per_second: float | None = None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.time
    stopped: Callable[[], bool] = lambda: False
    moved: int = field(default=0, init=False)
    homeless: int = field(default=0, init=False)
    left: int = field(default=0, init=False)
    _urls: dict[str, str] = field(default_factory=dict, init=False)
    _only_source: str | None = field(default=None, init=False)
    _progress: LetterProgress | None = field(default=None, init=False)

    def tell(self, place: str = "the archive") -> None:
        """Log now and then how far it is."""
        self._progress = self._progress or LetterProgress("Moved", place)
        self._progress.tell(self.moved)

    def from_queue(self, queue_url: str, at_most: int) -> None:
        """
        Bring back the letters of a dead-letter queue, until it delivers no more.

        :raises ReceivesMoveLetters: the dead-letter queue has a redrive policy of its own.
        :raises LettersNotSent: a queue did not take letters back.
        :raises LettersSentNotDeleted: letters were sent, but not deleted.
        :raises DeadLettersLeft: SQS counts visible letters, but does not deliver them.
        """
        patiently(partial(require_unmoved_by_receives, self.sqs, queue_url), self.sleep)
        self._only_source = self._source_of(queue_url)
        kept: dict[
            str, str
        ] = {}  # message id -> receipt handle of a letter that stays; hidden, so as not to come again
        deliveries = Deliveries(self.sqs, queue_url, self.sleep, self.clock)
        try:
            while self.moved < at_most and not self.stopped():
                wanted = min(BATCH, at_most - self.moved)
                batch = patiently(partial(receive, self.sqs, queue_url, wanted, HIDDEN, WAIT), self.sleep)
                fresh = [message for message in batch if message["MessageId"] not in kept]
                kept |= {message["MessageId"]: message["ReceiptHandle"] for message in batch}
                for target, part in self._by_target(fresh).items():
                    if target:
                        self._move(queue_url, target, part)
                        for message in part:
                            del kept[message["MessageId"]]
                if deliveries.over(len(fresh), self.moved):
                    return
        finally:
            give_back(self.sqs, queue_url, list(kept.values()))

    def send(self, target: str, letters: list[DeadLetter]) -> dict[str, str]:
        """Send letters to a queue. Return the ids of those that it did not take, with the reasons."""
        failed: dict[str, str] = {}
        held_up: set[str] = set()  # message groups of a FIFO queue: a later letter must not overtake one that failed
        for part in _parts(letters, target.endswith(".fifo")):
            group = part[0][1].get("MessageGroupId", "")
            if group in held_up:
                failed[part[0][0].message_id] = "a letter of its message group before it was not taken"
                continue
            entries = [entry | {"Id": str(number)} for number, (_, entry) in enumerate(part)]
            answer = patiently(partial(self.sqs.send_message_batch, QueueUrl=target, Entries=entries), self.sleep)
            for failure in answer.get("Failed", []):
                letter = part[int(failure["Id"])][0]
                failed[letter.message_id] = f"{failure['Code']} {failure.get('Message', '')}"
                held_up |= {group} - {""}
            if self.per_second:
                self.sleep(len(part) / self.per_second)
        return failed

    def target_of(self, letter: DeadLetter) -> str | None:
        """URL of the queue that gets a letter; None if it is not known."""
        queue = self.to_queue or letter.source_arn or self._only_source
        if queue is None:
            return None
        if queue not in self._urls:
            self._urls[queue] = patiently(partial(queue_url_of, self.sqs, queue), self.sleep)
        return self._urls[queue]

    def _source_of(self, queue_url: str) -> str | None:
        """The queue that sends its dead letters there, if it is the only one: for letters that do not say it."""
        try:
            answer = patiently(partial(self.sqs.list_dead_letter_source_queues, QueueUrl=queue_url), self.sleep)
        except request_errors():
            return None  # perhaps there is no permission to ask
        sources = answer.get("queueUrls", [])
        return str(sources[0]) if len(sources) == 1 else None

    def _by_target(self, messages: Iterable[dict[str, Any]]) -> dict[str | None, list[dict[str, Any]]]:
        parts: dict[str | None, list[dict[str, Any]]] = {}
        for message in messages:
            letter = dead_letter(message)
            target = None
            if not self.wanted.takes(letter, self.clock()):
                self.left += 1
            else:
                target = self.target_of(letter)
                self.homeless += target is None
            parts.setdefault(target, []).append(message)
        return parts

    def _move(self, queue_url: str, target: str, messages: list[dict[str, Any]]) -> None:
        receipts = {message["MessageId"]: message["ReceiptHandle"] for message in messages}
        failed: dict[str, str] = dict.fromkeys(receipts, "")
        try:
            failed = self.send(target, [dead_letter(message) for message in messages])
        finally:
            give_back(self.sqs, queue_url, [receipts[message_id] for message_id in failed])
        sent = {message_id: receipt for message_id, receipt in receipts.items() if message_id not in failed}
        if sent:
            self._delete(queue_url, sent)
        if failed:
            raise LettersNotSent(target, failed)

    def _delete(self, queue_url: str, sent: Mapping[str, str]) -> None:
        ids, entries = list(sent), numbered(list(sent.values()))
        answer = patiently(partial(self.sqs.delete_message_batch, QueueUrl=queue_url, Entries=entries), self.sleep)
        failed = {ids[int(one["Id"])]: f"{one['Code']} {one.get('Message', '')}" for one in answer.get("Failed", [])}
        self.moved += len(sent) - len(failed)
        self.tell(queue_url)
        if failed:
            raise LettersSentNotDeleted(queue_url, failed)


def _parts(letters: list[DeadLetter], fifo: bool) -> Iterator[list[tuple[DeadLetter, dict[str, Any]]]]:
    """Letters as entries of requests: ten at most, and no more bytes than a request may have; for FIFO queues one."""
    part: list[tuple[DeadLetter, dict[str, Any]]] = []
    room = REQUEST_BYTES
    for letter in letters:
        size = len(letter.body.encode()) + sum(
            len(name) + len(str(value)) for name, value in letter.message_attributes.items()
        )
        if part and (fifo or len(part) == BATCH or size > room):
            yield part
            part, room = [], REQUEST_BYTES
        part.append((letter, _entry(letter, fifo)))
        room -= size
    if part:
        yield part


def _entry(letter: DeadLetter, fifo: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"MessageBody": letter.body}
    attributes = {
        name: {part: value[part] for part in ("DataType", "StringValue", "BinaryValue") if part in value}
        for name, value in letter.message_attributes.items()
    }
    if attributes:
        entry["MessageAttributes"] = attributes
    if trace := letter.attributes.get("AWSTraceHeader"):
        entry["MessageSystemAttributes"] = {"AWSTraceHeader": {"DataType": "String", "StringValue": trace}}
    if fifo:
        entry["MessageGroupId"] = letter.attributes.get("MessageGroupId") or letter.message_id
        entry["MessageDeduplicationId"] = letter.message_id
    return entry
