"""The outcome of a Spark job: why it failed, and what it used."""

from __future__ import annotations

import logging
from typing import Any

from airflow_agari_provider.scoring.jobs import BackendError, JobState
from airflow_agari_provider.scoring.run_watch import SparkBackend

logger = logging.getLogger(__name__)


def failure_text(backend: SparkBackend, job: JobState, lines: int, timeout: float) -> str:
    """
    Return a text for an alert that says why a job failed: its reason, the last exception and the end of the log.

    A part that cannot be read is left out.

    :param lines: number of last lines, of stdout and of stderr each.
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
    """Return what a job used, in units and not in money. A figure that cannot be read is left out."""
    usage: dict[str, Any] = {}
    if job.started_at is not None and job.ended_at is not None:
        usage["running_seconds"] = round(job.ended_at - job.started_at, 3)
    try:
        return {**usage, **backend.usage(job)}
    except BackendError as error:
        logger.warning("The job's usage is incomplete: %s", error)
        return usage
