"""Why letters are in a dead-letter queue, and how long they will be there."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.queues.dead_letters import DeadLetter, excerpt
from airflow_agari_provider.queues.deliveries import PAUSE, SETTLED_AFTER
from airflow_agari_provider.queues.depth import queue_settings, read_depth
from airflow_agari_provider.queues.letter_look import Look, look
from airflow_agari_provider.queues.patience import patiently, request_errors

logger = logging.getLogger(__name__)

CAUSES = 10  # are told; the rarer ones are in the count alone
EXCEPTION = 300  # characters by which two causes are told apart
SAMPLE = 500  # characters
SOON = 86_400  # seconds; letters that SQS deletes so soon are warned of


@dataclass(frozen=True)
class Cause:
    """
    Letters with the same exception.

    :param exception: its text; None: not known.
    :param count: how many of the letters that were looked at.
    :param oldest_sent_at: when the oldest of them was sent, in seconds since 1970; None: not known.
    :param sample: body of the newest one.
    """

    exception: str | None
    count: int
    oldest_sent_at: float | None
    sample: str

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "exception": self.exception,
            "count": self.count,
            "oldest_sent_at": self.oldest_sent_at,
            "sample": self.sample,
        }


def by_cause(letters: list[DeadLetter], exception_of: Callable[[DeadLetter], str | None]) -> list[Cause]:
    """
    Return the causes, the most frequent first, at most ``CAUSES`` of them.

    :param letters: the newest first.
    :param exception_of: text of a letter's failure.
    """
    groups: dict[str | None, list[DeadLetter]] = {}
    for letter in letters:
        text = exception_of(letter)
        groups.setdefault(excerpt(text, EXCEPTION) if text else None, []).append(letter)
    causes = [
        Cause(
            text,
            len(group),
            min((letter.sent_at for letter in group if letter.sent_at is not None), default=None),
            excerpt(group[0].body, SAMPLE),
        )
        for text, group in groups.items()
    ]
    return sorted(causes, key=lambda cause: -cause.count)[:CAUSES]


def count_and_look(
    sqs: Any,
    queue_url: str,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[int, Look]:
    """
    Return how many letters a queue holds, and some of them.

    A count may be 0 for a minute although the queue holds thousands, and thousands for a minute after the last letter
    was removed. So the highest of two counts is taken, what was received counts in any case, and letters that are
    counted as visible but not delivered are asked for again, for as long as a count may be wrong.
    """
    ends = clock() + SETTLED_AFTER
    errors: tuple[type[Exception], ...] = (AgariError, *request_errors())
    while True:
        before = patiently(partial(read_depth, sqs, queue_url), sleep)
        refused = False
        try:
            found = look(sqs, queue_url, there=before.total, sleep=sleep)
        except errors as error:
            logger.warning("No sample message from %s: %s", queue_url, error)
            found, refused = Look(), True
        after = patiently(partial(read_depth, sqs, queue_url), sleep)
        if found.letters or refused:
            return max(before.total, after.total, len(found.letters) + found.unseen), found
        if not after.visible or clock() >= ends:  # then none is visible: a receive has asked all servers
            held = max(before.total - before.visible, after.total - after.visible)
            return held + after.visible, found
        sleep(PAUSE)


def deleted_soon(sqs: Any, queue_url: str, letters: list[DeadLetter], now: float) -> str:
    """
    Say how many of the letters SQS deletes within a day, because their retention period ends; empty: none.

    The period of a standard queue begins when the message was first sent, in whichever queue that was.
    """
    period = patiently(partial(queue_settings, sqs, queue_url, ("MessageRetentionPeriod",))).get(
        "MessageRetentionPeriod"
    )
    if period is None:
        return ""
    due = [letter.sent_at + int(period) - now for letter in letters if letter.sent_at is not None]
    soon = [seconds for seconds in due if seconds < SOON]
    if not soon:
        return ""
    return (
        f"SQS deletes {len(soon)} of the letters that were looked at within a day, the first in "
        f"{max(min(soon), 0) / 3600:.1f} h: the queue keeps messages for {int(period) / 86400:g} day(s) after they "
        "were sent. Redrive or archive them now."
    )
