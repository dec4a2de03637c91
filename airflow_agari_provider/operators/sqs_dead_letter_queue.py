"""What the operators of dead letters share: which queue is meant, and which of its letters are the run's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_agari_provider.airflow_errors import no_retry
from airflow_agari_provider.queues.patience import patiently
from airflow_agari_provider.triggers.sqs_connection import sqs_of

if TYPE_CHECKING:
    from airflow_agari_provider.queues.addresses import RegionalSqs
    from airflow_agari_provider.queues.dead_letter_scan import Letters


def open_dead_letters(operator: Any) -> tuple[RegionalSqs, str]:
    """
    Return SQS, and the URL of the dead-letter queue that an operator names.

    :param operator: one with ``queue_url``, ``source_queue_url``, ``aws_conn_id`` and ``region_name``.
    :raises NoDeadLetterQueue: the source queue has none.
    :raises NoSuchQueue: there is no queue of that name or ARN.
    """
    from airflow_agari_provider.queues.dead_letters import dead_letter_queue

    sqs = sqs_of(operator.aws_conn_id, operator.region_name)
    return sqs, patiently(partial(dead_letter_queue, sqs, operator.queue_url, operator.source_queue_url))


def look_through(
    sqs: Any,
    queue_url: str,
    operator: Any,
    take: Callable[[list[dict[str, Any]]], None] | None = None,
) -> Letters | None:
    """
    Look for this run's letters; None if all are.

    :param operator: one with ``objects_below``, ``max_messages`` and ``max_seconds``.
    """
    from airflow_agari_provider.queues.dead_letter_scan import LetterScan
    from airflow_agari_provider.queues.letter_look import ReceivesMoveLetters

    if operator.objects_below is None:
        return None
    with no_retry(ReceivesMoveLetters):
        return LetterScan(sqs, queue_url, operator.objects_below, operator.max_messages, operator.max_seconds).run(take)


def require_one(queue_url: str | None, source_queue_url: str | None) -> None:
    if (queue_url is None) == (source_queue_url is None):
        raise ValueError("Give either queue_url, the dead-letter queue, or source_queue_url, the queue that feeds it.")
