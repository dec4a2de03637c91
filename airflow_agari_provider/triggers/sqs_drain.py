"""Waits in the triggerer until a group of SQS queues is drained."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow_agari_provider.airflow_compat import BaseTrigger, TriggerEvent, in_thread


class SqsDrainTrigger(BaseTrigger):
    """
    Fires once, with a ``status``, and the figures of the wait in ``figures``.

    The status is ``drained``; or ``timeout``, ``dead_letters`` or ``failed``, with a ``message``. A triggerer that
    takes over keeps the baseline and the start of the wait. But it watches a whole quiet period itself, because the
    queue was not watched in between.

    :param watch: a ``DrainWatch`` as a dict (trigger arguments travel as JSON).
    :param aws: keyword arguments of ``SqsHook``: a connection id and a region, no secrets.
    :param deadline: seconds since 1970 at which the wait times out.
    """

    def __init__(self, watch: dict[str, Any], aws: dict[str, Any], deadline: float) -> None:
        super().__init__()
        self.watch = watch
        self.aws = aws
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and arguments, from which a triggerer builds the trigger again."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {"watch": self.watch, "aws": self.aws, "deadline": self.deadline}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until the watch has decided. Requests to SQS run in a thread; the sleep is in the event loop."""
        from airflow_agari_provider.exceptions import AgariError
        from airflow_agari_provider.queues.drain import poll
        from airflow_agari_provider.queues.drain_watch import DeadLettersGrew, DrainWatch

        watch = DrainWatch(**self.watch)
        watch.resume()
        sqs = await in_thread(self._client)
        event: dict[str, Any] = {"status": "drained"}
        try:
            while (pause := await in_thread(poll, sqs, watch, time.time())) is not None:
                if time.time() >= self.deadline:
                    event = {"status": "timeout", "message": str(watch)}
                    break
                await asyncio.sleep(min(pause, max(self.deadline - time.time(), 0)))
        except DeadLettersGrew as error:
            event = {"status": "dead_letters", "message": str(error)}
        except AgariError as error:  # only ours: a bug should crash with its traceback
            event = {"status": "failed", "message": str(error)}
        yield TriggerEvent(event | {"figures": watch.summary()})

    def _client(self) -> Any:
        from airflow.providers.amazon.aws.hooks.sqs import SqsHook

        return SqsHook(**self.aws).conn
