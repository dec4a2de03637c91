"""How long to wait for a Spark job, whatever service runs it."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.scoring.driver_log import DriverLog
from airflow_agari_provider.scoring.jobs import BackendError, JobState, SparkJob

logger = logging.getLogger(__name__)


class SparkBackend(Protocol):
    """A service that runs Spark jobs, as described on ``EmrClusterJobs``; any request may raise ``BackendError``."""

    def find(self, tokens: Collection[str], since: datetime) -> list[JobState]: ...

    def submit(self, job: SparkJob, token: str) -> JobState: ...

    def state(self, job: JobState) -> JobState: ...

    def cancel(self, job: JobState) -> None: ...

    def driver_log(self, job: JobState, lines: int, timeout: float) -> DriverLog: ...

    def why_cluster_ended(self, job: JobState) -> str | None: ...

    def usage(self, job: JobState) -> dict[str, Any]: ...

    def console_url(self, job: JobState) -> str: ...


class PollingFailed(AgariError):
    """
    The job's service gave no answer for too long.

    :param errors: how often it was asked in a row.
    """

    def __init__(self, job: JobState, errors: int, last_error: str) -> None:
        super().__init__(job, errors, last_error)
        self.job, self.errors, self.last_error = job, errors, last_error

    def __str__(self) -> str:
        return (
            f"{self.job} was asked for its state {self.errors} times in a row without an answer, and may still run. "
            f"A retry of this task rejoins it and does not submit it again. Last error: {self.last_error}"
        )


@dataclass
class RunWatch:
    """
    Decides how long to wait for a job; whoever drives it sleeps.

    :param job: what is known of the job; kept up to date.
    :param deadline: seconds since 1970; None waits for ever.
    :param poll_interval: seconds between two looks.
    :param max_poll_errors: failures in a row after which the wait is given up.
    :param rejoined: the job was there already; nothing is made of it here.
    """

    job: JobState
    deadline: float | None
    poll_interval: float
    max_poll_errors: int
    rejoined: bool = False
    errors: int = 0

    def observe(self, backend: SparkBackend, now: float) -> float | None:
        """
        Look once. Seconds until the next look; None when the job has ended, or is live after its deadline.

        :raises PollingFailed: ``max_poll_errors`` in a row, whatever their kind; one answer makes up for all before it.
        """
        try:
            self._saw(backend.state(self.job))
        except BackendError as error:
            self.errors += 1
            if self.errors >= self.max_poll_errors:
                raise PollingFailed(self.job, self.errors, str(error)) from error
            logger.warning("No answer %s of at most %s in a row: %s", self.errors, self.max_poll_errors, error)
        if not self.job.live:
            return None
        if self.deadline is None:
            return self.poll_interval
        return min(self.poll_interval, self.deadline - now) if now < self.deadline else None

    def _saw(self, job: JobState) -> None:
        self.errors = 0
        if job.phase != self.job.phase:
            logger.info("%s is %s", job, " ".join(filter(None, (job.phase, job.reason))))
        self.job = job
