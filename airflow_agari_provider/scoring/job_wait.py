"""
All that a task waits for once its job is submitted: the job's end, the end of a late job, and a failed job's log.

Worker and triggerer drive the same object, so that none of these waits needs a worker slot.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from airflow_agari_provider.scoring.jobs import BackendError, JobState
from airflow_agari_provider.scoring.run_watch import RunWatch, SparkBackend

logger = logging.getLogger(__name__)

FORCE_AFTER = 30.0  # seconds that a job may take to end by itself once it was asked to; then it is killed
CANCEL_PAUSE = 5.0  # seconds between two looks at a job that must end
LOG_PAUSE = 10.0  # seconds between two looks for a log
DEADLINE_MARGIN = 60.0  # seconds, or a tenth of execution_timeout: to cancel the job before Airflow ends the task


def deadline(
    job: JobState, step_timeout: timedelta | None, task_start: datetime, execution_timeout: timedelta | None
) -> float | None:
    """
    Return when to cancel a job, in seconds since 1970; None: never.

    :param step_timeout: counts from the job's submission.
    :param execution_timeout: counts from the task's start; the deadline is shortly before its end.
    """
    ends = []
    if step_timeout is not None:
        ends.append((job.submitted_at or time.time()) + step_timeout.total_seconds())
    if execution_timeout is not None:
        limit = execution_timeout.total_seconds()
        ends.append(task_start.timestamp() + limit - min(DEADLINE_MARGIN, limit / 10))
    return min(ends, default=None)


@dataclass
class CancelWatch:
    """
    Cancels a job and decides how long to wait for its end. The caller sleeps between two looks.

    It asks until the service has accepted the request, because a request may get lost. A job that does not end in time
    is killed: one that ignores the signal to stop would block its task until a person ends its cluster.

    :param watch: with the deadline by which the job must have ended.
    :param force_at: when to kill it, in seconds since 1970.
    """

    watch: RunWatch
    force_at: float
    _forced: bool = False

    @classmethod
    def begin(cls, job: JobState, now: float, timeout: float, pause: float, max_errors: int) -> CancelWatch:
        """
        :param timeout: seconds that the job may take to end.
        :param pause: seconds between two looks.
        """
        watch = RunWatch(job, now + timeout, pause, max_errors)
        return cls(watch, now + min(FORCE_AFTER, timeout / 2))

    def observe(self, backend: SparkBackend, now: float) -> float | None:
        """
        Ask once, and look once.

        :return: seconds until the next look; None when the job has ended, or is still live after the timeout.
        :raises PollingFailed: the service does not tell the job's state.
        """
        job, force = self.watch.job, now >= self.force_at
        if force and not self._forced:
            logger.warning("%s does not end by itself: killing it", job)
        self._forced = force
        if force or job.phase != "CANCELLING":
            try_cancel(backend, job, force)
        return self.watch.observe(backend, now)


def try_cancel(backend: SparkBackend, job: JobState, force: bool = False) -> None:
    """Ask to cancel a job. A request that fails is only logged."""
    try:
        backend.cancel(job, force)
    except BackendError as error:
        logger.warning("The job is not cancelled: %s", error)


@dataclass
class JobWait:
    """
    Decides how long a task has to wait for its job. The caller sleeps between two looks.

    :param watch: until the job's end or its deadline.
    :param cancel_timeout: seconds that a late job may take to end after it was cancelled.
    :param log_timeout: seconds after a failed job's end that its log may take to appear.
    :ivar late: the phase that the job was in at its deadline; empty if it was not late.
    """

    watch: RunWatch
    cancel_timeout: float
    log_timeout: float
    late: str = field(default="", init=False)
    _cancelling: CancelWatch | None = field(default=None, init=False)
    _log_until: float | None = field(default=None, init=False)

    @property
    def job(self) -> JobState:
        return self.watch.job

    @property
    def timeouts(self) -> tuple[float, float]:
        return self.cancel_timeout, self.log_timeout

    def observe(self, backend: SparkBackend, now: float) -> float | None:
        """
        Look once.

        :return: seconds until the next look; None when nothing is left to wait for. A job that is still live then does
            not end, although it was cancelled.
        :raises PollingFailed: the service does not tell the job's state.
        """
        if self._log_until is None:
            pause = self._wait_for_end(backend, now)
            if pause is not None:
                return pause
            never_ran = self.job.phase == "CANCELLED" and self.job.started_at is None
            if self.job.live or self.late or never_ran or self.job.phase == "SUCCEEDED":
                return None  # of a late job there is a copy of the log already, unless it ran for minutes only
            self._log_until = (self.job.ended_at or now) + self.log_timeout
        return self._wait_for_log(backend, now, self._log_until)

    def _wait_for_end(self, backend: SparkBackend, now: float) -> float | None:
        if self._cancelling is None:
            pause = self.watch.observe(backend, now)
            if pause is not None or not self.job.live:
                return pause
            self.late = self.job.phase
            logger.error("%s is still %s and has to end: cancelling it", self.job, self.late)
            pause = min(CANCEL_PAUSE, self.watch.poll_interval)
            self._cancelling = CancelWatch.begin(self.job, now, self.cancel_timeout, pause, self.watch.max_poll_errors)
        pause = self._cancelling.observe(backend, now)
        self.watch.job = self._cancelling.watch.job
        return pause

    def _wait_for_log(self, backend: SparkBackend, now: float, until: float) -> float | None:
        if now >= until:
            return None
        try:
            arrived = backend.driver_log(self.job, 1).complete(self.job.ended_at)
        except BackendError as error:
            logger.warning("The log of the job cannot be read: %s", error)
            return None
        return None if arrived else min(LOG_PAUSE, until - now)
