"""How long to wait for a Spark job, with the same rules for every service."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.scoring.driver_log import DriverLog
from airflow_agari_provider.scoring.jobs import BackendError, JobState, SparkJob

logger = logging.getLogger(__name__)


class SparkBackend(Protocol):
    """A service that runs Spark jobs. ``EmrClusterJobs`` describes its methods; each may raise ``BackendError``."""

    def find(self, tokens: Sequence[str], since: datetime, live_only: bool = False) -> list[JobState]: ...

    def live_jobs(self) -> list[JobState]: ...

    def submit(self, job: SparkJob, token: str) -> JobState: ...

    def state(self, job: JobState) -> JobState: ...

    def cancel(self, job: JobState, force: bool = False) -> None: ...

    def driver_log(self, job: JobState, lines: int) -> DriverLog: ...

    def why_cluster_ended(self, job: JobState) -> str | None: ...

    def failed_start(self, job: JobState) -> str | None: ...

    def usage(self, job: JobState) -> dict[str, Any]: ...

    def console_url(self, job: JobState) -> str: ...


class PollingFailed(AgariError):
    """
    The job's service did not tell the job's state for too long.

    :param errors: how many requests in a row failed.
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
    Decides how long to wait for a job. The caller sleeps between two polls.

    :param job: the last known state of the job; each poll updates it.
    :param deadline: seconds since 1970; None: no limit.
    :param poll_interval: seconds between two polls.
    :param max_poll_errors: the wait ends after this many failed polls in a row.
    :param rejoined: whether the job existed before this attempt; only stored here for the caller.
    :param failed_start: why an earlier cluster of this attempt did not start; as ``rejoined``.
    """

    job: JobState
    deadline: float | None
    poll_interval: float
    max_poll_errors: int
    rejoined: bool = False
    failed_start: str = ""
    errors: int = 0

    def observe(self, backend: SparkBackend, now: float) -> float | None:
        """
        Poll once.

        :return: seconds until the next poll; None when the job has ended, or is still live after the deadline.
        :raises PollingFailed: ``max_poll_errors`` polls in a row failed, with any error. One answer resets the count.
        """
        try:
            self._saw(backend.state(self.job))
        except Exception as error:  # also of an answer that is not as documented: the job runs, whatever is answered
            self.errors += 1
            cause = str(error) if isinstance(error, BackendError) else f"{type(error).__name__}: {error}"
            if self.errors >= self.max_poll_errors:
                raise PollingFailed(self.job, self.errors, cause) from error
            logger.warning(
                "Poll of the job failed (%s in a row, the wait ends at %s): %s",
                self.errors,
                self.max_poll_errors,
                cause,
            )
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
