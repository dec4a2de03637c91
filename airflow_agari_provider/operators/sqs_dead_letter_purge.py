"""Archives dead letters of SQS to S3 and deletes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_agari_provider.airflow_compat import BaseOperator, Context
from airflow_agari_provider.exceptions import require_one_of
from airflow_agari_provider.operators.sqs_dead_letter_queue import look_through, open_dead_letters, require_one


class SqsDeadLetterPurgeOperator(BaseOperator):
    """
    Empty a dead-letter queue; each message is archived in S3 before it is deleted.

    The archive is JSON lines or Avro, one S3 object for each batch of up to ten messages: ``message_id``,
    ``queue_url``, ``body``, ``receive_count``, ``sent_at``, ``attributes``, ``message_attributes``. Each object is read
    back before its messages are deleted. The task takes as many messages as the queue held when it started, so it ends
    even while new dead letters arrive. If it is interrupted, every message is in the queue, in S3, or in both.

    Runs that share a queue give ``objects_below``: each then takes its own letters, and receives every letter for that.

    Returns ``{"queue_url", "count", "remaining", "archive_urls"}``; ``remaining`` counts the messages above
    ``max_messages``, and those that SQS did not hand out, for instance because another reader has received them. With
    ``objects_below``, all letters that stay; ``unclaimed`` of them are of no run, ``unseen`` were not looked at.

    :param queue_url: URL, ARN or name of the dead-letter queue.
    :param source_queue_url: instead of ``queue_url``: URL, ARN or name of the queue whose redrive policy names the
        dead-letter queue.
    :param archive_url: ``s3://bucket/prefix`` for the archived messages.
    :param archive_format: ``"jsonl"`` or ``"avro"``; ``SqsRedriveOperator`` reads both.
    :param objects_below: S3 URL of this run's folder, or a list of URLs: take only letters all of whose objects are
        below it. None: take all letters.
    :param max_messages: take at most this many messages; with ``objects_below``: look at no more than this.
    :param max_seconds: with ``objects_below``: how long to wait for letters that other readers hold.
    :param aws_conn_id: Airflow connection to AWS; None for boto3's own credentials.
    :param region_name: AWS region; default: that of the connection.
    :raises ArchiveNotSound: a stored copy is not what was written; its messages are still in the queue.
    :raises DeadLettersNotDeleted: SQS did not delete messages that are archived already; run the task again.
    """

    template_fields: Sequence[str] = (
        "queue_url",
        "source_queue_url",
        "archive_url",
        "archive_format",
        "objects_below",
        "aws_conn_id",
        "region_name",
    )
    ui_color = "#f8cecc"

    def __init__(
        self,
        *,
        archive_url: str,
        archive_format: str = "jsonl",
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
        self.archive_format = archive_format
        self.objects_below = objects_below
        self.max_messages = max_messages
        self.max_seconds = max_seconds
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name

    def execute(self, context: Context) -> dict[str, Any]:
        """Archive and delete the messages, batch by batch."""
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook

        from airflow_agari_provider.queues.dead_letter_archive import Archive
        from airflow_agari_provider.queues.letter_formats import FORMATS

        require_one_of("archive_format", self.archive_format, FORMATS)
        sqs, url = open_dead_letters(self)
        s3 = S3Hook(aws_conn_id=self.aws_conn_id, region_name=self.region_name).conn
        archive = Archive(sqs, s3, url, self.archive_url, format=FORMATS[self.archive_format])
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
