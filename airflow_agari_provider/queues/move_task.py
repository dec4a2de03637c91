"""SQS's own redrive: a task on its side that moves the letters of a dead-letter queue."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.queues.addresses import client_at
from airflow_agari_provider.queues.patience import patiently

logger = logging.getLogger(__name__)

_LIVE = ("RUNNING", "CANCELLING")
# What AWS and its stand-ins answer where there is no such request, or not for this queue.
_MISSING = (
    "UnsupportedOperation",
    "InvalidAction",
    "UnknownOperation",
    "NotImplemented",
    "InvalidAddress",
    "404",
    "501",
)


class MoveTaskFailed(AgariError):
    """
    SQS did not move all letters.

    :param source_arn: the dead-letter queue.
    :param status: ``FAILED`` or ``CANCELLED``.
    :param reason: what SQS says.
    :param moved: about how many letters were moved before.
    """

    def __init__(self, source_arn: str, status: str, reason: str, moved: int) -> None:
        super().__init__(source_arn, status, reason, moved)
        self.source_arn, self.status, self.reason, self.moved = source_arn, status, reason, moved

    def __str__(self) -> str:
        return (
            f"The redrive of {self.source_arn} is {self.status} after {self.moved} message(s): {self.reason}. The rest "
            "is still in the dead-letter queue. Correct what SQS names, then run this task again: it moves the rest."
        )


@dataclass(frozen=True)
class MoveTask:
    """
    One redrive on SQS's side.

    :param started: milliseconds since 1970, which tell it from others of the queue.
    :param status: ``RUNNING``, ``CANCELLING``, ``COMPLETED``, ``CANCELLED`` or ``FAILED``.
    :param moved: about how many letters were moved.
    :param handle: what cancels it; None once it does not run.
    """

    source_arn: str
    started: int
    status: str
    moved: int
    reason: str = ""
    handle: str | None = None

    @property
    def live(self) -> bool:
        return self.status in _LIVE


def can_move(error: Exception) -> bool:
    """Whether an error does not say that SQS has no redrive here."""
    response = getattr(error, "response", None) or {}
    code = str(response.get("Error", {}).get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    # moto 5.2 answers an unknown request with the error page of a web server: botocore takes its status for the code.
    return not (any(word in code for word in _MISSING) or status in (404, 501) or code == "500")


def start_or_join(
    sqs: Any,
    source_arn: str,
    to_arn: str | None,
    per_second: int | None,
    sleep: Callable[[float], None] = time.sleep,
) -> MoveTask:
    """
    Return the redrive that runs for the queue, or start one.

    :param to_arn: queue that gets the letters; None: the one from which each came.
    :param per_second: how many letters at most; None: as SQS likes, up to 500.
    :raises ClientError: SQS does not do it; ``can_move`` tells why.
    """
    running = _newest(sqs, source_arn, sleep)
    if running is not None and running.live:
        logger.info("Joined the redrive of %s that runs since %s", source_arn, running.started)
        return running
    settings: dict[str, Any] = {"SourceArn": source_arn}
    if to_arn:
        settings["DestinationArn"] = to_arn
    if per_second:
        settings["MaxNumberOfMessagesPerSecond"] = per_second
    sqs.start_message_move_task(**settings)
    started = _newest(sqs, source_arn, sleep)
    if started is None:
        return MoveTask(source_arn, int(time.time() * 1000), "RUNNING", 0)
    logger.info("Started a redrive of %s", source_arn)
    return started


def state_of(sqs: Any, task: MoveTask, sleep: Callable[[float], None] = time.sleep) -> MoveTask:
    """Return the newest state of a redrive."""
    for found in _all(sqs, task.source_arn, sleep):
        if found.started == task.started:
            return found
    return task


def cancel(sqs: Any, task: MoveTask) -> None:
    """Ask SQS to stop a redrive; letters that were moved stay moved, the rest stays where it is."""
    newest = state_of(sqs, task)
    if newest.handle:
        client_at(sqs, task.source_arn).cancel_message_move_task(TaskHandle=newest.handle)


def moved_by(task: MoveTask) -> int:
    """
    Return how many letters a redrive that has ended moved.

    :raises MoveTaskFailed: it did not move all of them.
    """
    if task.status != "COMPLETED":
        raise MoveTaskFailed(task.source_arn, task.status, task.reason or "no reason given", task.moved)
    return task.moved


def _newest(sqs: Any, source_arn: str, sleep: Callable[[float], None]) -> MoveTask | None:
    return max(_all(sqs, source_arn, sleep), key=lambda task: (task.live, task.started), default=None)


def _all(sqs: Any, source_arn: str, sleep: Callable[[float], None]) -> list[MoveTask]:
    from botocore.exceptions import ClientError

    ask = partial(sqs.list_message_move_tasks, SourceArn=source_arn, MaxResults=10)
    try:
        answer = ask()
    except ClientError as error:
        if not can_move(error):
            raise
        answer = patiently(ask, sleep)
    return [
        MoveTask(
            source_arn=source_arn,
            started=int(found.get("StartedTimestamp") or 0),
            status=str(found["Status"]),
            moved=int(found.get("ApproximateNumberOfMessagesMoved") or 0),
            reason=str(found.get("FailureReason") or ""),
            handle=found.get("TaskHandle"),
        )
        for found in answer.get("Results", [])
    ]
