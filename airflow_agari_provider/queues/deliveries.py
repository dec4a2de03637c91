"""When a queue that is being emptied delivers no more: neither an empty receive nor a count of 0 alone tells."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.queues.depth import read_depth
from airflow_agari_provider.queues.patience import patiently

EMPTY_RECEIVES = 2  # in a row, while the queue counts no visible message
SETTLED_AFTER = 75  # seconds; AWS's counts are right a minute after the last deletion
PAUSE = 5.0  # seconds between two empty receives of a queue that counts visible messages


class DeadLettersLeft(AgariError):
    """
    SQS counts visible messages, but does not deliver them.

    :param queue_url: URL of the dead-letter queue.
    :param visible: how many it counts.
    :param done: how many were taken out of it before.
    """

    def __init__(self, queue_url: str, visible: int, done: int) -> None:
        super().__init__(queue_url, visible, done)
        self.queue_url, self.visible, self.done = queue_url, visible, done

    def __str__(self) -> str:
        return (
            f"{self.done} dead letter(s) were taken out of {self.queue_url}, but SQS counts {self.visible} more and "
            f"has not delivered any for {SETTLED_AFTER} s. Nothing is lost. Run this task again: it takes the rest. In "
            "a FIFO queue, a message that another reader holds also holds up those after it."
        )


@dataclass
class Deliveries:
    """
    Judges the answers to the receives of one queue.

    :param sqs: boto3 client of SQS.
    :param sleep: takes seconds.
    :param clock: tells seconds.
    """

    sqs: Any
    queue_url: str
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    _empty: int = field(default=0, init=False)
    _since: float = field(default=0, init=False)

    def over(self, new: int, done: int) -> bool:
        """
        Whether the queue delivers no more.

        :param new: how many messages the last receive brought that were not seen before.
        :param done: how many were taken out of the queue so far.
        :raises DeadLettersLeft: for more than a minute, it has counted visible messages without delivering any.
        """
        if new:
            self._empty = 0
            return False
        self._since = self._since if self._empty else self.clock()
        self._empty += 1
        visible = patiently(partial(read_depth, self.sqs, self.queue_url), self.sleep).visible
        if not visible:
            return self._empty >= EMPTY_RECEIVES
        if self.clock() - self._since >= SETTLED_AFTER:
            raise DeadLettersLeft(self.queue_url, visible, done)
        self.sleep(PAUSE)
        return False
