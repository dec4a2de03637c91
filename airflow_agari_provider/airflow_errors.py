"""What tasks share that ends them: our errors as Airflow's, which a retry cannot cure, and a place without objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from airflow_agari_provider.airflow_compat import AirflowFailException, AirflowSkipException
from airflow_agari_provider.exceptions import AgariError


@contextmanager
def no_retry(*errors: type[AgariError]) -> Iterator[None]:
    """
    Turn the given errors into ``AirflowFailException``, so that Airflow does not retry the task.

    :param errors: error classes whose cause stays the same, however often the task is retried.
    """
    try:
        yield
    except errors as error:
        raise AirflowFailException(str(error)) from error


def without_objects(if_no_objects: str, s3_url: str | Sequence[str] | None, error: AgariError) -> None:
    """
    Do what a task's ``if_no_objects`` says, because there is no object at its ``s3_url``; ``"ok"`` does nothing.

    :param error: raised for ``"fail"``.
    """
    if if_no_objects == "fail":
        raise error
    if if_no_objects == "skip":
        raise AirflowSkipException(f"There is no object at {s3_url}; skipped, as if_no_objects='skip' asks.")
