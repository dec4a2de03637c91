"""
One Spark job for one task run: submitted once, found again, watched, ended.

Written over ``SparkBackend``, so that the rules are the same whatever service runs Spark.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.scoring.jobs import BackendError, BackendUnavailable, JobState, SparkJob
from airflow_agari_provider.scoring.run_watch import RunWatch, SparkBackend
from airflow_agari_provider.scoring.task_run import TaskRun

logger = logging.getLogger(__name__)


class JobStillLive(AgariError):
    """
    A job that was cancelled has not ended.

    :param waited: seconds for which its end was awaited.
    """

    def __init__(self, job: JobState, waited: float) -> None:
        super().__init__(job, waited)
        self.job, self.waited = job, waited

    def __str__(self) -> str:
        return (
            f"{self.job} is still {self.job.phase} {self.waited:.0f} s after it was cancelled, so no other job may "
            "start: two would write to the same place. A retry of this task waits for it again; if it "
            "hangs, terminate its cluster."
        )


@dataclass(frozen=True)
class Patience:
    """
    How long to bear with a service, and what to sleep with.

    :param cancel_timeout: seconds that a cancelled job may take to end.
    :param max_errors: failures in a row that are borne.
    :param pause: seconds between two looks at a job that is to end, and before another try to submit: time for a job
        that was taken to be listed.
    """

    cancel_timeout: float = 600.0
    max_errors: int = 10
    pause: float = 5.0
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


def submit_or_rejoin(backend: SparkBackend, job: SparkJob, run: TaskRun, patience: Patience) -> tuple[JobState, bool]:
    """
    The one job of a task run, and whether it was there already.

    A job of this run that waits, runs or has succeeded is rejoined. A failed or cancelled one is not: the next is a new
    job. One that is being cancelled, or that belongs to an attempt before a person's clear, is seen to its end first.
    After a lost answer the service is searched before anything is submitted again.

    :raises JobStillLive: an unwanted job does not end, so nothing was submitted.
    :raises BackendUnavailable: ``patience.max_errors`` times in a row; nothing is lost if the task is retried.
    """
    for attempt in range(1, patience.max_errors + 1):
        try:
            found = _wanted_job(backend, run, patience)
            if found is not None:
                logger.info("Rejoined %s: %s", found, found.phase)
                return found, True
            submitted = backend.submit(job, run.token)
            break
        except BackendUnavailable as error:
            if attempt == patience.max_errors:
                raise
            logger.warning("Not submitted yet, attempt %s of %s: %s", attempt, patience.max_errors, error)
            patience.sleep(patience.pause)
    return _oldest_twin(backend, run, submitted), False


def cancel_and_wait(backend: SparkBackend, job: JobState, patience: Patience) -> JobState:
    """
    The state in which the job ended: it may succeed before the request arrives.

    :raises JobStillLive: it does not end in time.
    :raises PollingFailed: the service gives no answer.
    """
    deadline = patience.clock() + patience.cancel_timeout
    watch = RunWatch(job, deadline, patience.pause, patience.max_errors)
    pause: float | None = 0.0
    while pause is not None:
        patience.sleep(pause)
        if watch.job.phase != "CANCELLING":  # asked again until it is: a request may get lost
            _try_cancel(backend, watch.job)
        pause = watch.observe(backend, patience.clock())
    if watch.job.live:
        raise JobStillLive(watch.job, patience.cancel_timeout)
    return watch.job


def _wanted_job(backend: SparkBackend, run: TaskRun, patience: Patience) -> JobState | None:
    found = backend.find((run.token, *run.earlier_tokens), run.since)
    for job in found:
        if job.live and job.token != run.token:
            logger.info("%s belongs to an attempt before this task was cleared: cancelling it first", job)
            cancel_and_wait(backend, job, patience)
    wanted = [job for job in found if job.token == run.token and (job.live or job.phase == "SUCCEEDED")]
    ending = [job for job in wanted if job.phase == "CANCELLING"]
    ended = [cancel_and_wait(backend, job, patience) for job in ending]
    kept = [job for job in (*wanted, *ended) if job.phase not in ("CANCELLING", "CANCELLED", "FAILED")]
    kept.sort(key=lambda job: job.phase != "SUCCEEDED")  # the oldest first otherwise
    for twin in kept[1:]:
        _cancel_twin(backend, twin)
    return kept[0] if kept else None


def _oldest_twin(backend: SparkBackend, run: TaskRun, submitted: JobState) -> JobState:
    """
    The job to wait for: ours, unless another attempt submitted at the same time and came first.

    Both attempts look once more after they submitted, so at least one of them sees both jobs.
    """
    try:
        twins = [job for job in backend.find((run.token,), run.since) if job.phase in ("PENDING", "RUNNING")]
    except BackendError as error:
        logger.warning("Could not look for a second job of this task: %s", error)
        return submitted
    for twin in twins[1:]:
        _cancel_twin(backend, twin)
    return twins[0] if twins else submitted


def _cancel_twin(backend: SparkBackend, twin: JobState) -> None:
    if twin.live:
        logger.warning("%s is a second job of this task: cancelling it", twin)
        _try_cancel(backend, twin)


def _try_cancel(backend: SparkBackend, job: JobState) -> None:
    try:
        backend.cancel(job)
    except BackendError as error:
        logger.warning("%s", error)
