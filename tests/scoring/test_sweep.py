from __future__ import annotations

from typing import Any

import pytest

from airflow_agari_provider.scoring.emr_cluster_jobs import EmrClusterJobs
from airflow_agari_provider.scoring.job_owner import OWNER_PROPERTY, owner_text
from airflow_agari_provider.scoring.jobs import SparkJob
from airflow_agari_provider.scoring.sweep import sweep
from tests.scoring.one_task_run import JOB, RUN


def submitted(jobs: EmrClusterJobs, cancel_on_kill: bool = True) -> str:
    conf = {OWNER_PROPERTY: owner_text(RUN, cancel_on_kill)}
    return str(jobs.submit(SparkJob("score", "s3://agari/score.py", spark_conf=conf), RUN.token))


def swept(jobs: EmrClusterJobs, state: Any, **more: Any) -> dict[str, list[str]]:
    done = sweep(jobs.live_jobs(), lambda owner: state, jobs.cancel, **more)
    return {name: found for name, found in vars(done).items() if found}


@pytest.mark.parametrize("state", ["failed", "success", "skipped", "upstream_failed", "removed"])
def test_a_job_whose_task_has_ended_is_cancelled(emr_world, jobs, state):
    job = submitted(jobs)
    assert (swept(jobs, state), emr_world.states) == ({"cancelled": [job]}, ["CANCELLED"])


@pytest.mark.parametrize(
    "state",
    ["running", "deferred", "queued", "scheduled", "up_for_retry", "restarting", "none", "a state of Airflow 4"],
)
def test_a_job_whose_task_waits_for_it_or_will_is_left_alone(emr_world, jobs, state):
    job = submitted(jobs)
    assert (swept(jobs, state), emr_world.states) == ({"owned": [job]}, ["PENDING"])


def test_a_job_of_a_task_that_is_not_known_here_is_reported_and_left_alone(emr_world, jobs):
    job, nameless = submitted(jobs), str(jobs.submit(JOB, "f" * 32))
    emr_world.add_step(next(iter(emr_world.clusters)), "s3://agari/of-another-program.py")
    assert swept(jobs, None)["unknown"] == [nameless, job]
    assert emr_world.states == ["PENDING"] * 3


def test_an_airflow_that_does_not_answer_cancels_nothing(emr_world, jobs):
    job = submitted(jobs)

    def away(owner: Any) -> str:
        raise RuntimeError("502 Bad Gateway")

    assert (sweep(jobs.live_jobs(), away, jobs.cancel).unknown, emr_world.states) == ([job], ["PENDING"])


@pytest.mark.parametrize(
    ("keep", "report"), [(True, False), (False, True)], ids=["cancel_on_kill=False", "only report"]
)
def test_a_job_that_may_go_on_is_reported(emr_world, jobs, keep, report):
    job = submitted(jobs, cancel_on_kill=not keep)
    assert (swept(jobs, "failed", only_report=report), emr_world.states) == ({"left": [job]}, ["PENDING"])


def test_a_job_that_did_not_end_after_the_last_sweep_is_killed(emr_world, jobs):
    submitted(jobs)
    emr_world.steps[0].state = "RUNNING"
    swept(jobs, "failed")
    assert (emr_world.states, emr_world.steps[0].killed) == (["CANCEL_PENDING"], False)
    swept(jobs, "failed")
    assert emr_world.steps[0].killed is True


def test_a_job_that_cannot_be_cancelled_is_told(emr_world, jobs):
    job = submitted(jobs)
    emr_world.fail("cancel_steps", code="ThrottlingException")
    (told,) = swept(jobs, "failed")["failed"]
    assert told.startswith(f"{job}: Cancelling {job} failed")


def test_without_a_target_every_live_cluster_is_swept(emr_world, jobs):
    job = submitted(jobs)
    emr_world.cluster("other")
    every = EmrClusterJobs(emr_world.connect)
    assert swept(every, "failed") == {"cancelled": [job]}
