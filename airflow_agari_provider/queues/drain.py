"""
Whether a group of SQS queues is drained: how a watch starts, and how each poll feeds it.

SQS counts are approximate and lag by about a minute, so a single zero proves nothing. AWS calls a queue empty once its
visible, invisible and delayed counts have all been 0 for several minutes
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/troubleshooting-messages-not-returned-ReceiveMessage.html).
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.queues.addresses import queue_url_of
from airflow_agari_provider.queues.batches import BATCH
from airflow_agari_provider.queues.dead_letters import source_settings
from airflow_agari_provider.queues.depth import DepthUnknown, QueueUnreadable, read_depth
from airflow_agari_provider.queues.drain_errors import DeadLettersGrew
from airflow_agari_provider.queues.drain_watch import CONSISTENT_AFTER, DrainWatch
from airflow_agari_provider.queues.letter_count import MOST_LOOKS
from airflow_agari_provider.queues.letter_look import MOST, MOST_OF_SHARED, Look, look
from airflow_agari_provider.queues.patience import patiently, request_errors
from airflow_agari_provider.queues.topics import queue_urls_of

logger = logging.getLogger(__name__)


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

    If SQS does not answer for half a minute, the polls look them up.

    :param sqs: boto3 client of SQS, or ``RegionalSqs``.
    :param queue_urls: URLs, ARNs or names; the ARN of an SNS topic stands for the queues that are subscribed to it.
    :param dead_letters: dead-letter queues to watch: URLs, ARNs or names; ``auto`` for the targets of the queues'
        redrive policies (a target that cannot be read is left out with a warning); or None to watch none.
    :param dead_letters_before: how many messages each dead-letter queue held when the run began: one number for all of
        them, or a number by queue; None: what the first polls find.
    :param sleep: takes seconds; called between two tries of a failed request.
    :param settings: further arguments of :class:`DrainWatch`.
    :raises ValueError: no queue is named: an empty group would always count as drained.
    :raises QueueUnreadable: a watched queue cannot be read.
    :raises NoSuchQueue: there is no queue of that name or ARN.
    """
    if not queue_urls:
        raise ValueError("There is no queue to watch: queue_url is an empty list. Name at least one queue.")
    watch = DrainWatch(list(queue_urls), queues=list(queue_urls), **settings)
    if watch.quiet_period < CONSISTENT_AFTER:
        logger.warning(
            "A quiet period of %s s is shorter than the %s s that AWS needs until a queue's counts are consistent. "
            "For local and test queues, whose counts are exact, that is fine; on AWS, a busy queue may look empty",
            watch.quiet_period,
            CONSISTENT_AFTER,
        )
    before = dead_letters_before if isinstance(dead_letters_before, int) else dict(dead_letters_before or {})
    watch.pending = {"dead_letters": [dead_letters] if _is_one(dead_letters) else dead_letters, "before": before}
    try:
        patiently(partial(_look_up, sqs, watch), sleep)
    except DepthUnknown as unknown:
        logger.warning("The settings of the queues are still unknown, and the next polls ask again: %s", unknown)
    return watch


def poll(sqs: Any, watch: DrainWatch, now: float) -> float | None:
    """
    Read all queues once, pass the counts to the watch, and log one line.

    Messages are received only when a dead-letter queue has grown: some messages of that queue, for a moment.

    :param sqs: boto3 client of SQS, or ``RegionalSqs``.
    :return: seconds until the next poll; None when the group is drained.
    :raises DrainFailed: the watch raised it; :class:`DeadLettersGrew` then has a sample message.
    :raises DepthUnknown: too many polls in a row did not tell the depth.
    :raises QueueUnreadable: a queue was deleted, or can no longer be read.
    """
    try:
        if watch.pending is not None:
            _look_up(sqs, watch)
        depths = {url: read_depth(sqs, url) for url in watch.queue_urls}
    except DepthUnknown as unknown:
        logger.warning("%s (the task fails after %s such polls in a row)", unknown, watch.max_unknown)
        return watch.observe_unknown(unknown, now)
    dead_letters = _read_dead_letters(sqs, watch)
    seen: dict[str, Look] = {}
    try:
        pause = watch.observe(depths, now, dead_letters, partial(_foreign, sqs, watch, seen))
    except DeadLettersGrew as grown:
        raise DeadLettersGrew(grown.growth, _sample(sqs, watch, seen, grown.growth)) from None
    if _tell_new(sqs, watch) and pause is None:
        pause = watch.poll_interval  # the next poll tells of them
    _report_growth(sqs, watch, seen)
    logger.info("%s: %s", watch.until.capitalize() if pause is None else "Waiting", watch)
    return pause


def _look_up(sqs: Any, watch: DrainWatch) -> None:
    """Find the queues' URLs, settings and dead-letter queues."""
    pending: dict[str, Any] = watch.pending or {}
    urls = list(dict.fromkeys(url for queue in watch.queue_urls for url in queue_urls_of(sqs, queue)))
    sources = [source_settings(sqs, url) for url in urls]
    if pending["dead_letters"] == "auto":
        found = dict.fromkeys(source.dead_letter_url for source in sources if source.dead_letter_url)
        dead_letter_urls = [url for url in found if _is_readable(sqs, url)]
    else:
        dead_letter_urls = [queue_url_of(sqs, queue) for queue in pending["dead_letters"] or []]
    before = pending["before"]
    if isinstance(before, int):
        before = dict.fromkeys(dead_letter_urls, before)
    watch.dead_letters_before = {queue_url_of(sqs, queue): number for queue, number in before.items()}
    watch.queue_urls, watch.dead_letter_urls = urls, dead_letter_urls
    watch.queue_arns = [source.arn for source in sources if source.arn]
    watch.visibility_timeout = max(source.visibility_timeout for source in sources)
    watch.pending = None


def _is_one(dead_letters: str | list[str] | None) -> bool:
    return isinstance(dead_letters, str) and dead_letters != "auto"


def _is_readable(sqs: Any, dead_letter_url: str) -> bool:
    try:
        read_depth(sqs, dead_letter_url)
    except QueueUnreadable as error:
        logger.warning("A dead-letter queue is not watched: %s", error)
        return False
    except DepthUnknown:
        return True  # it exists, and the polls ask again
    return True


def _read_dead_letters(sqs: Any, watch: DrainWatch) -> dict[str, int]:
    """The counts of the dead-letter queues that can be read: one that cannot does not end the wait."""
    counts = {}
    for url in watch.dead_letter_urls:
        known = watch.letters.get(url)
        try:
            counts[url] = read_depth(sqs, url).total
        except (DepthUnknown, QueueUnreadable) as error:
            if known is None and isinstance(error, QueueUnreadable):
                raise  # it could never be read: its name is wrong, or a permission is missing
            if known is None or not known.unknown_in_a_row:
                logger.warning("New dead letters are not noticed as long as this lasts: %s", error)
    return counts


def _tell_new(sqs: Any, watch: DrainWatch) -> bool:
    """Where the first counts rose: tell which letters are of this run. Whether that has changed, or is still open."""
    news = False
    for url, count in watch.letters.items():
        if count.unsure and watch.on_dead_letters != "ignore":
            since = watch.started_at if watch.letters_since is None else watch.letters_since
            found = _look(sqs, url, MOST_OF_SHARED, count.last or 0)
            new = len(found.of(watch.queue_arns, since))
            if found.unseen and not new and count.looks < MOST_LOOKS:
                count.looks += 1
                news = True
                continue
            before, count.looks = count.before, 0
            count.tell_new(new)
            news = news or count.before != before
    return news


def _foreign(sqs: Any, watch: DrainWatch, seen: dict[str, Look], url: str, new: int) -> tuple[int, int]:
    """How many of the new letters are of other queues, and of how many that is not known."""
    if not watch.queue_arns or _is_ours_alone(sqs, watch, url):
        return 0, 0
    seen[url] = found = _look(sqs, url, MOST_OF_SHARED, watch.letters[url].last or 0)
    if not found.letters and not found.unseen:
        return 0, 0  # no permission to look: unknown is not foreign
    # The letters sent last are the new ones, as far as one can tell; and those of the run surely are.
    last = Look(found.letters[:new]).of(watch.queue_arns) if not found.unseen else []
    own = {
        letter.message_id
        for letter in last + found.of(watch.queue_arns, watch.letters_since or watch.started_at or math.inf)
    }
    others = max(new - len(own), 0)
    if found.unseen and others:
        _warn_of_unknown(watch, url, others, found)
        return 0, others
    if others:
        logger.info("%s new message(s) in dead-letter queue %s are of other queues", others, url)
    return others, 0


def _warn_of_unknown(watch: DrainWatch, url: str, unknown: int, found: Look) -> None:
    last = watch.letters[url].looks + 1 >= MOST_LOOKS
    logger.log(
        logging.WARNING if last else logging.INFO,
        "%s new message(s) in dead-letter queue %s, which other queues share, are of unknown queues: %s were looked "
        "at, %s more could not be. %s",
        unknown,
        url,
        len(found.letters),
        found.unseen,
        "They do not fail this wait; look whether some are of its queues." if last else "The next poll looks again.",
    )


def _is_ours_alone(sqs: Any, watch: DrainWatch, dead_letter_url: str) -> bool:
    """Whether no other queue sends its dead letters there."""
    try:
        sources = sqs.list_dead_letter_source_queues(QueueUrl=dead_letter_url).get("queueUrls", [])
    except request_errors():
        return False  # perhaps there is no permission to ask: then the letters themselves tell
    return set(sources) <= set(watch.queue_urls)


def _report_growth(sqs: Any, watch: DrainWatch, seen: dict[str, Look]) -> None:
    growth = watch.dead_letter_growth
    new = sum(now - before for before, now in growth.values())
    if new > watch.dead_letters_reported and watch.on_dead_letters == "warn":
        logger.warning("%s", DeadLettersGrew(growth, _sample(sqs, watch, seen, growth)))
    watch.dead_letters_reported = new


def _sample(sqs: Any, watch: DrainWatch, seen: dict[str, Look], growth: Mapping[str, tuple[int, int]]) -> str | None:
    """The newest letter of these queues among those that were looked at."""
    for url in growth:
        found = seen.get(url) or _look(sqs, url, BATCH)
        for letter in found.of(watch.queue_arns) if watch.queue_arns else found.letters:
            return str(letter)
    return None


def _look(sqs: Any, url: str, most: int = MOST, there: int = 0) -> Look:
    errors: tuple[type[Exception], ...] = (AgariError, *request_errors())
    try:
        return look(sqs, url, most, there)
    except errors as error:
        logger.warning("No sample message from %s: %s", url, error)
        return Look()
