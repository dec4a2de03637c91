"""
One Spark job for one task run: submitted once, found again, watched, ended.

Written over ``SparkBackend``, so that the rules are the same whatever service runs Spark.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.spark_backends.driver_log import DriverLog
from airflow_agari_provider.spark_backends.jobs import BackendError, BackendUnavailable, JobState, SparkJob

log = logging.getLogger(__name__)


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
    """The job's service gave no answer for too long; values: the job, how often it was asked, the last error."""

    def __init__(self, job: JobState, errors: int, last_error: str) -> None:
        super().__init__(job, errors, last_error)

    def __str__(self) -> str:
        job, errors, last_error = self.args
        return (
            f"{job} was asked for its state {errors} times in a row without an answer, and may still run. A retry of "
            f"this task rejoins it and does not submit it again. Last error: {last_error}"
        )


class JobStillLive(AgariError):
    """A job that was cancelled has not ended; values: the job, and for how many seconds that was awaited."""

    def __init__(self, job: JobState, waited: float) -> None:
        super().__init__(job, waited)

    def __str__(self) -> str:
        job, waited = self.args
        return (
            f"{job} is still {job.phase} {waited:.0f} s after it was cancelled, so no other job may start: two would "
            "write to the same place. A retry of this task waits for it again; if it hangs, terminate its cluster."
        )


def run_token(dag_id: str, run_id: str, task_id: str, map_index: int, generation: int) -> str:
    """32 hexadecimal digits: the same for every attempt of a task run, another one once a person has cleared it."""
    parts = (dag_id, run_id, task_id, str(map_index), str(generation))
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class TaskRun:
    """
    Whose job it is.

    :param map_index: -1 for a task that is not mapped.
    :param generation: 0; once a person has cleared the task, the number of attempts there had been.
    :param since: no job of this run is older than this.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    generation: int
    since: datetime

    @property
    def token(self) -> str:
        return run_token(self.dag_id, self.run_id, self.task_id, self.map_index, self.generation)

    @property
    def earlier_tokens(self) -> tuple[str, ...]:
        """Tokens from before a person cleared the task: their jobs are not wanted any more."""
        name = (self.dag_id, self.run_id, self.task_id, self.map_index)
        return tuple(run_token(*name, generation) for generation in range(self.generation))


def generation_of(max_tries: int, retries: int) -> int:
    """
    How many attempts there had been when a person last cleared the task; 0 if nobody has.

    Clearing sets ``max_tries`` to the attempts so far plus the task's retries; nothing else changes it. A task whose
    ``retries`` were raised while it ran counts as not cleared.
    """
    return max(0, max_tries - retries)


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
            log.warning("No answer %s of at most %s in a row: %s", self.errors, self.max_poll_errors, error)
        if not self.job.live:
            return None
        if self.deadline is None:
            return self.poll_interval
        return min(self.poll_interval, self.deadline - now) if now < self.deadline else None

    def _saw(self, job: JobState) -> None:
        self.errors = 0
        if job.phase != self.job.phase:
            log.info("%s is %s", job, " ".join(filter(None, (job.phase, job.reason))))
        self.job = job


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
                log.info("Rejoined %s: %s", found, found.phase)
                return found, True
            submitted = backend.submit(job, run.token)
            break
        except BackendUnavailable as error:
            if attempt == patience.max_errors:
                raise
            log.warning("Not submitted yet, attempt %s of %s: %s", attempt, patience.max_errors, error)
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


def failure_text(backend: SparkBackend, job: JobState, lines: int, timeout: float) -> str:
    """
    Why a job failed, fit to be an alert: reason, last exception, end of the log. What cannot be read is left out.

    :param lines: of stdout and stderr, each.
    :param timeout: seconds to wait for the log.
    """
    try:
        driver_log = backend.driver_log(job, lines, timeout)
        cluster_end = backend.why_cluster_ended(job)
    except BackendError as error:
        return f"{job} ended {job.phase}: {job.reason}\nIts log cannot be read: {error}"
    exception = driver_log.last_exception or ""
    cause = job.reason if exception in job.reason else f"{job.reason} {exception}".strip()
    cluster = f"\nThe cluster ended with errors: {cluster_end}" if cluster_end else ""
    return f"{job} ended {job.phase}: {cause}{cluster}\n{driver_log}"


def usage_of(backend: SparkBackend, job: JobState) -> dict[str, Any]:
    """What a job used, in units and not in money; without what cannot be read."""
    usage: dict[str, Any] = {}
    if job.started_at is not None and job.ended_at is not None:
        usage["running_seconds"] = round(job.ended_at - job.started_at, 3)
    try:
        return {**usage, **backend.usage(job)}
    except BackendError as error:
        log.warning("%s", error)
        return usage


def _wanted_job(backend: SparkBackend, run: TaskRun, patience: Patience) -> JobState | None:
    found = backend.find((run.token, *run.earlier_tokens), run.since)
    for job in found:
        if job.live and job.token != run.token:
            log.info("%s belongs to an attempt before this task was cleared: cancelling it first", job)
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
        log.warning("Could not look for a second job of this task: %s", error)
        return submitted
    for twin in twins[1:]:
        _cancel_twin(backend, twin)
    return twins[0] if twins else submitted


def _cancel_twin(backend: SparkBackend, twin: JobState) -> None:
    if twin.live:
        log.warning("%s is a second job of this task: cancelling it", twin)
        _try_cancel(backend, twin)


def _try_cancel(backend: SparkBackend, job: JobState) -> None:
    try:
        backend.cancel(job)
    except BackendError as error:
        log.warning("%s", error)
