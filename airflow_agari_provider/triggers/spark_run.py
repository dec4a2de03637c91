"""Wait for a Spark job without a worker slot."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

from airflow_agari_provider.airflow_compat import TRIGGERS_HAVE_ON_KILL, BaseTrigger, TriggerEvent, in_thread
from airflow_agari_provider.airflow_runs import is_deferred
from airflow_agari_provider.hooks.emr_jobs import emr_jobs
from airflow_agari_provider.scoring.jobs import JobState
from airflow_agari_provider.scoring.run_watch import PollingFailed, RunWatch, SparkBackend


class SparkRunTrigger(BaseTrigger):
    """
    Fires once: ``{"outcome": "ended" | "lost", "message": str, "job": <JobState as a dict>, "rejoined": bool}``.

    ``ended``: the wait has ended; if the job is still live, it is late. ``lost``: EMR gives no usable answer, see the
    message. When a person kills or clears the task, the job is cancelled. When the triggerer stops or dies, the job is
    not cancelled: the next triggerer continues to wait.

    :param watch: a ``RunWatch`` as a dict, because trigger arguments travel as JSON.
    :param cancel_on_kill: see the operator, as for the other parameters.
    """

    def __init__(
        self, watch: dict[str, Any], cancel_on_kill: bool, aws_conn_id: str | None, region_name: str | None
    ) -> None:
        super().__init__()
        self.watch = watch
        self.cancel_on_kill = cancel_on_kill
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "airflow_agari_provider.triggers.spark_run.SparkRunTrigger",
            {
                "watch": self.watch,
                "cancel_on_kill": self.cancel_on_kill,
                "aws_conn_id": self.aws_conn_id,
                "region_name": self.region_name,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        watch = RunWatch(**{**self.watch, "job": JobState(**self.watch["job"])})
        outcome, message = "ended", ""
        try:
            await self._wait(watch, emr_jobs(self.aws_conn_id, self.region_name))
        except PollingFailed as error:
            outcome, message = "lost", str(error)
        except asyncio.CancelledError:
            if not TRIGGERS_HAVE_ON_KILL and self.cancel_on_kill and await self._was_killed():
                await self.on_kill()
            raise
        # everything that the operator needs: `airflow dags test` loses what is given to defer()
        yield TriggerEvent(
            {"outcome": outcome, "message": message, "job": asdict(watch.job), "rejoined": watch.rejoined}
        )

    async def on_kill(self) -> None:
        """Cancel the job; Airflow 3.3 calls it when a person marks or clears the deferred task."""
        if self.cancel_on_kill:
            await in_thread(emr_jobs(self.aws_conn_id, self.region_name).cancel, JobState(**self.watch["job"]))

    @staticmethod
    async def _wait(watch: RunWatch, backend: SparkBackend) -> None:
        while (pause := await in_thread(watch.observe, backend, time.time())) is not None:
            await asyncio.sleep(pause)

    async def _was_killed(self) -> bool:
        return not await in_thread(is_deferred, self.task_instance)
