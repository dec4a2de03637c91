"""Archives dead letters of SQS to S3 and deletes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_agari_provider.airflow_compat import BaseOperator, Context
from airflow_agari_provider.airflow_errors import no_retry
from airflow_agari_provider.hooks.aws_clients import client_in
from airflow_agari_provider.queues.addresses import RegionalSqs
from airflow_agari_provider.queues.patience import patiently

if TYPE_CHECKING:
    from airflow_agari_provider.queues.dead_letter_scan import Letters


class SqsDeadLetterPurgeOperator(BaseOperator):
    """
    Empty a dead-letter queue; each message is archived in S3 before it is deleted.

    The archive is JSON lines, one S3 object for each batch of up to ten messages: ``message_id``, ``queue_url``,
    ``body``, ``receive_count``, ``attributes``, ``message_attributes``. The task takes as many messages as the queue
    held when it started, so it ends even while new dead letters arrive. If it is interrupted, every message is in the
    queue, in S3, or in both.

    Runs that share a queue give ``objects_below``: each then takes its own letters, and receives every letter for that.

    Returns ``{"queue_url", "count", "remaining", "archive_urls"}``; ``remaining`` counts the messages above
    ``max_messages``, and those that SQS did not hand out, for instance because another reader has received them. With
    ``objects_below``, all letters that stay; ``unclaimed`` of them are of no run, ``unseen`` were not looked at.

    :param queue_url: URL, ARN or name of the dead-letter queue.
    :param source_queue_url: instead of ``queue_url``: URL, ARN or name of the queue whose redrive policy names the
        dead-letter queue.
    :param archive_url: ``s3://bucket/prefix`` for the archived messages.
    :param objects_below: S3 URL of this run's folder, or a list of URLs: take only letters all of whose objects are
        below it. None: take all letters.
    :param max_messages: take at most this many messages; with ``objects_below``: look at no more than this.
    :param max_seconds: with ``objects_below``: how long to wait for letters that other readers hold.
    :param aws_conn_id: Airflow connection to AWS; None for boto3's own credentials.
    :param region_name: AWS region; default: that of the connection.
    :raises DeadLettersNotDeleted: SQS did not delete messages that are archived already; run the task again.
    """

    template_fields: Sequence[str] = (
        "queue_url",
        "source_queue_url",
        "archive_url",
        "objects_below",
        "aws_conn_id",
        "region_name",
    )
    ui_color = "#f8cecc"

    def __init__(
        self,
        *,
        archive_url: str,
        queue_url: str | None = None,
        source_queue_url: str | None = None,
        objects_below: str | Sequence[str] | None = None,
        max_messages: int = 10_000,
        max_seconds: float = 120,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require_one(queue_url, source_queue_url)
        self.queue_url = queue_url
        self.source_queue_url = source_queue_url
        self.archive_url = archive_url
        self.objects_below = objects_below
        self.max_messages = max_messages
        self.max_seconds = max_seconds
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name

    def execute(self, context: Context) -> dict[str, Any]:
        """Archive and delete the messages, batch by batch."""
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook

        from airflow_agari_provider.queues.dead_letter_archive import Archive
        from airflow_agari_provider.queues.dead_letters import dead_letter_queue

        sqs = RegionalSqs(client_in(self.aws_conn_id, self.region_name, "sqs"))
        s3 = S3Hook(aws_conn_id=self.aws_conn_id, region_name=self.region_name).conn
        url = patiently(partial(dead_letter_queue, sqs, self.queue_url, self.source_queue_url))
        archive = Archive(sqs, s3, url, self.archive_url)
        if letters := look_through(sqs, url, self, archive.take):
            found = letters.total
        else:
            found = archive.take_those_there(self.max_messages)
        remaining, note = max(found - archive.count, 0), letters.note if letters else ""
        log = self.log.warning if note or (remaining and not letters) else self.log.info
        outcome = f"Archived {archive.count} of {found} dead letter(s) of {url} to {self.archive_url} and deleted them"
        log("%s. %s", outcome, note)
        result = {
            "queue_url": url,
            "count": archive.count,
            "remaining": remaining,
            "archive_urls": list(archive.archive_urls),
        }
        return result | ({"unclaimed": letters.unclaimed, "unseen": letters.unseen} if letters else {})


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
