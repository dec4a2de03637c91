"""Waits until a group of SQS queues is drained."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_agari_provider.airflow_compat import (
    AirflowFailException,
    AirflowSensorTimeout,
    BaseSensorOperator,
    Context,
    PokeReturnValue,
    default_deferrable,
)
from airflow_agari_provider.airflow_errors import no_retry
from airflow_agari_provider.exceptions import require_durations, require_one_of, seconds, whole_number
from airflow_agari_provider.sensors.intervals import SHORTEST_RESCHEDULE, require_long_enough
from airflow_agari_provider.sensors.saved_state import WaitMemory
from airflow_agari_provider.triggers.sqs_connection import sqs_of
from airflow_agari_provider.triggers.sqs_drain import SqsDrainTrigger

if TYPE_CHECKING:
    from airflow_agari_provider.queues.drain_watch import DrainWatch


class SqsDrainSensor(BaseSensorOperator):
    """
    Waits until no message is visible, in flight or delayed in any of the queues for a whole quiet period.

    SQS counts are approximate, so one empty reading proves nothing. And a queue may be empty because nothing has
    arrived yet: give ``expected_messages`` or ``not_before``, unless the producer is known to have sent before this
    task starts. The sensor never receives a message of a watched queue.

    Returns the figures of the wait: ``seconds``, ``polls``, ``unknown_polls``, ``depth_start``, ``depth_peak``,
    ``depth_end``, ``messages_seen``, ``messages_per_second``, ``dead_letters_before`` and ``dead_letters_after``
    (dead-letter queue URL -> messages), ``new_dead_letters``.

    :param queue_url: URL, ARN or name of the queue, or a list of them: all must be drained at the same time. A URL or
        ARN says in which region the queue is; a name is looked up in ``region_name``. The ARN of an SNS topic stands
        for all queues that are subscribed to it when the wait begins.
    :param until: ``"drained"``; or ``"arrived"``: until ``expected_messages`` (default: one) were seen to arrive. That
        knows no stall; give ``timeout``.
    :param quiet_period: seconds (or timedelta) by the clock. AWS's counts settle in about 60 seconds; a shorter period
        is for local and test queues, and logs a warning.
    :param poke_interval: seconds (or timedelta) between two polls; default: 30, and in ``mode="reschedule"`` 60, which
        refuses less. When deferred, the last poll is made when the quiet period ends.
    :param mode: ``poke`` holds its worker slot, ``reschedule`` gives it back between polls.
    :param expected_messages: how many messages must have been seen to arrive before an empty queue counts as drained.
        Messages that arrive and are deleted between two polls are not seen: give ``not_before`` too.
    :param messages_before: how many messages were in the queues before the producer sent any, for instance those that
        were left over: they do not count as arrived.
    :param not_before: point in time (datetime, ISO text or seconds since 1970; UTC if it names no zone) from which an
        empty queue counts as drained, however many messages have arrived.
    :param dead_letters: dead-letter queues to watch. ``"auto"``: the target of each queue's redrive policy, except
        those that the connection may not look up or read, with a warning. Or URLs, ARNs or names, or None.
    :param dead_letters_before: how many messages they held when the run began: one number that holds for each of them,
        or a dict from URL to number; for instance 0 after a purge. Default: what the first polls find.
    :param on_dead_letters: what to do about new dead letters: ``"fail"`` fails the task when the counts of two minutes
        agree, without retries; ``"warn"`` logs a warning; ``"ignore"`` only counts them.
    :param stall_timeout: fail the task, and name the cause, after this many seconds (or timedelta) in which no message
        was deleted; None: no limit. Must be longer than the longest work on one message.
    :param max_unknown: fail the task after this many polls in a row without a usable answer.
    :param aws_conn_id: Airflow connection to AWS; None for boto3's own credentials.
    :param region_name: AWS region of queues given by name; default: that of the connection.
    :param deferrable: wait in the triggerer, without a worker slot.

    ``timeout`` and ``soft_fail`` are those of every sensor, and also apply when deferred.
    """

    template_fields: Sequence[str] = (
        "queue_url",
        "quiet_period",
        "stall_timeout",
        "expected_messages",
        "messages_before",
        "not_before",
        "dead_letters",
        "dead_letters_before",
        "aws_conn_id",
        "region_name",
    )
    ui_color = "#d5e8d4"

    def __init__(
        self,
        *,
        queue_url: str | list[str],
        until: str = "drained",
        quiet_period: float | timedelta | str = 120,
        poke_interval: float | timedelta | None = None,
        mode: str = "poke",
        expected_messages: int | str | None = None,
        messages_before: int | str | None = None,
        not_before: datetime | str | float | None = None,
        dead_letters: str | list[str] | None = "auto",
        dead_letters_before: int | str | dict[str, int] | None = None,
        on_dead_letters: str = "fail",
        stall_timeout: float | timedelta | str | None = 3600,
        max_unknown: int = 10,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        deferrable: bool = default_deferrable(),
        **kwargs: Any,
    ) -> None:
        if poke_interval is None:
            poke_interval = SHORTEST_RESCHEDULE if mode == "reschedule" else 30
        super().__init__(poke_interval=poke_interval, mode=mode, **kwargs)
        require_one_of("until", until, ("drained", "arrived"))
        require_one_of("on_dead_letters", on_dead_letters, ("fail", "warn", "ignore"))
        require_long_enough(self.poke_interval, mode, deferrable)
        require_durations(quiet_period=quiet_period, stall_timeout=stall_timeout)
        whole_number("max_unknown", max_unknown, 1)
        self.queue_url = queue_url
        self.until = until
        self.quiet_period = quiet_period
        self.expected_messages = expected_messages
        self.messages_before = messages_before
        self.not_before = not_before
        self.dead_letters = dead_letters
        self.dead_letters_before = dead_letters_before
        self.on_dead_letters = on_dead_letters
        self.stall_timeout = stall_timeout
        self.max_unknown = max_unknown
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.deferrable = deferrable
        self._watch: DrainWatch | None = None
        self._remembered: list[Any] | None = None
        self._deadline = 0.0

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll all queues once: done with figures, or not done. If deferrable, the trigger makes later polls."""
        from airflow_agari_provider.queues.drain import poll
        from airflow_agari_provider.queues.drain_errors import DeadLettersGrew

        begins = self._watch is None
        if begins:
            self._deadline = time.time() + self.timeout
        memory = self._memory(context)
        sqs = sqs_of(**self._aws)
        with memory.forgotten_with_the_last_try():
            watch = self._watch = self._watch or self._begin(sqs, memory.recall(), context)
            with no_retry(DeadLettersGrew):  # another try would take the new dead letters for old ones
                pause = poll(sqs, watch, time.time())
            if pause is not None and time.time() >= self._deadline:
                raise AirflowSensorTimeout(f"The queues were not drained in {self.timeout:.0f} s: {watch}")
        if pause is None:
            memory.forget()
            return PokeReturnValue(True, watch.summary())
        state = {"try_number": context["ti"].try_number, "deadline": self._deadline}
        if self.reschedule or watch.worth_remembering != self._remembered:
            memory.remember(state | {"watch": dataclasses.asdict(watch)})
            self._remembered = watch.worth_remembering
        if self.deferrable:
            self.defer(
                trigger=SqsDrainTrigger(
                    dataclasses.asdict(watch), self._aws, self._deadline, {"name": memory.name, "state": state}
                ),
                method_name="execute_complete",
                # The trigger itself watches the deadline; this timeout is for when no triggerer runs.
                timeout=timedelta(seconds=self.timeout + self.poke_interval + 60),
            )
        return PokeReturnValue(False)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Turn the trigger's event into the task's result, or its error."""
        from airflow_agari_provider.queues.drain_errors import DrainFailed

        memory = self._memory(context, remembered=event.get("remembered", False))
        with memory.forgotten_with_the_last_try():
            if event["status"] == "timeout":
                raise AirflowSensorTimeout(f"The queues were not drained in {self.timeout:.0f} s: {event['message']}")
            if event["status"] == "dead_letters":
                raise AirflowFailException(event["message"])
            if event["status"] == "failed":
                raise DrainFailed(event["message"])
        memory.forget()
        figures: dict[str, Any] = event["figures"]
        self.log.info("The wait until %s has ended: %s", self.until, figures)
        return figures

    def _begin(self, sqs: Any, kept: dict[str, Any] | None, context: Context) -> DrainWatch:
        """Return a new watch; or the watch of the last poke or try, with the current settings."""
        from airflow_agari_provider.queues.drain import start_watch
        from airflow_agari_provider.queues.drain_watch import DrainWatch

        queue_urls = [self.queue_url] if isinstance(self.queue_url, str) else list(self.queue_url)
        settings: dict[str, Any] = {
            "until": self.until,
            "poll_interval": self.poke_interval,
            "quiet_period": seconds("quiet_period", self.quiet_period),
            "expected_messages": _expected("expected_messages", self.expected_messages),
            "not_before": _seconds_since_1970(self.not_before),
            "on_dead_letters": self.on_dead_letters,
            "stall_timeout": None if self.stall_timeout is None else seconds("stall_timeout", self.stall_timeout),
            "max_unknown": self.max_unknown,
            "messages_before": _expected("messages_before", self.messages_before),
            "letters_since": run_started.timestamp() if (run_started := context["dag_run"].start_date) else None,
        }
        if kept is None or kept["watch"].get("queues") != queue_urls:
            before = self.dead_letters_before
            return start_watch(
                sqs,
                queue_urls,
                self.dead_letters,
                whole_number("dead_letters_before", before) if isinstance(before, str) else before,
                **settings,
            )
        watch = DrainWatch.again(kept["watch"] | settings)
        if kept["try_number"] == context["ti"].try_number:
            self._deadline = kept["deadline"]
        else:
            watch.resume()
        return watch

    def _memory(self, context: Context, remembered: bool = False) -> WaitMemory:
        rescheduled = self.reschedule and not self.deferrable
        return WaitMemory(context, self.retries, needed=bool(self.retries or rescheduled or remembered))

    @property
    def _aws(self) -> dict[str, Any]:
        return {"aws_conn_id": self.aws_conn_id, "region_name": self.region_name}


def _expected(name: str, count: int | str | None) -> int:
    return 0 if count is None else whole_number(name, count)


def _seconds_since_1970(point: datetime | str | float | None) -> float | None:
    if point is None or isinstance(point, int | float):
        return point
    if isinstance(point, str):
        try:
            return float(point)
        except ValueError:
            point = datetime.fromisoformat(point)
    return (point if point.tzinfo else point.replace(tzinfo=UTC)).timestamp()
