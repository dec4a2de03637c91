from __future__ import annotations

import pytest

from airflow_agari_provider.scoring.run_watch import PollingFailed, RunWatch
from tests.scoring.one_task_run import JOB, RUN


def test_a_watch_waits_until_the_job_has_ended(emr_world, jobs):
    watch = RunWatch(jobs.submit(JOB, RUN.token), None, 30, 10)
    assert watch.observe(jobs, 0) == 30
    emr_world.steps[0].state = "RUNNING"
    assert watch.observe(jobs, 30) == 30
    emr_world.end(emr_world.steps[0])
    assert watch.observe(jobs, 60) is None
    assert watch.job.phase == "SUCCEEDED"


@pytest.mark.parametrize(
    ("now", "pause"), [(0, 30), (80, 20), (100, None), (101, None)], ids=["long before", "just before", "at", "after"]
)
def test_a_watch_waits_no_longer_than_its_deadline(jobs, now, pause):
    assert RunWatch(jobs.submit(JOB, RUN.token), 100, 30, 10).observe(jobs, now) == pause


def test_one_answer_makes_up_for_all_failures_before_it(emr_world, jobs):
    watch = RunWatch(jobs.submit(JOB, RUN.token), None, 30, 3)
    for _ in range(3):
        emr_world.fail("describe_step", times=2)
        assert [watch.observe(jobs, 0) for _ in range(3)] == [30, 30, 30]


def test_an_answer_that_is_not_as_documented_is_a_failure_to_be_borne(emr_world, jobs):
    watch = RunWatch(jobs.submit(JOB, RUN.token), None, 30, 3)
    emr_world.answer("describe_step", {})
    assert [watch.observe(jobs, 0) for _ in range(2)] == [30, 30]
    with pytest.raises(PollingFailed, match="Last error: KeyError: 'Step'"):
        watch.observe(jobs, 0)


def test_failures_in_a_row_end_the_wait_and_not_the_job(emr_world, jobs):
    watch = RunWatch(jobs.submit(JOB, RUN.token), None, 30, 3)
    emr_world.fail("describe_step", times=3)
    with pytest.raises(PollingFailed, match=r"3 times in a row without an answer.*A retry of this task rejoins it"):
        [watch.observe(jobs, 0) for _ in range(3)]
    assert emr_world.states == ["PENDING"]
