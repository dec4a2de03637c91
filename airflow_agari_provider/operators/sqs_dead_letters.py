"""Dead letters of SQS: report them; the operator that purges them is here by its old path."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_agari_provider.airflow_compat import AirflowException, BaseHook, BaseOperator, Context
from airflow_agari_provider.alerts.sender import AlertNotSent
from airflow_agari_provider.notifications.slack_post import post_to_slack
from airflow_agari_provider.notifications.victorops_incident import tell_victorops
from airflow_agari_provider.operators.sqs_dead_letter_purge import SqsDeadLetterPurgeOperator
from airflow_agari_provider.operators.sqs_dead_letter_queue import look_through, open_dead_letters, require_one

if TYPE_CHECKING:
    from airflow_agari_provider.queues.dead_letters import DeadLetter

__all__ = ["SqsDeadLetterPurgeOperator", "SqsDeadLetterReportOperator"]

# The start of the run's window; a run without a window (manual or asset-triggered on Airflow 3) has only run_after.
WINDOW = (
    "{{ (dag_run.data_interval_start or dag_run.logical_date or dag_run.run_after).strftime('%Y-%m-%d %H:%M:%S') }}"
)
XCOM_EXCERPT = 4000  # characters of each text in the result; a message may have a million


class SqsDeadLetterReportOperator(BaseOperator):
    """
    Count the messages of a dead-letter queue, show one of them, and alert Slack and VictorOps if there are any.

    The queue keeps its messages: up to 100 are looked at and given back at once, which adds one to their receive
    counts. If the dead-letter queue has a redrive policy of its own, its messages are only counted.

    Runs that share a queue give ``objects_below``: each then counts its own letters, and receives every letter for
    that. A letter that names no object, or that nobody has removed for a day, is unclaimed: every run tells it.

    Returns ``{"queue_url", "count", "sample", "exception", "source", "objects", "causes"}``. ``causes`` groups up to
    100 letters by the text of their failure: ``exception``, ``count``, ``oldest_sent_at`` (seconds since 1970) and a
    ``sample``, the most frequent first; there is none with ``objects_below``. ``sample`` is the body of the shown
    message, ``exception`` the text of its failure, ``source`` the queue it came from (ARN, or ``source_queue_url``) and
    ``objects`` the S3 objects that it names; they are ``None`` and ``[]`` where not known. If the sender left no
    exception in a message attribute, the exception is looked up in the importer's tables (``sql_conn_id``). With
    ``objects_below``, ``count`` is this run's, and ``other_runs``, ``unclaimed`` and ``unseen`` are counted too; if
    ``unseen`` is not 0, the run has at least ``count`` letters.

    :param queue_url: URL, ARN or name of the dead-letter queue.
    :param source_queue_url: instead of ``queue_url``: URL, ARN or name of the queue whose redrive policy names the
        dead-letter queue.
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
        require_one(queue_url, source_queue_url)
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
        from airflow_agari_provider.queues.dead_letter_slack import slack_report
        from airflow_agari_provider.queues.dead_letters import excerpt
        from airflow_agari_provider.queues.letter_causes import by_cause, count_and_look, deleted_soon

        sqs, url = open_dead_letters(self)
        found = look_through(sqs, url, self)
        if found:
            count, letter = found.own, found.sample
        else:
            count, seen = count_and_look(sqs, url)
            letter = next(iter(seen.letters), None)
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
        else:
            report |= {"causes": [cause.as_dict() for cause in by_cause(seen.letters, self._exception)]}
        note = found.note if found else deleted_soon(sqs, url, seen.letters, time.time()) if count else ""
        title = self._title(context, report)
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
