"""A look at some letters of a dead-letter queue: all of them stay in it, and become visible again at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.queues.batches import BATCH, give_back, receive
from airflow_agari_provider.queues.dead_letters import DeadLetter, dead_letter
from airflow_agari_provider.queues.depth import queue_settings, read_depth
from airflow_agari_provider.queues.patience import patiently

MOST = 100  # letters, for a report
MOST_OF_SHARED = 10_000  # letters, to tell those of one pipeline from those of another
KEPT_BYTES = 64 * 2**20  # of their bodies; those of the letters after it are left out
HIDDEN = 30  # seconds for which a letter stays hidden if the process dies before it gives the letter back
LONGEST = 20  # seconds; less than HIDDEN, so that no letter is received twice


class ReceivesMoveLetters(AgariError):
    """
    A dead-letter queue that cannot be looked through, because it has a redrive policy of its own.

    :param queue_url: URL of the dead-letter queue.
    """

    def __init__(self, queue_url: str) -> None:
        super().__init__(queue_url)
        self.queue_url = queue_url

    def __str__(self) -> str:
        return (
            f"Dead-letter queue {self.queue_url} has a redrive policy of its own: whoever receives its letters moves "
            "them on to the next queue. So nobody looked at them. Remove the redrive policy of the dead-letter queue, "
            "or leave objects_below out: then its letters are only counted."
        )


@dataclass(frozen=True)
class Look:
    """
    What was found.

    :param letters: the letters that were looked at, the one that was sent last first.
    :param unseen: about how many more the queue holds.
    """

    letters: list[DeadLetter] = field(default_factory=list)
    unseen: int = 0

    def of(self, queue_arns: list[str], since: float | None = None) -> list[DeadLetter]:
        """
        Return the letters that came from one of these queues, or of which SQS does not tell where from.

        :param since: only letters sent at this time or later; None: all.
        """
        return [
            letter
            for letter in self.letters
            if (letter.source_arn is None or letter.source_arn in queue_arns)
            and (since is None or letter.sent_at is None or letter.sent_at >= since)
        ]


def require_unmoved_by_receives(sqs: Any, queue_url: str) -> None:
    """:raises ReceivesMoveLetters: a receive could move a letter on to the next queue."""
    if queue_settings(sqs, queue_url, ("RedrivePolicy",)).get("RedrivePolicy"):
        raise ReceivesMoveLetters(queue_url)


def look(
    sqs: Any,
    queue_url: str,
    most: int = MOST,
    there: int = 0,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Look:
    """
    Look at letters until there are no more, or ``most`` were seen. The receive count of each grows by 1.

    :param there: how many the queue counts: it is not asked for more once so many were seen. 0: unknown.
    :raises ReceivesMoveLetters: nothing was received, because a receive could move a letter on.
    :raises DepthUnknown: SQS did not answer.
    :raises QueueUnreadable: there is no such queue, or no permission to read it.
    """
    patiently(partial(require_unmoved_by_receives, sqs, queue_url), sleep)
    found: dict[str, DeadLetter] = {}
    receipts: list[str] = []
    kept = 0
    ends = clock() + LONGEST
    try:
        while len(found) < most and clock() < ends:
            wanted = min(BATCH, most - len(found))
            batch = patiently(partial(receive, sqs, queue_url, wanted, HIDDEN, 1), sleep)
            receipts += [message["ReceiptHandle"] for message in batch]
            new = {message["MessageId"]: dead_letter(message) for message in batch if message["MessageId"] not in found}
            kept += sum(len(letter.body) for letter in new.values())
            if kept > KEPT_BYTES:
                new = {name: replace(letter, body="(left out)", message_attributes={}) for name, letter in new.items()}
            if not new:
                break
            found |= new
            if there and len(found) >= there:
                break
        total = patiently(partial(read_depth, sqs, queue_url), sleep).total  # with those that other readers hold
    finally:
        give_back(sqs, queue_url, receipts)
    letters = sorted(found.values(), key=lambda letter: letter.sent_at or 0, reverse=True)
    return Look(letters, max(total - len(found), 0))
