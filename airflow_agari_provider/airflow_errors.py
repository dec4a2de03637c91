"""Turn our errors into Airflow's: an error that a retry cannot cure ends the task at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_agari_provider.airflow_compat import AirflowFailException
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
