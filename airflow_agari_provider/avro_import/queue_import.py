"""
Imports the objects that an SQS queue of S3 notifications names, at the same time as other importers of that queue.

A message is received, imported, and deleted only after the commit: if an importer dies, others get its messages. Small
objects share a transaction, and so do their messages a request; what goes wrong with one of them leaves it alone.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import partial
from typing import Any

from airflow_agari_provider.avro_import.errors import MessageStuck, ObjectBusy, UnexpectedFailure
from airflow_agari_provider.avro_import.importer import Importer
from airflow_agari_provider.avro_import.letters import Letter, are_small, can_share
from airflow_agari_provider.avro_import.outcome import ImportedObject, reason
from airflow_agari_provider.avro_import.quarantine import in_quarantine
from airflow_agari_provider.exceptions import UnimportableObject, may_pass
from airflow_agari_provider.queues.dead_letters import source_settings
from airflow_agari_provider.queues.depth import DepthUnknown, QueueUnreadable, read_depth
from airflow_agari_provider.queues.lease import Lease, received_before
from airflow_agari_provider.queues.patience import patiently
from airflow_agari_provider.s3.errors import ArchivedObject, ForbiddenObject, ObjectOverwritten
from airflow_agari_provider.s3.notifications import MalformedNotification, ObjectReference, object_references
from airflow_agari_provider.s3.objects import FoundObject
from airflow_agari_provider.s3.urls import is_data

logger = logging.getLogger(__name__)

RECEIVE = 10  # messages; the most that SQS returns at once
IDLE = 1.0  # seconds between receives that do not wait
UNEXPECTED = 3  # messages in a row that failed unexpectedly; then the objects are not to blame
EMPTY_POLLS = 2  # empty receives in a row while the counts are 0; one is not enough, because the counts lag


class Fate(IntEnum):
    """What becomes of an object, and of a message: the largest one of its objects decides."""

    DONE = 0
    """The message is deleted."""
    PASSING = 1
    """It comes back, and what is wrong may have passed."""
    FORBIDDEN = 2
    """It comes back until a person helps."""
    REFUSED = 3
    """Coming back would not help."""


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
    _spared: int = field(default=0, init=False)
    """Objects that were loaded together: as many others of these messages may fail unexpectedly before that counts."""

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
            left = self._left(taken)
            if left <= 0 or self._capped(began):
                logger.warning("Stopped by max_messages, max_seconds or max_objects; the queue may hold more messages")
                return
            # A receive counts, and too many make a message a dead letter. So take only one before anything has worked:
            # if the table is wrong, say, then no other message pays for that.
            alone = not self.imported
            messages = list(lease.receive(1 if alone else min(left, RECEIVE), self.wait_time_seconds))
            letters = self._read(lease, messages)
            if len(messages) == RECEIVE and are_small(letters):  # large ones are left to other importers
                more = lease.receive_more(min(left, self._importer.objects_at_once) - RECEIVE)
                known = {message["MessageId"] for message in messages}
                messages += [message for message in more if message["MessageId"] not in known]
                letters += self._read(lease, messages[RECEIVE:])
            rest = letters if alone else self._take_together(lease, letters)
            taken += len(messages) - len(rest)
            todo, busy = [(letter, False) for letter in rest], []
            while todo and not self._capped(began):  # at the end, the lease gives back the rest
                (letter, wait), *todo = todo
                try:
                    self._take(lease, letter, wait)
                    taken += 1
                except ObjectBusy:  # another importer is loading it, from a copy of the message
                    busy.append((letter, True))
                    if alone and left > 1:  # this much works: look for others before waiting for it
                        alone, others = False, lease.receive(min(left, RECEIVE) - 1, 0)
                        todo = [(letter, False) for letter in self._read(lease, others)]
                if not todo:
                    todo, busy = busy, []
            empty = empty + 1 if not messages and self._drained() else 0
            if not messages and not empty and not self.wait_time_seconds:
                self.sleep(IDLE)  # other importers hold the rest; do not poll without a pause

    def _left(self, taken: int) -> int:
        """Return how many more messages may be begun."""
        caps = ((self.max_messages, taken), (self.max_objects, self._loaded()))
        return min((most - done for most, done in caps if most is not None), default=sys.maxsize)

    def _loaded(self) -> int:
        return sum(not one.skipped for one in self.imported)

    def _capped(self, began: float) -> bool:
        late = self.max_seconds is not None and self.clock() - began >= self.max_seconds
        return late or (self.max_objects is not None and self._loaded() >= self.max_objects)

    def _drained(self) -> bool:
        try:
            return read_depth(self.sqs, self.queue_url).total == 0
        except DepthUnknown as error:
            logger.warning("%s", error)
            return False

    def _read(self, lease: Lease, messages: Iterable[Mapping[str, Any]]) -> list[Letter]:
        """Return the messages that are notifications; the others are refused."""
        letters = []
        for message in messages:
            message_id = message["MessageId"]
            try:
                references = [one for one in object_references(message["Body"]) if not self._passed_over(one)]
            except MalformedNotification as error:
                self._fail(message_id, str(error))
                self._importer.record_failure("", message_id, error)
                self._refuse(lease, message_id)
            else:
                letters.append(Letter(message_id, references, received_before(message)))
        return letters

    def _take_together(self, lease: Lease, letters: Sequence[Letter]) -> list[Letter]:
        """Import small objects together, delete the messages that are done, and return those that are not."""
        found = can_share(letters)
        outcomes = self._loaded_together(list(found)) if len(found) > 1 else {}
        self._spared = len(outcomes)
        if outcomes:
            self._unexpected.clear()
        loaded = {found[one]: outcome for one, outcome in outcomes.items()}
        rest = [letter.without(loaded) for letter in letters]
        for one in (one for letter in letters for one in letter.references if one in loaded):
            self.imported.append(loaded[one])
            loaded[one] = ImportedObject(one.url, skipped=True)  # for a copy of the message
        done = [letter.message_id for letter in rest if not letter.references]
        lease.delete_all(done)
        for message_id in done:
            self.failed.pop(message_id, None)
        return [letter for letter in rest if letter.references]

    def _loaded_together(self, found: Sequence[FoundObject]) -> dict[FoundObject, ImportedObject]:
        try:
            return self._importer.import_together(found)
        except self._importer.dialect.driver.Error as error:
            logger.info("%s objects are imported one by one, because together they fail: %s", len(found), error)
            self._connect_again(error)
            return {}

    def _connect_again(self, error: Exception) -> None:
        """After an error of the database; raise it if another connection would not help."""
        if self._importer.dialect.fault(error) == "target":
            raise error
        self._importer.close()  # it may be broken
        self._importer = self.connect()

    def _take(self, lease: Lease, letter: Letter, wait: bool) -> None:
        message_id = letter.message_id
        fate = max((self._import(message_id, one, wait) for one in letter.references), default=Fate.DONE)
        if fate is Fate.DONE:
            lease.delete(message_id)
            self.failed.pop(message_id, None)
        elif fate is Fate.PASSING:
            lease.leave(message_id)
        else:
            self._refuse(lease, message_id, at_once=fate is Fate.REFUSED)

    def _import(self, message_id: str, reference: ObjectReference, wait: bool) -> Fate:
        from botocore.exceptions import BotoCoreError, ClientError

        importer = self._importer
        try:
            imported = importer.import_object(
                reference.bucket, reference.key, reference.version_id, reference.etag, reference.size or 0, wait
            )
        except UnimportableObject as error:
            self._fail(message_id, reason(reference.url, error))
            return Fate.FORBIDDEN if isinstance(error, ForbiddenObject | ArchivedObject) else Fate.REFUSED
        except ObjectOverwritten as error:
            self._fail(message_id, reason(reference.url, error))
            return Fate.PASSING
        except UnexpectedFailure as error:
            first = message_id not in self.failed
            self._fail(message_id, str(error))
            if first and self._spared:
                self._spared -= 1
            elif first:
                self._unexpected.add(message_id)
            if len(self._unexpected) >= UNEXPECTED:
                raise
            return Fate.FORBIDDEN
        except (BotoCoreError, ClientError) as error:
            self._pass(message_id, reference, error)
            return Fate.PASSING if may_pass(error) else Fate.FORBIDDEN
        except importer.dialect.driver.Error as error:
            self._connect_again(error)
            self._pass(message_id, reference, error)
            return Fate.PASSING
        self.imported.append(imported)
        self._unexpected.clear()
        return Fate.DONE

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
