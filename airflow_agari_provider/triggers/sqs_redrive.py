"""Waits in the triggerer for a redrive that SQS does."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from airflow_agari_provider.airflow_compat import BaseTrigger, TriggerEvent
from airflow_agari_provider.hooks.aws_clients import shared_clients
from airflow_agari_provider.triggers.sqs_connection import sqs_of


class SqsRedriveTrigger(BaseTrigger):
    """
    Fires once, with ``task``: the redrive's last state as a dict, when it has ended.

    When a person kills or clears the task, the redrive is cancelled (Airflow 3.3 and later tell the trigger).

    :param redrive: a ``MoveTask`` as a dict (trigger arguments travel as JSON).
    :param aws: ``aws_conn_id`` and ``region_name``, no secrets.
    :param poll_interval: seconds.
    """

    def __init__(self, redrive: dict[str, Any], aws: dict[str, Any], poll_interval: float) -> None:
        super().__init__()
        self.redrive = redrive
        self.aws = aws
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and arguments, from which a triggerer builds the trigger again."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {"redrive": self.redrive, "aws": self.aws, "poll_interval": self.poll_interval}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from airflow_agari_provider.queues.move_task import MoveTask, state_of

        threads, sqs = shared_clients(**self.aws), sqs_of(**self.aws)
        state = MoveTask(**self.redrive)
        while state.live:
            await asyncio.sleep(self.poll_interval)
            state = await threads.run(partial(state_of, sqs, state))
        yield TriggerEvent({"task": dataclasses.asdict(state)})

    async def on_kill(self) -> None:
        """Cancel the redrive; what is not moved stays in the dead-letter queue."""
        from airflow_agari_provider.queues.move_task import MoveTask, cancel

        await shared_clients(**self.aws).run(cancel, sqs_of(**self.aws), MoveTask(**self.redrive))
