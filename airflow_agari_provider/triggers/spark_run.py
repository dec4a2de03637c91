"""Wait for a Spark job without a worker slot."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from dataclasses import asdict, replace
from typing import Any

from airflow_agari_provider.airflow_compat import TRIGGERS_HAVE_ON_KILL, BaseTrigger, TriggerEvent, in_thread
from airflow_agari_provider.airflow_runs import is_deferred
from airflow_agari_provider.hooks.aws_clients import shared_clients
from airflow_agari_provider.hooks.spark_jobs import spark_jobs
from airflow_agari_provider.scoring.cancelling import PAUSE as CANCEL_PAUSE
from airflow_agari_provider.scoring.job_wait import CancelWatch, JobWait
from airflow_agari_provider.scoring.jobs import BackendUnavailable, JobState
from airflow_agari_provider.scoring.run_watch import PollingFailed, RunWatch

KILL_SECONDS = 120.0  # how long to ask EMR to cancel a killed task's job
# Airflow's scheduler may see the end of a task's process only after its trigger has fired. It then takes this end for
# that of the resumed task, and fails it without a log: apache/airflow#72716, #67287.
MINIMUM_AGE = 20.0  # seconds from a trigger's start to its event

END_PAUSE = 5.0  # seconds between two looks whether a killed task's job has ended

_at_work: set[asyncio.Future[None]] = set()


def minimum_age(poll_interval: float) -> float:
    """Return how long a trigger waits at least, in seconds; ten polls are enough for a test that polls all the time."""
    return MINIMUM_AGE if poll_interval >= 1 else 10 * poll_interval


def _kept(work: Coroutine[Any, Any, None]) -> asyncio.Future[None]:
    """Begin work that goes on after its trigger is gone: the event loop itself keeps no task alive."""
    future = asyncio.ensure_future(work)
    _at_work.add(future)
    future.add_done_callback(_at_work.discard)
    return future


class SparkRunTrigger(BaseTrigger):
    """
    Fires once: ``{"outcome": "ended" | "lost", "message": str, "job": <JobState>, "rejoined": bool, "late": str}``.

    ``ended``: nothing is left to wait for. A late job was cancelled, and ``late`` is its phase at the deadline; if it
    is live even so, it does not end. ``lost``: its service gives no usable answer, see the message. When a person kills
    or clears the task, the job is cancelled. When the triggerer stops or dies, the job is not cancelled: the next
    triggerer continues to wait.

    :param watch: a ``RunWatch`` as a dict, because trigger arguments travel as JSON.
    :param cancel_on_kill: see the operator, as for the other parameters.
    :param cancel_timeout: seconds; so is ``log_timeout``.
    """

    def __init__(
        self,
        watch: dict[str, Any],
        cancel_on_kill: bool,
        aws_conn_id: str | None,
        region_name: str | None,
        cancel_timeout: float = 600.0,
        log_timeout: float = 0.0,
    ) -> None:
        super().__init__()
        self.watch = watch
        self.cancel_on_kill = cancel_on_kill
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.cancel_timeout = cancel_timeout
        self.log_timeout = log_timeout

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "airflow_agari_provider.triggers.spark_run.SparkRunTrigger",
            {
                "watch": self.watch,
                "cancel_on_kill": self.cancel_on_kill,
                "aws_conn_id": self.aws_conn_id,
                "region_name": self.region_name,
                "cancel_timeout": self.cancel_timeout,
                "log_timeout": self.log_timeout,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        job = JobState(**self.watch["job"])
        wait = JobWait(RunWatch(**{**self.watch, "job": job}), self.cancel_timeout, self.log_timeout)
        outcome, message, begun = "ended", "", time.monotonic()
        try:
            outcome, message = await self._outcome(wait)
            await asyncio.sleep(begun + minimum_age(wait.watch.poll_interval) - time.monotonic())
        except asyncio.CancelledError:
            if not TRIGGERS_HAVE_ON_KILL and self.cancel_on_kill and await self._was_killed():
                await self.on_kill()
            raise
        # everything that the operator needs: `airflow dags test` loses what is given to defer()
        told = {"job": asdict(wait.job), "rejoined": wait.watch.rejoined, "late": wait.late}
        yield TriggerEvent({"outcome": outcome, "message": message, **told, "failed_start": wait.watch.failed_start})

    async def _outcome(self, wait: JobWait) -> tuple[str, str]:
        """Wait until nothing is left to wait for. A pause counts from the beginning of the look before it."""
        try:
            clients = shared_clients(self.aws_conn_id, self.region_name)
            backend = spark_jobs(self.aws_conn_id, self.region_name, wait.job.kind)
            begun = time.monotonic()
            while (pause := await clients.run(wait.observe, backend, time.time())) is not None:
                await asyncio.sleep(begun + pause - time.monotonic())
                begun = time.monotonic()
        except PollingFailed as error:
            return "lost", str(error)
        except Exception as error:  # a trigger that raises fails its task without a word to the operator
            self.log.exception("The wait for %s failed", wait.job)
            return "lost", f"The wait for {wait.job} failed: {type(error).__name__}: {error}"
        return "ended", ""

    async def on_kill(self) -> None:
        """
        Cancel the job; Airflow 3.3 calls it when a person marks or clears the deferred task.

        Airflow waits 30 s for it (``[triggerer] on_kill_timeout``), and it goes on asking after that. It returns once
        the service has accepted the request. After that, a job that ignores the signal to stop is killed.
        """
        if self.cancel_on_kill:
            job = JobState(**self.watch["job"])
            await asyncio.shield(_kept(self._cancel(job)))
            _kept(self._see_to_its_end(job))

    async def _cancel(self, job: JobState) -> None:
        clients = shared_clients(self.aws_conn_id, self.region_name)
        backend = spark_jobs(self.aws_conn_id, self.region_name, job.kind)
        until = time.monotonic() + KILL_SECONDS
        while True:
            try:
                await clients.run(backend.cancel, job)
                return
            except BackendUnavailable as error:
                if time.monotonic() >= until:
                    self.log.error("%s could not be cancelled in %s s and may still run. %s", job, KILL_SECONDS, error)
                    raise
                self.log.warning("%s is not cancelled yet: %s", job, error)
            await asyncio.sleep(CANCEL_PAUSE)

    async def _see_to_its_end(self, job: JobState) -> None:
        clients = shared_clients(self.aws_conn_id, self.region_name)
        backend = spark_jobs(self.aws_conn_id, self.region_name, job.kind)
        asked = replace(job, phase="CANCELLING")
        cancelling = CancelWatch.begin(asked, time.time(), KILL_SECONDS, END_PAUSE, self.watch["max_poll_errors"])
        try:
            while (pause := await clients.run(cancelling.observe, backend, time.time())) is not None:
                await asyncio.sleep(pause)
        except PollingFailed as error:
            self.log.error("%s", error)
            return
        if cancelling.watch.job.live:
            self.log.error("%s was cancelled and killed %s s ago, but is still there", job, KILL_SECONDS)

    async def _was_killed(self) -> bool:
        try:
            return not await in_thread(is_deferred, self.task_instance)
        except Exception:  # of the supervisor, the API server or the database
            self.log.exception("It is not known whether a person killed the task: its job goes on")
            return False
