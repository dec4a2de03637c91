"""
Looks through a dead-letter queue that several runs share, for the letters of one run.

Only receiving a letter tells whose it is, and a received letter is hidden from the other runs for a while. So a run
holds what it receives until it holds as many letters as the queue counts, or until no more come. Then it gives all
back. If another run held some, it tries again after a pause of random length, until both have had the queue to
themselves.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from airflow_agari_provider.queues.batches import give_back, receive
from airflow_agari_provider.queues.dead_letters import DeadLetter, dead_letter
from airflow_agari_provider.queues.depth import read_depth
from airflow_agari_provider.queues.letter_look import require_unmoved_by_receives
from airflow_agari_provider.queues.patience import patiently
from airflow_agari_provider.s3.urls import is_below, split_url

HIDDEN = 60  # seconds; if a run dies, the others wait this long for the letters that it held
ROUND = 30  # seconds; half of HIDDEN, so that the letters received first are still held
LONGEST_PAUSE = 8.0  # seconds
FORGOTTEN = 86_400  # seconds; a run has long reported its own letters by then

# own: all its objects are the run's. shared: some of them are. other: another run's. unclaimed: see Letters.
Kind = Literal["own", "shared", "other", "unclaimed"]


@dataclass(frozen=True)
class Letters:
    """
    What a run found in the queue, as numbers of letters.

    :param own: of this run: they name an object of the run.
    :param other_runs: of other runs: they name only objects that are not this run's.
    :param unclaimed: of no run: they name no object, or they are of other runs, but nobody has removed them for a day.
        Every run tells them, so that none stays untold.
    :param unseen: not looked at; some may be this run's.
    :param sample: one of the run's own, or else an unclaimed one.
    """

    own: int
    other_runs: int
    unclaimed: int
    unseen: int
    sample: DeadLetter | None

    @property
    def total(self) -> int:
        return self.own + self.other_runs + self.unclaimed + self.unseen

    @property
    def note(self) -> str:
        """What a reader of the report must know besides the count; empty if there is nothing."""
        notes = []
        if self.unclaimed:
            notes.append(
                f"{self.unclaimed} unclaimed dead letter(s): they name no object, or nobody has removed them for a "
                "day. Every run reports them, and no purge with objects_below removes them."
            )
        if self.unseen:
            notes.append(
                f"{self.unseen} letter(s) were not looked at, because other readers held them or a limit was reached. "
                f"Some may be of this run, so it has at least {self.own}."
            )
        return " ".join(notes)


@dataclass
class LetterScan:
    """
    One look through a queue.

    :param sqs: boto3 client of SQS.
    :param objects_below: S3 URL, or several; objects at or below them are this run's.
    :param max_messages: look at no more letters than this.
    :param max_seconds: begin no further round after this many seconds.
    :param sleep: takes seconds.
    :param clock: tells the seconds since 1970.
    :raises ValueError: ``objects_below`` is empty, or has a text that is not an S3 URL.
    """

    sqs: Any
    queue_url: str
    objects_below: str | Sequence[str]
    max_messages: int = 10_000
    max_seconds: float = 120
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.time
    _kinds: dict[str, Kind] = field(default_factory=dict, init=False)  # by message id
    _samples: dict[Kind, DeadLetter] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._urls = [self.objects_below] if isinstance(self.objects_below, str) else list(self.objects_below)
        if not self._urls:
            raise ValueError("objects_below is an empty list, so no letter would be this run's. Name its S3 folder.")
        for url in self._urls:
            split_url(url)

    def run(self, take: Callable[[list[dict[str, Any]]], None] | None = None) -> Letters:
        """
        Look at every letter; all stay in the queue, visible again, except those that are taken.

        :param take: called with up to ten messages whose objects are all this run's; it deletes them. A letter that
            names objects of other runs too is not taken, because those runs have still to tell it.
        :raises ReceivesMoveLetters: nothing was received, because each receive could move a letter on.
        """
        patiently(partial(require_unmoved_by_receives, self.sqs, self.queue_url), self.sleep)
        give_up, pause = self.clock() + self.max_seconds, 1.0
        while (unseen := self._round(take, give_up)) and len(self._kinds) < self.max_messages:
            if self.clock() >= give_up:
                break
            self.sleep(random.uniform(0, pause))  # noqa: S311 - so that two runs do not stay in step
            pause = min(2 * pause, LONGEST_PAUSE)
        counts = Counter(self._kinds.values())
        return Letters(
            own=counts["own"] + counts["shared"],
            other_runs=counts["other"],
            unclaimed=counts["unclaimed"],
            unseen=unseen,
            sample=next(
                (self._samples[kind] for kind in ("own", "shared", "unclaimed") if kind in self._samples), None
            ),
        )

    def _round(self, take: Callable[[list[dict[str, Any]]], None] | None, give_up: float) -> int:
        """Hold as many letters as there are, then give them back. Return how many were not among them."""
        before = self._depth()
        there = min(before, self.max_messages) if before else self.max_messages  # a single 0 may be wrong
        held: dict[str, str] = {}  # message id -> receipt handle
        taken, ends = 0, min(give_up, self.clock() + ROUND)
        try:
            while (room := there - len(held) - taken) > 0 and self.clock() < ends:
                batch = patiently(partial(receive, self.sqs, self.queue_url, room, HIDDEN, 1), self.sleep)
                new = [message for message in batch if message["MessageId"] not in held]
                held |= {message["MessageId"]: message["ReceiptHandle"] for message in batch}
                if not new:
                    break
                own = [message for message in new if self._kind(message) == "own"]
                if take and own:
                    for message in own:
                        del held[message["MessageId"]]
                    take(own)
                    taken += len(own)
            # Both counts, because either may be older than the last arrival or deletion.
            return max(before - taken - len(held), self._depth() - len(held), 0)
        finally:
            give_back(self.sqs, self.queue_url, list(held.values()))

    def _kind(self, message: dict[str, Any]) -> Kind:
        letter = dead_letter(message)
        own = [
            any(is_below(url, reference.bucket, reference.key) for url in self._urls) for reference in letter.objects
        ]
        forgotten = letter.sent_at is not None and self.clock() - letter.sent_at >= FORGOTTEN
        kind: Kind = "unclaimed" if forgotten or not own else "other"
        if any(own):
            kind = "own" if all(own) else "shared"
        self._kinds[letter.message_id] = kind
        self._samples.setdefault(kind, letter)
        return kind

    def _depth(self) -> int:
        return patiently(partial(read_depth, self.sqs, self.queue_url), self.sleep).total
