"""Dead letters of SQS: report them, and archive them to S3 before they are purged."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_agari_provider.airflow_compat import AirflowException, BaseHook, BaseOperator, Context
from airflow_agari_provider.airflow_errors import no_retry
from airflow_agari_provider.alerts.sender import AlertNotSent
from airflow_agari_provider.notifications.slack_post import post_to_slack
from airflow_agari_provider.notifications.victorops_incident import tell_victorops

if TYPE_CHECKING:
    from airflow_agari_provider.queues.dead_letter_scan import Letters
    from airflow_agari_provider.queues.dead_letters import DeadLetter

# The start of the run's window; a run without a window (manual or asset-triggered on Airflow 3) has only run_after.
WINDOW = (
    "{{ (dag_run.data_interval_start or dag_run.logical_date or dag_run.run_after).strftime('%Y-%m-%d %H:%M:%S') }}"
)
XCOM_EXCERPT = 4000  # characters of each text in the result; a message may have a million


class SqsDeadLetterReportOperator(BaseOperator):
    """
    Count the messages of a dead-letter queue, show one of them, and alert Slack and VictorOps if there are any.

    The queue keeps its messages, and all stay visible: one message is read with visibility timeout 0, which adds one to
    its receive count. If the dead-letter queue has a redrive policy of its own, its messages are only counted.

    Runs that share a queue give ``objects_below``: each then counts its own letters, and receives every letter for
    that. A letter that names no object, or that nobody has removed for a day, is unclaimed: every run tells it.

    Returns ``{"queue_url", "count", "sample", "exception", "source", "objects"}``. ``sample`` is the body of the shown
    message, ``exception`` the text of its failure, ``source`` the queue it came from (ARN, or ``source_queue_url``) and
    ``objects`` the S3 objects that it names; they are ``None`` and ``[]`` where not known. If the sender left no
    exception in a message attribute, the exception is looked up in the importer's tables (``sql_conn_id``). With
    ``objects_below``, ``count`` is this run's, and ``other_runs``, ``unclaimed`` and ``unseen`` are counted too; if
    ``unseen`` is not 0, the run has at least ``count`` letters.

    :param queue_url: URL of the dead-letter queue.
    :param source_queue_url: instead of ``queue_url``: URL of the queue whose redrive policy names the dead-letter
        queue.
    :param objects_below: S3 URL of this run's folder, or a list of URLs: only letters that name an object below it are
        this run's. None: all letters are.
    :param max_messages: with ``objects_below``: look at no more letters than this.
    :param max_seconds: with ``objects_below``: how long to wait for letters that other readers hold.
    :param slack_conn_id: connection of type ``slackwebhook`` or ``slack``; None: no message to Slack.
    :param slack_channel: channel; needed with an API token, ignored with a webhook.
    :param victorops_conn_id: connection through which dead letters open an incident of the window. A retry, or a run
        after the task was cleared, closes it if it finds no dead letters. None or empty: no incident.
    :param message_prefix: put before ``<dag_id> on <host> completed <completed> with <n> DLQs : Sample Exception``.
    :param completed: the date in the message; default: the start of the run's window.
    :param host: the host in the message; default: the worker's.
    :param sql_conn_id: connection to the database with the importer's tables; None: do not look there.
    :param aws_conn_id: Airflow connection to AWS; None for boto3's own credentials.
    :param region_name: AWS region; default: that of the connection.
    """

    template_fields: Sequence[str] = (
        "queue_url",
        "source_queue_url",
        "objects_below",
        "slack_conn_id",
        "slack_channel",
        "victorops_conn_id",
        "message_prefix",
        "completed",
        "host",
        "sql_conn_id",
        "aws_conn_id",
        "region_name",
    )
    ui_color = "#f8cecc"

    def __init__(
        self,
        *,
        queue_url: str | None = None,
        source_queue_url: str | None = None,
        objects_below: str | Sequence[str] | None = None,
        max_messages: int = 10_000,
        max_seconds: float = 120,
        slack_conn_id: str | None = None,
        slack_channel: str | None = None,
        victorops_conn_id: str | None = None,
        message_prefix: str = "",
        completed: str = WINDOW,
        host: str | None = None,
        sql_conn_id: str | None = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _require_one(queue_url, source_queue_url)
        self.queue_url = queue_url
        self.source_queue_url = source_queue_url
        self.objects_below = objects_below
        self.max_messages = max_messages
        self.max_seconds = max_seconds
        self.slack_conn_id = slack_conn_id
        self.slack_channel = slack_channel
        self.victorops_conn_id = victorops_conn_id
        self.message_prefix = message_prefix
        self.completed = completed
        self.host = host
        self.sql_conn_id = sql_conn_id
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name

    def execute(self, context: Context) -> dict[str, Any]:
        """Count the messages, read one, look up why it failed, and send the alerts."""
        from airflow.providers.amazon.aws.hooks.sqs import SqsHook

        from airflow_agari_provider.queues.dead_letter_slack import slack_report
        from airflow_agari_provider.queues.dead_letters import dead_letter_queue, excerpt, peek
        from airflow_agari_provider.queues.depth import read_depth

        sqs = SqsHook(aws_conn_id=self.aws_conn_id, region_name=self.region_name).conn
        url = dead_letter_queue(sqs, self.queue_url, self.source_queue_url)
        found = _look_through(sqs, url, self)
        count = found.own if found else read_depth(sqs, url).total
        letter = found.sample if found else peek(sqs, url) if count else None
        report: dict[str, Any] = {
            "queue_url": url,
            "count": count,
            "sample": excerpt(letter.body, XCOM_EXCERPT) if letter else None,
            "exception": excerpt(self._exception(letter) or "", XCOM_EXCERPT) or None if letter else None,
            "source": (letter.source_arn or self.source_queue_url) if letter else None,
            "objects": [reference.url for reference in letter.objects] if letter else [],
        }
        if found:
            report |= {"other_runs": found.other_runs, "unclaimed": found.unclaimed, "unseen": found.unseen}
        title, note = self._title(context, report), found.note if found else ""
        log = self.log.warning if note else self.log.info
        log("%s dead letter(s) in %s%s. %s", count, url, f", one of them: {letter}" if letter else "", note)
        if self.victorops_conn_id:
            self._tell_victorops(context, title, report, "count", self.completed)
            self._tell_victorops(context, title, report, "unclaimed", "unclaimed")
        if self.slack_conn_id and (count or note):
            text, blocks = slack_report(title, report["exception"], report["sample"], note)
            post_to_slack(self.slack_conn_id, text, blocks=blocks, channel=self.slack_channel)
        return report

    def _exception(self, letter: DeadLetter) -> str | None:
        if letter.exception or not self.sql_conn_id:
            return letter.exception
        from airflow_agari_provider.avro_import.failures import failure_reason

        # A message that names no object is recorded under its id, which it keeps in the dead-letter queue.
        places = [(reference.bucket, reference.key) for reference in letter.objects] or [("", letter.message_id)]
        with closing(BaseHook.get_connection(self.sql_conn_id).get_hook().get_conn()) as connection:
            return next(filter(None, (failure_reason(connection, bucket, key) for bucket, key in places)), None)

    def _title(self, context: Context, report: dict[str, Any]) -> str:
        ti = context["ti"]
        host = self.host or getattr(ti, "hostname", None) or socket.getfqdn()
        completed = f"{ti.dag_id} on {host} completed {self.completed}"
        letters = f"{'at least ' if report.get('unseen') else ''}{report['count']} DLQs"
        letters += f" and {report['unclaimed']} unclaimed" if report.get("unclaimed") else ""
        sample = " : Sample Exception" if report["count"] or report["sample"] else ""
        return f"{self.message_prefix}{completed} with {letters}{sample}"

    def _tell_victorops(self, context: Context, title: str, report: dict[str, Any], figure: str, window: str) -> None:
        """Tell of one figure. If it is 0, but letters are unseen, it is not known: then leave the incident as it is."""
        number = report.get(figure)
        if number is None or (not number and report.get("unseen")):
            return
        try:
            tell_victorops(
                str(self.victorops_conn_id),
                context["ti"],
                found=number > 0,
                window=window,
                message=title,
                details=report["exception"] or "",
            )
        # The report is valid even if VictorOps cannot be reached: go on to Slack, and to the tasks after this one
        except (AlertNotSent, AirflowException) as error:
            self.log.error("The alert could not be sent to VictorOps: %s: %s", type(error).__name__, error)


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

    :param queue_url: URL of the dead-letter queue.
    :param source_queue_url: instead of ``queue_url``: URL of the queue whose redrive policy names the dead-letter
        queue.
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
        _require_one(queue_url, source_queue_url)
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
        from airflow.providers.amazon.aws.hooks.sqs import SqsHook

        from airflow_agari_provider.queues.dead_letter_archive import Archive
        from airflow_agari_provider.queues.dead_letters import dead_letter_queue
        from airflow_agari_provider.queues.depth import read_depth

        aws = {"aws_conn_id": self.aws_conn_id, "region_name": self.region_name}
        sqs, s3 = SqsHook(**aws).conn, S3Hook(**aws).conn
        url = dead_letter_queue(sqs, self.queue_url, self.source_queue_url)
        archive = Archive(sqs, s3, url, self.archive_url)
        if letters := _look_through(sqs, url, self, archive.take):
            found = letters.total
        else:
            found = read_depth(sqs, url).total
            archive.take_up_to(min(found, self.max_messages))
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


def _look_through(
    sqs: Any,
    queue_url: str,
    operator: SqsDeadLetterReportOperator | SqsDeadLetterPurgeOperator,
    take: Callable[[list[dict[str, Any]]], None] | None = None,
) -> Letters | None:
    """Look for this run's letters; None if all are."""
    from airflow_agari_provider.queues.dead_letter_scan import LetterScan, ReceivesMoveLetters

    if operator.objects_below is None:
        return None
    with no_retry(ReceivesMoveLetters):
        return LetterScan(sqs, queue_url, operator.objects_below, operator.max_messages, operator.max_seconds).run(take)


def _require_one(queue_url: str | None, source_queue_url: str | None) -> None:
    if (queue_url is None) == (source_queue_url is None):
        raise ValueError("Give either queue_url, the dead-letter queue, or source_queue_url, the queue that feeds it.")
