"""The outcome of a Spark job: why it failed, and what it used."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from airflow_agari_provider.scoring.jobs import BackendError, JobState
from airflow_agari_provider.scoring.run_watch import SparkBackend

logger = logging.getLogger(__name__)


def failure_text(
    backend: SparkBackend, job: JobState, lines: int, late: str = "", limits: str = "", failed_start: str = ""
) -> str:
    """
    Return a text for an alert that says why a job failed: its reason, the last exception and the end of the log.

    A part that cannot be read is left out.

    :param lines: number of last lines, of stdout and of stderr each.
    :param late: the phase that the job was in at its deadline; empty if it was not late.
    :param limits: the times that the task gives a job, as text.
    :param failed_start: why an earlier cluster of this attempt did not start.
    """
    if job.live:
        outcome = (
            f"{job} was still {late} at its deadline ({limits}): it was cancelled and killed, but is still "
            f"{job.phase}, so no other job may start: two jobs would write to the same place. A retry of this task "
            "waits for its end again. If it hangs, terminate its cluster."
        )
    elif late:
        outcome = (
            f"{job} was still {late} at its deadline ({limits}): it was cancelled and ended {job.phase}. "
            f"A retry submits a new job. {job.reason}".strip()
        )
    else:
        outcome = f"{job} ended {job.phase}: {job.reason}".strip()
    exception, log = _log(backend, job, lines)
    if exception not in outcome:
        outcome = f"{outcome} {exception}"
    earlier = f"The cluster before it did not start either. {failed_start}" if failed_start else ""
    return "\n".join(filter(None, (outcome, _asked(backend.why_cluster_ended, job), earlier, log)))


def why_never_started(backend: SparkBackend, job: JobState) -> str | None:
    """Return why a job's cluster did not start, if another cluster may do better; otherwise None."""
    reason = None if job.live or job.started_at else _asked(backend.failed_start, job)
    if reason:
        logger.error("%s did not run, because its cluster did not start. %s", job, reason)
    return reason


def _log(backend: SparkBackend, job: JobState, lines: int) -> tuple[str, str]:
    """Return the last exception in a job's log, and the end of the log."""
    try:
        driver_log = backend.driver_log(job, lines)
    except Exception as error:  # noqa: BLE001 - also of a connection that breaks while S3 sends the log
        return "", f"Its log cannot be read: {error}"
    return driver_log.last_exception or "", str(driver_log)


def _asked(question: Callable[[JobState], str | None], job: JobState) -> str | None:
    try:
        return question(job)
    except BackendError as error:
        logger.warning("It is not known whether the job's cluster has ended: %s", error)
        return None


def usage_of(backend: SparkBackend, job: JobState) -> dict[str, Any]:
    """Return what a job used, in units and not in money. A figure that cannot be read is left out."""
    usage: dict[str, Any] = {}
    if job.started_at is not None and job.ended_at is not None:
        usage["running_seconds"] = round(job.ended_at - job.started_at, 3)
    try:
        return {**usage, **backend.usage(job)}
    except Exception as error:  # noqa: BLE001 - a job that succeeded is not failed by figures about it
        logger.warning("The job's usage is incomplete: %s", error)
        return usage


def result_of(backend: SparkBackend, job: JobState, rejoined: bool) -> dict[str, Any]:
    """Return what a task tells about a job that succeeded."""
    return {
        "job_id": job.job_id,
        f"{job.kind}_id": job.cluster_id,
        "run_token": job.token,
        "state": job.phase,
        "seconds": job.seconds,
        "rejoined": rejoined,
        "usage": usage_of(backend, job),
    }
