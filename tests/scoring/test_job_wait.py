from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_agari_provider.scoring.emr_cluster import EmrCluster
from airflow_agari_provider.scoring.emr_cluster_jobs import EmrClusterJobs
from airflow_agari_provider.scoring.job_wait import JobWait, deadline
from airflow_agari_provider.scoring.jobs import JobState
from airflow_agari_provider.scoring.run_watch import RunWatch
from tests.scoring.one_task_run import JOB, RUN


def drive(wait: JobWait, backend: Any, start: float = 0.0, **actions: Any) -> float:
    """Time that passes only by sleeping; carries out actions at given seconds. Returns when nothing is left to wait."""
    now = start
    left = {float(second.removeprefix("at_")): action for second, action in actions.items()}
    while (pause := wait.observe(backend, now)) is not None:
        now += pause
        for second in [second for second in left if start + second <= now]:
            left.pop(second)()
    return now - start


# A late job


def late_job(emr_world: Any, jobs: EmrClusterJobs) -> tuple[JobWait, Any]:
    job = jobs.submit(JOB, RUN.token)
    emr_world.steps[0].state = "RUNNING"
    return JobWait(RunWatch(job, 0.0, 30, 10), cancel_timeout=600, log_timeout=0), emr_world.steps[0]


def test_a_late_job_is_cancelled_and_its_end_awaited(emr_world, jobs):
    wait, step = late_job(emr_world, jobs)
    assert drive(wait, jobs, at_20=lambda: emr_world.end(step, "CANCELLED")) == 20
    assert (wait.late, wait.job.phase, step.killed) == ("RUNNING", "CANCELLED", False)


def test_a_job_that_ignores_the_signal_to_stop_is_killed_after_half_a_minute(emr_world, jobs):
    wait, step = late_job(emr_world, jobs)
    assert drive(wait, jobs, at_31=lambda: step.killed and emr_world.end(step, "CANCELLED")) == 35
    assert (wait.job.phase, step.killed) == ("CANCELLED", True)


def test_a_job_that_does_not_end_even_so_is_live_after_the_timeout(emr_world, jobs):
    wait, _ = late_job(emr_world, jobs)
    assert drive(wait, jobs) == 600
    assert (wait.late, wait.job.phase) == ("RUNNING", "CANCELLING")


def test_a_late_job_that_succeeds_meanwhile_has_succeeded(emr_world, jobs):
    wait, step = late_job(emr_world, jobs)
    assert drive(wait, jobs, at_5=lambda: emr_world.end(step)) == 5
    assert wait.job.phase == "SUCCEEDED"


def test_a_deadline_is_the_earlier_of_both_timeouts():
    job, start = JobState("j-1", "s-1", submitted_at=1000.0), datetime.fromtimestamp(1100, UTC)
    assert deadline(job, None, start, None) is None
    assert deadline(job, timedelta(minutes=5), start, None) == 1300
    assert deadline(job, timedelta(hours=5), start, timedelta(minutes=5)) == 1100 + 300 - 30
    assert deadline(job, timedelta(hours=5), start, timedelta(hours=1)) == 1100 + 3600 - 60


# The log of a failed job


@pytest.fixture
def failed(emr_world: Any, bucket: str) -> tuple[EmrClusterJobs, JobState, str]:
    emr_world.cluster("scoring", log_uri="s3://agari/logs")
    jobs = EmrClusterJobs(emr_world.connect, EmrCluster(name="scoring"))
    job = jobs.submit(JOB, "t")
    emr_world.end(emr_world.steps[0], "FAILED")
    return jobs, jobs.state(job), f"s3://agari/logs/{job.cluster_id}/steps/{job.job_id}/"


def wait_for_log(jobs: EmrClusterJobs, job: JobState, **actions: Any) -> float:
    wait = JobWait(RunWatch(job, None, 30, 10), cancel_timeout=600, log_timeout=120)
    return drive(wait, jobs, job.ended_at or 0.0, **actions)


def test_a_log_that_is_late_is_awaited(emr_world, failed):
    jobs, job, folder = failed
    assert wait_for_log(jobs, job, at_25=lambda: emr_world.put_log(folder + "stderr.gz", "INFO ends\n")) == 30


def test_a_log_that_never_comes_is_not_awaited_for_ever(failed):
    jobs, job, folder = failed
    assert wait_for_log(jobs, job) == 120
    text = f"Its log has not appeared in {folder} yet; look there in a few minutes."
    assert str(jobs.driver_log(job, 50)) == text


def test_a_copy_from_before_the_end_is_awaited_unless_it_has_the_scripts_exception(emr_world, failed):
    jobs, job, folder = failed
    emr_world.step(job.job_id).end_date_time = datetime.now(UTC) + timedelta(hours=1)
    emr_world.put_log(folder + "stderr.gz", "java.io.IOException: handled\n")
    write = {"at_40": lambda: emr_world.put_log(folder + "stdout.gz", "14 messages\nOSError: no\n")}
    assert wait_for_log(jobs, jobs.state(job), **write) == 40


def test_a_cluster_without_logs_is_not_waited_for(emr_world, jobs):
    job = jobs.submit(JOB, "t")
    emr_world.end(emr_world.steps[0], "FAILED")
    assert wait_for_log(jobs, jobs.state(job)) == 0


def test_a_log_that_cannot_be_read_is_not_waited_for(emr_world):
    emr_world.cluster("scoring", log_uri="s3://nowhere/logs")
    jobs = EmrClusterJobs(emr_world.connect, EmrCluster(name="scoring"))
    job = jobs.submit(JOB, "t")
    emr_world.end(emr_world.steps[0], "FAILED")
    assert wait_for_log(jobs, jobs.state(job)) == 0
