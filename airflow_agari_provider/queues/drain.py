"""
Whether a group of SQS queues is drained: how a watch starts, and how each poll feeds it.

SQS counts are approximate and lag by about a minute, so a single zero proves nothing. AWS calls a queue empty once its
visible, invisible and delayed counts have all been 0 for several minutes
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/troubleshooting-messages-not-returned-ReceiveMessage.html).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from airflow_agari_provider.queues.dead_letters import peek, source_settings
from airflow_agari_provider.queues.depth import DepthUnknown, QueueUnreadable, read_depth
from airflow_agari_provider.queues.drain_watch import DeadLettersGrew, DrainWatch
from airflow_agari_provider.queues.patience import patiently

logger = logging.getLogger(__name__)

CONSISTENT_AFTER = 60  # seconds; AWS: counts reach consistency at least 1 minute after the producers stop sending


def start_watch(
    sqs: Any,
    queue_urls: list[str],
    dead_letters: str | list[str] | None = "auto",
    dead_letters_before: int | Mapping[str, int] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    **settings: Any,
) -> DrainWatch:
    """
    Return a watch over the queues. Their visibility timeouts and dead-letter queues are looked up first.

    :param sqs: boto3 client of SQS.
    :param dead_letters: dead-letter queues to watch: their URLs; ``auto`` for the targets of the queues' redrive
        policies (a target that cannot be read is left out with a warning); or None to watch none.
    :param dead_letters_before: how many messages each dead-letter queue held when the run began: one number for all of
        them, or a number by URL; None: as many as the first poll finds.
    :param sleep: takes seconds; called between two tries of a failed request.
    :param settings: further arguments of :class:`DrainWatch`.
    :raises ValueError: no queue is named: an empty group would always count as drained.
    :raises DepthUnknown: SQS did not answer for half a minute.
    :raises QueueUnreadable: a watched queue cannot be read.
    """
    if not queue_urls:
        raise ValueError("There is no queue to watch: queue_url is an empty list. Name at least one queue.")
    watch = DrainWatch(queue_urls, **settings)
    if watch.quiet_period < CONSISTENT_AFTER:
        logger.warning(
            "A quiet period of %s s is shorter than the %s s that AWS needs until a queue's counts are consistent. "
            "For local and test queues, whose counts are exact, that is fine; on AWS, a busy queue may look empty",
            watch.quiet_period,
            CONSISTENT_AFTER,
        )
    sources = [patiently(partial(source_settings, sqs, url), sleep) for url in queue_urls]
    watch.visibility_timeout = max(source.visibility_timeout for source in sources)
    if dead_letters == "auto":
        found = dict.fromkeys(source.dead_letter_url for source in sources if source.dead_letter_url)
        watch.dead_letter_urls = [url for url in found if _is_readable(sqs, url)]
    else:
        watch.dead_letter_urls = [dead_letters] if isinstance(dead_letters, str) else list(dead_letters or [])
    if isinstance(dead_letters_before, int):
        dead_letters_before = dict.fromkeys(watch.dead_letter_urls, dead_letters_before)
    watch.dead_letters_before = dict(dead_letters_before or {})
    return watch


def poll(sqs: Any, watch: DrainWatch, now: float) -> float | None:
    """
    Read all queues once, pass the counts to the watch, and log one line.

    A message is received only when a dead-letter queue has grown: one message of that queue, which stays visible.

    :param sqs: boto3 client of SQS.
    :return: seconds until the next poll; None when the group is drained.
    :raises DrainFailed: the watch raised it; :class:`DeadLettersGrew` then has a sample message.
    :raises DepthUnknown: too many polls in a row did not tell the depth.
    :raises QueueUnreadable: a queue was deleted, or can no longer be read.
    """
    try:
        depths = {url: read_depth(sqs, url) for url in watch.queue_urls}
        dead_letters = {url: read_depth(sqs, url).total for url in watch.dead_letter_urls}
    except DepthUnknown as unknown:
        logger.warning("%s (the task fails after %s such polls in a row)", unknown, watch.max_unknown)
        return watch.observe_unknown(unknown, now)
    try:
        pause = watch.observe(depths, now, dead_letters)
    except DeadLettersGrew as grown:
        raise DeadLettersGrew(grown.growth, _sample(sqs, grown.growth)) from None
    _report_growth(sqs, watch)
    logger.info("%s: %s", "Drained" if pause is None else "Waiting", watch)
    return pause


def _is_readable(sqs: Any, dead_letter_url: str) -> bool:
    try:
        read_depth(sqs, dead_letter_url)
    except QueueUnreadable as error:
        logger.warning("A dead-letter queue is not watched: %s", error)
        return False
    except DepthUnknown:
        return True  # it exists, and the polls ask again
    return True


def _report_growth(sqs: Any, watch: DrainWatch) -> None:
    growth = watch.dead_letter_growth
    new = sum(now - before for before, now in growth.values())
    if new > watch.dead_letters_reported and watch.on_dead_letters == "warn":
        logger.warning("%s", DeadLettersGrew(growth, _sample(sqs, growth)))
    watch.dead_letters_reported = new


def _sample(sqs: Any, growth: Mapping[str, tuple[int, int]]) -> str | None:
    letter = peek(sqs, next(iter(growth)))
    return str(letter) if letter else None
