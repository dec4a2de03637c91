"""What becomes of a job when its task ends with an error."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from airflow_agari_provider.airflow_compat import AirflowException, AirflowFailException
from airflow_agari_provider.operators.spark_job_owner import never_unowned
from airflow_agari_provider.scoring.jobs import BackendUnavailable, JobState

LIVE, ENDED = JobState("j-1", "s-1", "RUNNING"), JobState("j-1", "s-1", "SUCCEEDED")


def cancelled(error, try_number=3, job=LIVE, killed=False, fails=False):
    """How often the job was cancelled, when the last of three tries, or another one, ended with an error."""
    asked = []

    def cancel():
        asked.append(1)
        if fails:
            raise BackendUnavailable("Cancelling s-1", "no answer")

    ti = SimpleNamespace(try_number=try_number, max_tries=2)
    with pytest.raises(type(error)) as raised, never_unowned(ti, lambda: job, lambda: killed, cancel):
        raise error
    return len(asked), str(raised.value)


@pytest.mark.parametrize(
    ("situation", "times"),
    [
        ({}, 1),
        ({"try_number": 2}, 0),
        ({"try_number": 1}, 0),
        ({"try_number": 9}, 1),
        ({"killed": True}, 0),
        ({"job": ENDED}, 0),
        ({"job": None}, 1),
    ],
    ids=["last try", "one is left", "first try", "more than allowed", "killed", "the job has ended", "nobody saw it"],
)
def test_without_a_next_try_a_job_that_may_live_is_cancelled(situation, times):
    assert cancelled(KeyError("x"), **situation) == (times, "'x'")


def test_an_error_that_airflow_does_not_retry_has_no_next_try():
    assert cancelled(AirflowFailException("no"), try_number=1) == (1, "no")


def test_a_job_that_cannot_be_cancelled_is_told_with_the_error_that_ended_the_task():
    times, text = cancelled(AirflowException("counts are missing."), fails=True)
    assert times == 1
    assert text == (
        "counts are missing. This was the last try, and the job could not be cancelled: "
        "Cancelling s-1 failed: no answer"
    )


def test_without_an_error_nothing_happens():
    with never_unowned(SimpleNamespace(), never, never, never):
        pass


def never():
    raise AssertionError("asked for")
