from __future__ import annotations

import pytest

from airflow_agari_provider.scoring.cancelling import cancel_persistently
from airflow_agari_provider.scoring.jobs import BackendRefused, BackendUnavailable
from tests.scoring.one_task_run import JOB, RUN


def test_throttling_is_outlived(emr_world, jobs):
    job, slept = jobs.submit(JOB, RUN.token), []
    emr_world.fail("cancel_steps", times=30, code="ThrottlingException")
    cancel_persistently(jobs, lambda: [job], sleep=slept.append)
    assert (emr_world.states, slept) == (["CANCELLED"], [1.0] * 30)


def test_a_job_whose_submission_was_interrupted_is_looked_for_again(emr_world, jobs):
    looks = []

    def look():
        looks.append("look")
        return [] if len(looks) == 1 else [jobs.submit(JOB, RUN.token)]

    cancel_persistently(jobs, look, sleep=lambda seconds: None)
    assert emr_world.states == ["CANCELLED"]


def test_a_search_that_is_throttled_is_repeated_too(emr_world, jobs):
    jobs.submit(JOB, RUN.token)
    emr_world.fail("list_clusters", times=3, code="ThrottlingException")
    find = lambda: jobs.find((RUN.token,), RUN.since, live_only=True)  # noqa: E731
    cancel_persistently(jobs, find, sleep=lambda seconds: None)
    assert emr_world.states == ["CANCELLED"]


@pytest.mark.parametrize(
    ("code", "seconds", "error"),
    [("AccessDeniedException", 50, BackendRefused), ("ThrottlingException", 0.01, BackendUnavailable)],
    ids=["refused", "out of time"],
)
def test_a_job_that_cannot_be_cancelled_is_told(emr_world, jobs, code, seconds, error):
    job = jobs.submit(JOB, RUN.token)
    emr_world.fail("cancel_steps", times=5, code=code)
    with pytest.raises(error, match=f"Cancelling {job} failed"):
        cancel_persistently(jobs, lambda: [job], seconds=seconds, sleep=lambda seconds: None)
