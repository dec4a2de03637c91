"""
Imports the objects that an SQS queue of S3 notifications names, at the same time as other importers of that queue.

A message is received, imported, and deleted only after the commit: if an importer dies, others get its messages.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from airflow_agari_provider.avro_import.errors import ObjectBusy, UnexpectedFailure
from airflow_agari_provider.avro_import.importer import Importer
from airflow_agari_provider.avro_import.outcome import ImportedObject, reason
from airflow_agari_provider.avro_import.quarantine import in_quarantine
from airflow_agari_provider.exceptions import AgariError, UnimportableObject, may_pass
from airflow_agari_provider.queues.dead_letters import source_settings
from airflow_agari_provider.queues.depth import DepthUnknown, QueueUnreadable, read_depth
from airflow_agari_provider.queues.lease import Lease
from airflow_agari_provider.queues.patience import patiently
from airflow_agari_provider.s3.errors import ArchivedObject, ForbiddenObject, ObjectOverwritten
from airflow_agari_provider.s3.notifications import MalformedNotification, ObjectReference, object_references
from airflow_agari_provider.s3.urls import is_data

logger = logging.getLogger(__name__)

RECEIVE = 10  # messages; the most that SQS returns at once
IDLE = 1.0  # seconds between receives that do not wait
UNEXPECTED = 3  # messages in a row that failed unexpectedly; then the objects are not to blame
EMPTY_POLLS = 2  # empty receives in a row while the counts are 0; one is not enough, because the counts lag


class MessageStuck(AgariError):
    """
    A message that cannot be imported, in a queue without a dead-letter queue to take it.

    :param queue_url: URL of the queue.
    :param message_id: SQS's id of the message.
    :param reason: why it cannot be imported.
    """

    def __init__(self, queue_url: str, message_id: str, reason: str) -> None:
        super().__init__(queue_url, message_id, reason)
        self.queue_url, self.message_id, self.reason = queue_url, message_id, reason

    def __str__(self) -> str:
        return (
            f"Message {self.message_id} of {self.queue_url} cannot be imported and keeps coming back: "
            f"{self.reason} Give the queue a redrive policy, which moves such messages to a dead-letter queue."
        )


@dataclass
class QueueImport:
    """
    One importer's share of a queue.

    :param sqs: boto3 client of SQS.
    :param connect: opens a connection to the database and makes an importer with it; called again after one broke.
    :param wait_time_seconds: how long a receive waits for messages, 0 to 20.
    :param max_messages: stop after this many messages; None: no limit.
    :param max_seconds: start no new message after this many seconds; None: no limit.
    :param max_objects: start no new message once this many objects are loaded; None: no limit.
    :param pattern: of the names of the objects; see :func:`airflow_agari_provider.s3.urls.is_data`.
    """

    sqs: Any
    queue_url: str
    connect: Callable[[], Importer]
    wait_time_seconds: int = 20
    max_messages: int | None = None
    max_seconds: float | None = None
    max_objects: int | None = None
    pattern: str | None = None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    imported: list[ImportedObject] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    """Reason by message id, for messages that this importer could not import."""
    not_matching: set[str] = field(default_factory=set)
    """URLs of the objects that were skipped by their names."""
    dead_letters: int | None = 0
    """After the run: how many messages are in the queue's dead-letter queue; None if that is not known."""
    _importer: Importer = field(init=False)
    _refused: set[str] = field(default_factory=set, init=False)
    _unexpected: set[str] = field(default_factory=set, init=False)

    def run(self) -> None:
        """
        Import until no message is visible or in flight any more, or a limit is reached.

        Wait for a message that another importer holds: it comes back if that importer dies.

        :raises MessageStuck: a message cannot be imported, and no dead-letter queue takes it.
        :raises UnexpectedFailure: of several objects in a row, so that something else than the objects is to blame.
        """
        self._importer = self.connect()
        try:
            with Lease(self.sqs, self.queue_url, self.sleep) as lease:
                self._work(lease)
            self.dead_letters = self._count_dead_letters() if lease.has_dead_letter_queue else 0
        finally:
            self._importer.close()

    def _count_dead_letters(self) -> int | None:
        try:
            url = patiently(partial(source_settings, self.sqs, self.queue_url), self.sleep).dead_letter_url
            return None if url is None else patiently(partial(read_depth, self.sqs, url), self.sleep).total
        except (DepthUnknown, QueueUnreadable) as error:
            logger.warning("It is not known whether the dead-letter queue holds messages of this import: %s", error)
            return None

    def _work(self, lease: Lease) -> None:
        began, taken, empty = self.clock(), 0, 0
        while empty < EMPTY_POLLS:
            left = RECEIVE if self.max_messages is None else min(RECEIVE, self.max_messages - taken)
            if left <= 0 or self._capped(began):
                logger.warning("Stopped by max_messages, max_seconds or max_objects; the queue may hold more messages")
                return
            # A receive counts, and too many make a message a dead letter. So take only one before anything has worked:
            # if the table is wrong, say, then no other message pays for that.
            alone = not self.imported
            messages = lease.receive(1 if alone else left, self.wait_time_seconds)
            todo, busy = [(message, False) for message in messages], []
            while todo and not self._capped(began):  # at the end, the lease gives back the rest
                (message, wait), *todo = todo
                try:
                    self._take(lease, message, wait)
                    taken += 1
                except ObjectBusy:  # another importer is loading it, from a copy of the message
                    busy.append((message, True))
                    if alone and left > 1:  # this much works: look for others before waiting for it
                        alone, todo = False, [(message, False) for message in lease.receive(left - 1, 0)]
                if not todo:
                    todo, busy = busy, []
            empty = empty + 1 if not messages and self._drained() else 0
            if not messages and not empty and not self.wait_time_seconds:
                self.sleep(IDLE)  # other importers hold the rest; do not poll without a pause

    def _capped(self, began: float) -> bool:
        late = self.max_seconds is not None and self.clock() - began >= self.max_seconds
        loaded = sum(not one.skipped for one in self.imported)
        return late or (self.max_objects is not None and loaded >= self.max_objects)

    def _drained(self) -> bool:
        try:
            return read_depth(self.sqs, self.queue_url).total == 0
        except DepthUnknown as error:
            logger.warning("%s", error)
            return False

    def _take(self, lease: Lease, message: Mapping[str, Any], wait: bool) -> None:
        message_id = message["MessageId"]
        try:
            references = [one for one in object_references(message["Body"]) if not self._passed_over(one)]
        except MalformedNotification as error:
            self._fail(message_id, str(error))
            self._importer.record_failure("", message_id, error)
            self._refuse(lease, message_id)
            return
        outcomes = [self._import(message_id, reference, wait) for reference in references]
        if "refused" in outcomes:
            self._refuse(lease, message_id)
        elif "forbidden" in outcomes:
            self._refuse(lease, message_id, at_once=False)
        elif "passing" in outcomes:
            lease.leave(message_id)
        else:
            lease.delete(message_id)
            self.failed.pop(message_id, None)

    def _import(self, message_id: str, reference: ObjectReference, wait: bool) -> str:
        """``done``, ``refused`` (for good), ``forbidden`` (until a person helps) or ``passing`` (for now)."""
        from botocore.exceptions import BotoCoreError, ClientError

        importer = self._importer
        try:
            imported = importer.import_object(
                reference.bucket, reference.key, reference.version_id, reference.etag, reference.size or 0, wait
            )
        except UnimportableObject as error:
            self._fail(message_id, reason(reference.url, error))
            return "forbidden" if isinstance(error, ForbiddenObject | ArchivedObject) else "refused"
        except ObjectOverwritten as error:
            self._fail(message_id, reason(reference.url, error))
            return "passing"
        except UnexpectedFailure as error:
            self._fail(message_id, str(error))
            self._unexpected.add(message_id)
            if len(self._unexpected) >= UNEXPECTED:
                raise
            return "forbidden"  # until a person helps
        except (BotoCoreError, ClientError) as error:
            self._pass(message_id, reference, error)
            return "passing" if may_pass(error) else "forbidden"
        except importer.dialect.driver.Error as error:
            if importer.dialect.fault(error) == "target":
                raise
            importer.close()  # it may be broken
            self._importer = self.connect()
            self._pass(message_id, reference, error)
            return "passing"
        self.imported.append(imported)
        self._unexpected.clear()
        return "done"

    def _pass(self, message_id: str, reference: ObjectReference, error: Exception) -> None:
        self._fail(message_id, reason(reference.url, error))
        self._importer.record_failure(reference.bucket, reference.key, error)

    def _fail(self, message_id: str, why: str) -> None:
        logger.error("Message %s was not imported: %s", message_id, why)
        self.failed[message_id] = why

    def _refuse(self, lease: Lease, message_id: str, at_once: bool = True) -> None:
        """
        Leave a message to the dead-letter queue. SQS moves it there once it was received often enough.

        :param at_once: make the message visible at once, so that this is soon; else after its visibility timeout.
        """
        if lease.has_dead_letter_queue:
            lease.release(message_id) if at_once else lease.leave(message_id)
            return
        lease.leave(message_id)
        if message_id in self._refused:
            raise MessageStuck(self.queue_url, message_id, self.failed[message_id])
        self._refused.add(message_id)

    def _passed_over(self, reference: ObjectReference) -> bool:
        """Whether to skip an object: it is in quarantine, or its name says that it is not data."""
        if in_quarantine(self._importer.job.quarantine_url, reference.bucket, reference.key):
            logger.info("%s skipped: it is in quarantine", reference.url)
            return True
        if is_data(reference.key, self.pattern):
            return False
        logger.info("%s skipped: it is hidden, or does not match pattern=%r", reference.url, self.pattern)
        self.not_matching.add(reference.url)
        return True
