"""
One Spark job for one task run: it is submitted once, and every further attempt finds it again.

The rules use only ``SparkBackend``, so they are the same for every service that runs Spark.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from airflow_agari_provider.exceptions import AgariError, retrying
from airflow_agari_provider.scoring.job_wait import CancelWatch, try_cancel
from airflow_agari_provider.scoring.jobs import BackendError, BackendUnavailable, JobState, SparkJob
from airflow_agari_provider.scoring.run_watch import SparkBackend
from airflow_agari_provider.scoring.task_run import TaskRun

logger = logging.getLogger(__name__)

End = Callable[[JobState], JobState]


class JobStillLive(AgariError):
    """
    A job that was cancelled has not ended in time.

    :param waited: how many seconds this attempt waited for its end.
    """

    def __init__(self, job: JobState, waited: float) -> None:
        super().__init__(job, waited)
        self.job, self.waited = job, waited

    def __str__(self) -> str:
        return (
            f"{self.job} is still {self.job.phase} {self.waited:.0f} s after it was cancelled, so no other job may "
            "start: two jobs would write to the same place. A retry of this task waits for its end again. If it hangs, "
            "terminate its cluster."
        )


@dataclass(frozen=True)
class Patience:
    """
    How long to wait for a service, and which functions tell the time and sleep.

    :param cancel_timeout: seconds that a cancelled job may take to end.
    :param max_errors: this many failed requests in a row end the attempt.
    :param pause: seconds between two polls of a cancelled job, and before a submission is retried: the service needs
        time to list a job that it has accepted.
    """

    cancel_timeout: float = 600.0
    max_errors: int = 10
    pause: float = 5.0
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


def submit_or_rejoin(
    backend: SparkBackend, job: SparkJob, run: TaskRun, patience: Patience, end: End | None = None
) -> tuple[JobState, bool]:
    """
    Return the one job of a task run, and whether it existed before this call.

    A job of this run that waits, runs or has succeeded is rejoined. After a failed or cancelled job, a new one is
    submitted. If a job is being cancelled, or belongs to an attempt before a person cleared the task, its end is waited
    for first. If the answer to a submission is lost, the service is searched for the job before a new one is submitted.

    :param end: cancels a job and returns the state in which it ended; it may raise instead, to be called again later.
        Default: ``cancel_and_wait``.
    :raises JobStillLive: a job that must end does not end, so nothing was submitted.
    :raises PollingFailed: the service does not tell whether a cancelled job has ended.
    :raises BackendUnavailable: ``patience.max_errors`` times in a row; a retry of the task loses nothing.
    """

    def tell(failed: int, error: Exception, wait: float) -> None:
        logger.warning("Job not submitted yet, try %s of %s failed: %s", failed, patience.max_errors, error)

    def look_or_submit() -> tuple[JobState, bool]:
        found = _wanted_job(backend, run, end or partial(cancel_and_wait, backend, patience=patience))
        return (backend.submit(job, run.token), False) if found is None else (found, True)

    again = retrying(
        passes=lambda error: isinstance(error, BackendUnavailable),
        wait=lambda failed, error: patience.pause,
        tell=tell,
        tries=patience.max_errors,
        sleep=patience.sleep,
    )
    found, rejoined = again(look_or_submit)
    if rejoined:
        logger.info("Rejoined %s: %s", found, found.phase)
        return found, True
    return _oldest_twin(backend, run, found), False


def cancel_and_wait(backend: SparkBackend, job: JobState, patience: Patience) -> JobState:
    """
    Cancel a job and return the state in which it ended: it may succeed before the request arrives.

    :raises JobStillLive: the job does not end in time.
    :raises PollingFailed: the service does not tell the job's state.
    """
    waited = patience.cancel_timeout
    cancelling = CancelWatch.begin(job, patience.clock(), waited, patience.pause, patience.max_errors)
    while (pause := cancelling.observe(backend, patience.clock())) is not None:
        patience.sleep(pause)
    if cancelling.watch.job.live:
        raise JobStillLive(cancelling.watch.job, waited)
    return cancelling.watch.job


def _wanted_job(backend: SparkBackend, run: TaskRun, end: End) -> JobState | None:
    found = backend.find((run.token, *run.earlier_tokens), run.since)
    for job in found:
        if job.live and job.token != run.token:
            logger.info("%s belongs to an attempt before this task was cleared: cancelling it first", job)
            end(job)
    wanted = [job for job in found if job.token == run.token and (job.live or job.phase == "SUCCEEDED")]
    ended = [end(job) for job in wanted if job.phase == "CANCELLING"]
    kept = [job for job in (*wanted, *ended) if job.phase not in ("CANCELLING", "CANCELLED", "FAILED")]
    kept.sort(key=lambda job: job.phase != "SUCCEEDED")  # a succeeded job first, then the oldest
    for twin in kept[1:]:
        _cancel_twin(backend, twin)
    return kept[0] if kept else None


def _oldest_twin(backend: SparkBackend, run: TaskRun, submitted: JobState) -> JobState:
    """
    Return the job to wait for: this attempt's, unless another attempt submitted an older one at the same time.

    Both attempts search once more after they have submitted, so at least one of them sees both jobs.
    """
    try:
        found = backend.find((run.token,), run.since, live_only=True)
    except BackendError as error:
        logger.warning("Cannot check whether this task has a second job: %s", error)
        return submitted
    twins = [job for job in found if job.phase != "CANCELLING"]
    if all(job.job_id != submitted.job_id for job in twins):
        twins.append(submitted)  # it has ended already, or is not listed yet: then those that are listed are older
    for twin in twins[1:]:
        _cancel_twin(backend, twin)
    if twins[0].job_id != submitted.job_id:
        return twins[0]
    return replace(
        twins[0], submitted_at=twins[0].submitted_at or submitted.submitted_at
    )  # some services list no times


def _cancel_twin(backend: SparkBackend, twin: JobState) -> None:
    if twin.live:
        logger.warning("%s is a second job of this task: cancelling it", twin)
        try_cancel(backend, twin)
