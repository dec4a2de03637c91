"""Brings dead letters back to their queues."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from airflow_agari_provider.airflow_compat import AirflowException, BaseOperator, Context, default_deferrable
from airflow_agari_provider.airflow_errors import no_retry
from airflow_agari_provider.exceptions import limit, require_durations, require_one_of, seconds, whole_number
from airflow_agari_provider.operators.sqs_dead_letter_queue import open_dead_letters
from airflow_agari_provider.queues.patience import patiently
from airflow_agari_provider.triggers.sqs_connection import sqs_of
from airflow_agari_provider.triggers.sqs_redrive import SqsRedriveTrigger

if TYPE_CHECKING:
    from airflow_agari_provider.queues.addresses import RegionalSqs
    from airflow_agari_provider.queues.move_task import MoveTask
    from airflow_agari_provider.queues.redrive import Redrive


class SqsRedriveOperator(BaseOperator):
    """
    Bring dead letters back: from a dead-letter queue, or from the archive that a purge has written to S3.

    A whole dead-letter queue is moved by SQS itself (``StartMessageMoveTask``). A retry joins the redrive that runs,
    and a kill cancels it. With a filter, from an archive, and where SQS has no redrive (such as in local queues), the
    task moves the letters by hand: it sends each to its queue, and only then deletes it. If the task dies in between,
    nothing is lost; the ten letters of one batch may come twice, in FIFO queues not even these.

    Returns ``{"moved", "left", "homeless", "by"}``: letters moved, letters that did not match the filters, letters of
    which it is not known where they came from, and ``"sqs"`` or ``"hand"``. When SQS moves them, the first is about
    right, and the next two are 0.

    :param queue_url: URL, ARN or name of the dead-letter queue.
    :param source_queue_url: instead: URL, ARN or name of the queue whose redrive policy names the dead-letter queue.
    :param archive_url: instead: ``s3://bucket/prefix`` of the archive, or one archived object. What was sent from it is
        noted beside each object, so it is never sent twice.
    :param to_queue: URL, ARN or name of the queue that gets the letters; default: the one from which each came.
    :param exception: only letters in whose failure's text this regular expression is found (without regard to case).
    :param min_age: only letters that were sent so many seconds (or timedelta) ago or earlier.
    :param max_age: only letters that were sent so many seconds (or timedelta) ago or later.
    :param per_second: move at most so many letters a second; default: as fast as possible. SQS allows 500.
    :param max_messages: move no more letters than this by hand; SQS itself moves all.
    :param method: ``"sqs"`` or ``"hand"``; ``"auto"``: by SQS where it can do it, else by hand.
    :param poll_interval: seconds between two looks at the redrive that SQS does.
    :param aws_conn_id: Airflow connection to AWS; None for boto3's own credentials.
    :param region_name: AWS region of queues given by name, and of the archive; default: that of the connection.
    :param deferrable: wait in the triggerer for the redrive that SQS does, without a worker slot.
    :raises LettersNotSent: a queue did not take letters back; they are still where they were.
    :raises LettersSentNotDeleted: letters were sent, but are still in the dead-letter queue.
    :raises MoveTaskFailed: SQS did not move all letters.
    """

    template_fields: Sequence[str] = (
        "queue_url",
        "source_queue_url",
        "archive_url",
        "to_queue",
        "exception",
        "min_age",
        "max_age",
        "aws_conn_id",
        "region_name",
    )
    ui_color = "#f8cecc"

    def __init__(
        self,
        *,
        queue_url: str | None = None,
        source_queue_url: str | None = None,
        archive_url: str | None = None,
        to_queue: str | None = None,
        exception: str | None = None,
        min_age: float | timedelta | str | None = None,
        max_age: float | timedelta | str | None = None,
        per_second: int | None = None,
        max_messages: int = 100_000,
        method: str = "auto",
        poll_interval: float = 10,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        deferrable: bool = default_deferrable(),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if sum(place is not None for place in (queue_url, source_queue_url, archive_url)) != 1:
            raise ValueError("Give one of queue_url, source_queue_url and archive_url: where the dead letters are.")
        require_one_of("method", method, ("auto", "sqs", "hand"))
        require_durations(min_age=min_age, max_age=max_age, poll_interval=poll_interval)
        limit("per_second", per_second, 1)
        whole_number("max_messages", max_messages)
        self.queue_url = queue_url
        self.source_queue_url = source_queue_url
        self.archive_url = archive_url
        self.to_queue = to_queue
        self.exception = exception
        self.min_age = min_age
        self.max_age = max_age
        self.per_second = per_second
        self.max_messages = max_messages
        self.method = method
        self.poll_interval = poll_interval
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.deferrable = deferrable
        self._task: MoveTask | None = None
        self._killed = threading.Event()

    def execute(self, context: Context) -> dict[str, Any]:
        """Move the letters; if SQS does it, wait for it, or defer."""
        from airflow_agari_provider.queues.letter_look import ReceivesMoveLetters

        redrive = self._redrive()
        if self.archive_url is not None:
            return self._from_archive(redrive)
        _, url = open_dead_letters(self)
        if self.method == "sqs" and not redrive.wanted.all:
            raise ValueError("SQS's own redrive knows no filters: leave out exception, min_age and max_age, or method.")
        if self.method != "hand" and redrive.wanted.all and self._begin(url):
            return self._wait(context)
        with no_retry(ReceivesMoveLetters):
            redrive.from_queue(url, self.max_messages)
        return self._told(redrive, url)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Turn the trigger's event into the task's result, or its error."""
        from airflow_agari_provider.queues.move_task import MoveTask

        return self._moved(MoveTask(**event["task"]))

    def on_kill(self) -> None:
        """Stop before the next batch; cancel the redrive that SQS does. Letters are never in between."""
        from airflow_agari_provider.queues.move_task import cancel

        self._killed.set()
        if self._task is not None:
            cancel(self._sqs, self._task)

    def _from_archive(self, redrive: Redrive) -> dict[str, Any]:
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook

        from airflow_agari_provider.queues.archived_letters import BadArchive, redrive_archive

        s3 = S3Hook(aws_conn_id=self.aws_conn_id, region_name=self.region_name).conn
        with no_retry(BadArchive):
            redrive_archive(redrive, s3, str(self.archive_url), self.max_messages)
        return self._told(redrive, str(self.archive_url))

    def _redrive(self) -> Redrive:
        from airflow_agari_provider.queues.redrive import Redrive, Wanted

        ages = [
            None if age is None else seconds(name, age)
            for name, age in (("min_age", self.min_age), ("max_age", self.max_age))
        ]
        wanted = Wanted(self.exception, *ages)
        return Redrive(self._sqs, self.to_queue, wanted, self.per_second, stopped=self._killed.is_set)

    def _told(self, redrive: Redrive, place: str) -> dict[str, Any]:
        if self._killed.is_set():
            raise AirflowException(f"The task was killed after {redrive.moved} dead letter(s); the rest is in {place}")
        log = self.log.warning if redrive.homeless else self.log.info
        log(
            "Moved %s dead letter(s) of %s; %s did not match; %s came from nobody knows where and need to_queue",
            redrive.moved,
            place,
            redrive.left,
            redrive.homeless,
        )
        return {"moved": redrive.moved, "left": redrive.left, "homeless": redrive.homeless, "by": "hand"}

    def _begin(self, url: str) -> bool:
        """Start or join a redrive of SQS; False if it cannot do it here."""
        from botocore.exceptions import ClientError

        from airflow_agari_provider.queues.addresses import queue_url_of
        from airflow_agari_provider.queues.dead_letters import arn_of
        from airflow_agari_provider.queues.move_task import can_move, start_or_join

        arn = patiently(partial(arn_of, self._sqs, url))
        target = None
        if self.to_queue:
            target = patiently(lambda: arn_of(self._sqs, queue_url_of(self._sqs, str(self.to_queue))))
        try:
            self._task = start_or_join(self._sqs, arn, target, self.per_second)
        except ClientError as error:
            if self.method == "sqs" or can_move(error):
                raise
            self.log.info("SQS has no redrive for %s, so this task moves the letters by hand: %s", url, error)
            return False
        return True

    def _wait(self, context: Context) -> dict[str, Any]:
        from airflow_agari_provider.queues.move_task import state_of

        assert self._task is not None
        if self.deferrable and self._task.live:
            self.defer(
                trigger=SqsRedriveTrigger(dataclasses.asdict(self._task), self._aws, self.poll_interval),
                method_name="execute_complete",
                timeout=self.execution_timeout,
            )
        while self._task.live:
            self._killed.wait(self.poll_interval)
            self._task = state_of(self._sqs, self._task)
        return self._moved(self._task)

    def _moved(self, task: MoveTask) -> dict[str, Any]:
        from airflow_agari_provider.queues.move_task import moved_by

        moved = moved_by(task)
        self.log.info("SQS moved about %s dead letter(s) of %s", moved, task.source_arn)
        return {"moved": moved, "left": 0, "homeless": 0, "by": "sqs"}

    @cached_property
    def _sqs(self) -> RegionalSqs:
        return sqs_of(**self._aws)

    @property
    def _aws(self) -> dict[str, Any]:
        return {"aws_conn_id": self.aws_conn_id, "region_name": self.region_name}
