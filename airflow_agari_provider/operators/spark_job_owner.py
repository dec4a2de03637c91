"""No job without an owner: what becomes of a task's job when the task ends with an error."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from airflow_agari_provider.airflow_compat import AirflowException, AirflowFailException
from airflow_agari_provider.scoring.jobs import BackendError, JobState

logger = logging.getLogger(__name__)


@contextmanager
def never_unowned(
    ti: Any, job: Callable[[], JobState | None], killed: Callable[[], bool], cancel: Callable[[], object]
) -> Iterator[None]:
    """
    Whatever is raised inside: the next try rejoins the job, and without a next try it is cancelled.

    :param ti: the task instance.
    :param job: returns the job as it was seen last; None: there may be one, which nobody has seen.
    :param killed: whether somebody has killed the task, who sees to the job then.
    :param cancel: cancels what there is.
    :raises AirflowException: in place of the error inside, if the job could not be cancelled.
    """
    try:
        yield
    except Exception as error:
        seen = job()
        next_try = ti.try_number <= ti.max_tries and not isinstance(error, AirflowFailException)
        if killed() or next_try or (seen is not None and not seen.live):
            raise
        logger.error("No retry is left to rejoin %s: cancelling it", seen or "a job of this task")
        try:
            cancel()
        except BackendError as left:
            raise AirflowException(
                f"{error} This was the last try, and the job could not be cancelled: {left}"
            ) from error
        raise
