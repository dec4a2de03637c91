"""Waits in the triggerer until a group of SQS queues is drained."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_agari_provider.airflow_compat import BaseTrigger, TriggerEvent, Variable
from airflow_agari_provider.hooks.aws_clients import shared_clients
from airflow_agari_provider.triggers.sqs_connection import sqs_of

if TYPE_CHECKING:
    from airflow_agari_provider.queues.drain_watch import DrainWatch

logger = logging.getLogger(__name__)

DESCRIPTION = "What a waiting task has seen so far. The task deletes it; if a killed task left it, you may delete it."


class SqsDrainTrigger(BaseTrigger):
    """
    Fires once, with a ``status``, and the figures of the wait in ``figures``.

    The status is ``drained``; or ``timeout``, ``dead_letters`` or ``failed``, with a ``message``. A triggerer that
    takes over keeps the baseline, the messages that were seen and the start of the wait. But it watches a whole quiet
    period itself, because the queue was not watched in between.

    :param watch: a ``DrainWatch`` as a dict (trigger arguments travel as JSON).
    :param aws: ``aws_conn_id`` and ``region_name``, no secrets. All waits of a triggerer share the client of these.
    :param deadline: seconds since 1970 at which the wait times out.
    :param memory: ``name`` of the Airflow Variable in which the sensor remembers the wait, and ``state``, what it
        remembers besides the watch. None: what is seen here is lost when the triggerer dies. The event's ``remembered``
        says whether the Variable was written.
    """

    def __init__(
        self, watch: dict[str, Any], aws: dict[str, Any], deadline: float, memory: dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.watch = watch
        self.aws = aws
        self.deadline = deadline
        self.memory = memory
        self._written = False

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and arguments, from which a triggerer builds the trigger again."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        arguments = {"watch": self.watch, "aws": self.aws, "deadline": self.deadline}
        return path, arguments | ({"memory": self.memory} if self.memory else {})

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until the watch has decided. Requests to SQS run in a thread; the sleep is in the event loop."""
        from airflow_agari_provider.exceptions import AgariError
        from airflow_agari_provider.queues.drain import poll
        from airflow_agari_provider.queues.drain_errors import DeadLettersGrew
        from airflow_agari_provider.queues.drain_watch import DrainWatch

        threads = shared_clients(**self.aws)
        sqs = sqs_of(**self.aws)
        watch = DrainWatch.again(await threads.run(self._remembered))
        watch.resume()
        known = watch.worth_remembering

        def poll_now() -> float | None:
            nonlocal known
            pause = poll(sqs, watch, time.time())
            if watch.worth_remembering != known:
                known = watch.worth_remembering
                self._remember(watch)
            return pause

        event: dict[str, Any] = {"status": "drained"}
        try:
            while (pause := await threads.run(poll_now)) is not None:
                if time.time() >= self.deadline:
                    event = {"status": "timeout", "message": str(watch)}
                    break
                await asyncio.sleep(min(pause, max(self.deadline - time.time(), 0)))
        except DeadLettersGrew as error:
            event = {"status": "dead_letters", "message": str(error)}
        except AgariError as error:  # only ours: a bug should crash with its traceback
            event = {"status": "failed", "message": str(error)}
        yield TriggerEvent(event | {"figures": watch.summary(), "remembered": self._written})

    def _remembered(self) -> dict[str, Any]:
        """What another triggerer has seen since the task deferred; or else the watch with which it did."""
        if self.memory is None:
            return self.watch
        state: dict[str, Any] = self.memory["state"]
        try:
            kept = Variable.get(self.memory["name"], None, deserialize_json=True)
        except Exception as error:  # noqa: BLE001 - the wait is more important than its memory
            logger.warning("What the wait has seen in an earlier triggerer cannot be read: %s", error)
            kept = None
        if not kept or any(kept.get(name) != value for name, value in state.items()):
            return self.watch
        self._written = True
        watch: dict[str, Any] = kept["watch"]
        return watch

    def _remember(self, watch: DrainWatch) -> None:
        if self.memory is None:
            return
        kept = self.memory["state"] | {"watch": asdict(watch)}
        try:
            Variable.set(self.memory["name"], kept, DESCRIPTION, serialize_json=True)
        except Exception as error:  # noqa: BLE001 - as above
            logger.warning("What the wait has seen cannot be stored, and is lost if the triggerer dies: %s", error)
        else:
            self._written = True
