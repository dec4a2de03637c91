"""
How many consumers a group of queues needs.

Out when messages are visible; in only when none is in flight. A rule by processor load stops consumers while the last
messages are still being committed, and one by visible messages alone kills the consumer of the last message.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from airflow_agari_provider.queues.consumer_group import ConsumerGroup
from airflow_agari_provider.queues.depth import QueueDepth, read_depth
from airflow_agari_provider.queues.patience import patiently

logger = logging.getLogger(__name__)

POLL = 15.0  # seconds between two looks while scaling in is considered


@dataclass(frozen=True)
class ScalingRule:
    """
    Bounds and size of a group of consumers.

    :param minimum: instances when the queues are drained.
    :param maximum: instances at most. A group that is larger shrinks only when the queues are drained.
    :param messages_per_instance: so many messages one instance is to work off.
    """

    minimum: int
    maximum: int
    messages_per_instance: int

    def __post_init__(self) -> None:
        if not 0 <= self.minimum <= self.maximum or self.messages_per_instance < 1:
            raise ValueError(
                "Scaling needs 0 <= min_instances <= max_instances and messages_per_instance >= 1, not "
                f"{self.minimum}, {self.maximum} and {self.messages_per_instance}."
            )

    def wanted(self, depth: QueueDepth, current: int) -> int:
        """
        Return how many instances there should be; fewer than ``current`` only if no message is left.

        :param depth: of all queues together.
        :param current: how many there should be now.
        """
        if not depth.total:
            return self.minimum
        busy = depth.visible + depth.in_flight if depth.visible else 0
        needed = min(math.ceil(busy / self.messages_per_instance), self.maximum)
        return max(current, needed, self.minimum)


@dataclass(frozen=True)
class Scaled:
    """What was done: the size before and after, and the last depth."""

    before: int
    after: int
    depth: QueueDepth

    def as_dict(self) -> dict[str, int]:
        """Return it as JSON can hold it."""
        counts = {"visible": self.depth.visible, "in_flight": self.depth.in_flight, "delayed": self.depth.delayed}
        return {"before": self.before, "after": self.after, **counts}


def scale(
    sqs: Any,
    queue_urls: Sequence[str],
    group: ConsumerGroup,
    rule: ScalingRule,
    quiet_period: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Scaled:
    """
    Give a group of consumers the size that its queues need now.

    Counts lag, so a single 0 does not end a consumer: the group shrinks only if all counts stay 0 for a quiet period,
    for which this blocks. An unknown count changes nothing.

    :raises DepthUnknown: SQS did not tell the depth.
    :raises QueueUnreadable: a queue does not exist, or there is no permission to read it.
    :raises NoSuchGroup: there is no such group.
    """
    began = clock()
    before: int | None = None
    while True:
        depth = _depth(sqs, queue_urls, sleep)
        size = group.size(sleep)  # somebody else may scale it too
        before = size.desired if before is None else before
        wanted = size.bounded(rule.wanted(depth, size.desired))
        rest = began + quiet_period - clock()
        if wanted >= size.desired or rest <= 0:
            break
        sleep(min(POLL, rest))
    if wanted != size.desired:
        group.resize(wanted, sleep)
        logger.info("%s: %s instance(s) instead of %s (%s)", group, wanted, size.desired, depth)
    else:
        logger.info("%s stays at %s instance(s) (%s)", group, wanted, depth)
    return Scaled(before, wanted, depth)


def _depth(sqs: Any, queue_urls: Sequence[str], sleep: Callable[[float], None]) -> QueueDepth:
    depths = [patiently(partial(read_depth, sqs, url), sleep) for url in queue_urls]
    return QueueDepth(
        sum(depth.visible for depth in depths),
        sum(depth.in_flight for depth in depths),
        sum(depth.delayed for depth in depths),
    )
