"""Cancelling a job for a task that ends: the request is repeated for as long as the task may live."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from airflow_agari_provider.exceptions import retrying
from airflow_agari_provider.scoring.jobs import BackendUnavailable, JobState
from airflow_agari_provider.scoring.run_watch import SparkBackend

logger = logging.getLogger(__name__)

SECONDS = (
    50.0  # Airflow 2.11 ends a killed task after 60 s; Airflow 3 after 5 s, and then the sweep has to find the job
)
PAUSE = 1.0  # seconds between two requests
LOOKS = 2  # how often to look for a job whose submission was interrupted: the service may list it late


def cancel_persistently(
    backend: SparkBackend,
    look: Callable[[], Sequence[JobState]],
    seconds: float = SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """
    Ask the service to cancel jobs, and ask again while it gives no answer or throttles.

    :param look: returns the jobs; those that have ended are left alone. Without any, it is called once more.
    :param seconds: no request begins later than this.
    :raises BackendError: the last one; a job may still run.
    """

    def cancel_once() -> bool:
        jobs = look()
        for job in jobs:
            if job.live:
                backend.cancel(job)
        return bool(jobs)

    def tell(failed: int, error: Exception, wait: float) -> None:
        logger.warning("The job is not cancelled yet, try %s failed: %s", failed, error)

    again = retrying(
        passes=lambda error: isinstance(error, BackendUnavailable),
        wait=lambda failed, error: PAUSE,
        tell=tell,
        seconds=seconds,
        sleep=sleep,
    )
    for number in range(LOOKS):
        if number:
            sleep(PAUSE)
        if again(cancel_once):
            return
