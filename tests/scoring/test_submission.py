from __future__ import annotations

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from airflow_agari_provider.scoring.emr_cluster import EmrCluster
from airflow_agari_provider.scoring.emr_cluster_jobs import EmrClusterJobs
from airflow_agari_provider.scoring.jobs import BackendError, BackendUnavailable, JobState
from airflow_agari_provider.scoring.run_watch import PollingFailed
from airflow_agari_provider.scoring.submission import JobStillLive, cancel_and_wait, submit_or_rejoin
from tests.scoring.new_cluster import CREATE
from tests.scoring.one_task_run import JOB, RUN, patience


def test_the_first_attempt_submits(emr_world, jobs):
    job, rejoined = submit_or_rejoin(jobs, JOB, RUN, patience())
    assert (emr_world.states, rejoined) == (["PENDING"], False)
    assert job.job_id == emr_world.steps[0].id
    assert job.token == RUN.token


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "COMPLETED"])
def test_a_retry_rejoins_a_job_that_is_there(emr_world, jobs, state):
    first, _ = submit_or_rejoin(jobs, JOB, RUN, patience())
    emr_world.steps[0].state = state
    again, rejoined = submit_or_rejoin(jobs, JOB, RUN, patience())
    assert (again.job_id, rejoined) == (first.job_id, True)
    assert emr_world.states == [state]


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED", "INTERRUPTED"])
def test_a_retry_after_a_failed_job_is_a_new_job(emr_world, jobs, state):
    submit_or_rejoin(jobs, JOB, RUN, patience())
    emr_world.end(emr_world.steps[0], state)
    job, rejoined = submit_or_rejoin(jobs, JOB, RUN, patience())
    assert (emr_world.states, rejoined) == ([state, "PENDING"], False)
    assert job.job_id == emr_world.steps[1].id


def test_a_retry_waits_until_a_cancelled_job_has_ended_and_then_submits(emr_world, jobs):
    submit_or_rejoin(jobs, JOB, RUN, patience())
    step = emr_world.steps[0]
    step.state = "CANCEL_PENDING"
    _, rejoined = submit_or_rejoin(jobs, JOB, RUN, patience(lambda: emr_world.end(step, "CANCELLED")))
    assert (emr_world.states, rejoined, emr_world.twins) == (["CANCELLED", "PENDING"], False, [])


def test_a_cancelled_job_that_still_succeeds_is_taken(emr_world, jobs):
    submit_or_rejoin(jobs, JOB, RUN, patience())
    step = emr_world.steps[0]
    step.state = "CANCEL_PENDING"
    job, rejoined = submit_or_rejoin(jobs, JOB, RUN, patience(lambda: emr_world.end(step)))
    assert (job.phase, rejoined, emr_world.states) == ("SUCCEEDED", True, ["COMPLETED"])


def test_nothing_is_submitted_while_another_job_does_not_end(emr_world, jobs):
    submit_or_rejoin(jobs, JOB, RUN, patience())
    emr_world.steps[0].state = "CANCEL_PENDING"
    with pytest.raises(JobStillLive, match="still CANCELLING 600 s after it was cancelled, so no other job may start"):
        submit_or_rejoin(jobs, JOB, RUN, patience())
    assert emr_world.states == ["CANCEL_PENDING"]


@pytest.mark.parametrize("state", ["PENDING", "RUNNING"])
def test_after_a_clear_the_old_job_ends_before_the_new_one_begins(emr_world, jobs, state):
    submit_or_rejoin(jobs, JOB, RUN, patience())
    step = emr_world.steps[0]
    step.state = state
    emr_world.before("describe_step", lambda: step.state == "CANCEL_PENDING" and emr_world.end(step, "CANCELLED"))
    job, rejoined = submit_or_rejoin(jobs, JOB, replace(RUN, generation=2), patience())
    assert (emr_world.states, rejoined, emr_world.twins) == (["CANCELLED", "PENDING"], False, [])
    assert job.token == replace(RUN, generation=2).token


def test_after_a_clear_a_job_that_succeeded_is_run_again(emr_world, jobs):
    submit_or_rejoin(jobs, JOB, RUN, patience())
    emr_world.end(emr_world.steps[0])
    _, rejoined = submit_or_rejoin(jobs, JOB, replace(RUN, generation=1), patience())
    assert (emr_world.states, rejoined) == (["COMPLETED", "PENDING"], False)


@pytest.mark.parametrize(
    "other",
    [{"run_id": "hour_6"}, {"task_id": "summarise"}, {"dag_id": "other"}, {"map_index": 0}],
    ids=["run", "task", "dag", "map index"],
)
def test_another_task_run_has_a_job_of_its_own(emr_world, jobs, other):
    submit_or_rejoin(jobs, JOB, RUN, patience())
    _, rejoined = submit_or_rejoin(jobs, JOB, replace(RUN, **other), patience())
    assert (emr_world.states, rejoined) == (["PENDING", "PENDING"], False)


def test_two_attempts_that_submit_at_once_keep_the_older_job(emr_world, jobs):
    def other_attempt() -> None:
        jobs.submit(JOB, RUN.token)

    emr_world.before("add_job_flow_steps", other_attempt)
    job, _ = submit_or_rejoin(jobs, JOB, RUN, patience())
    assert emr_world.states == ["PENDING", "CANCELLED"]
    assert job.job_id == emr_world.steps[0].id


def test_a_job_that_has_a_twin_already_loses_it(emr_world, jobs):
    jobs.submit(JOB, RUN.token)
    jobs.submit(JOB, RUN.token)
    job, rejoined = submit_or_rejoin(jobs, JOB, RUN, patience())
    assert (emr_world.states, rejoined) == (["PENDING", "CANCELLED"], True)
    assert job.job_id == emr_world.steps[0].id


@pytest.mark.parametrize("carried_out", [False, True], ids=["request lost", "answer lost"])
def test_a_lost_submission_is_looked_for_before_it_is_repeated(emr_world, jobs, carried_out):
    emr_world.fail("add_job_flow_steps", carried_out=carried_out)
    job, rejoined = submit_or_rejoin(jobs, JOB, RUN, patience())
    assert (emr_world.states, rejoined, emr_world.twins) == (["PENDING"], carried_out, [])
    assert job.job_id == emr_world.steps[0].id


def test_botocore_does_not_repeat_a_submission_by_itself(emr_world, jobs, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "5")
    emr_world.fail("add_job_flow_steps", carried_out=True)
    submit_or_rejoin(jobs, JOB, RUN, patience())
    assert (emr_world.states, emr_world.twins) == (["PENDING"], [])


def test_of_two_attempts_the_one_whose_job_is_not_listed_yet_gives_way(emr_world, jobs):
    other = jobs.submit(JOB, RUN.token)
    emr_world.steps[0].state = "RUNNING"

    class ListsLate(EmrClusterJobs):
        def find(self, tokens, since, live_only=False):
            return [job for job in super().find(tokens, since, live_only) if live_only and job.job_id == other.job_id]

    late = ListsLate(emr_world.connect, EmrCluster(name="scoring"))
    job, _ = submit_or_rejoin(late, JOB, RUN, patience())
    assert (job.job_id, emr_world.states) == (other.job_id, ["RUNNING", "CANCELLED"])


def test_a_service_that_stays_away_ends_the_attempt_and_leaves_nothing(emr_world, jobs):
    emr_world.fail("list_clusters", times=3)
    with pytest.raises(BackendUnavailable, match="Looking for steps on EMR clusters with name 'scoring' failed"):
        submit_or_rejoin(jobs, JOB, RUN, patience(max_errors=3))
    assert emr_world.states == []


def test_a_second_look_that_fails_does_not_lose_the_job(emr_world, jobs):
    emr_world.before("add_job_flow_steps", lambda: emr_world.fail("list_clusters"))
    job, rejoined = submit_or_rejoin(jobs, JOB, RUN, patience())
    assert (job.job_id, rejoined) == (emr_world.steps[0].id, False)


# A new cluster for several runs


def one_new_cluster(emr_world):
    return EmrClusterJobs(emr_world.connect, EmrCluster(name="new", create=CREATE))


def test_runs_that_start_at_once_share_one_new_cluster(emr_world):
    runs = [replace(RUN, run_id=f"hour_{hour}") for hour in range(3)]
    ready = threading.Barrier(len(runs))
    emr_world.each("run_job_flow", lambda: ready.wait(10))
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda run: submit_or_rejoin(one_new_cluster(emr_world), JOB, run, patience()), runs))
    assert len({job.cluster_id for job, _ in found}) == 1
    assert sorted(cluster.state for cluster in emr_world.clusters.values()) == ["RUNNING", "TERMINATED", "TERMINATED"]
    assert sorted(emr_world.states) == ["CANCELLED", "CANCELLED", "PENDING", "PENDING", "PENDING"]


def test_a_new_cluster_that_another_run_uses_already_stays(emr_world):
    older = []

    def other_run_creates_and_then_a_third_one_submits():
        older.append(emr_world.cluster("new"))
        emr_world.before(
            "describe_cluster", lambda: emr_world.add_step(next(iter(set(emr_world.clusters) - set(older))))
        )

    emr_world.before("run_job_flow", other_run_creates_and_then_a_third_one_submits)
    job, _ = submit_or_rejoin(one_new_cluster(emr_world), JOB, RUN, patience())
    assert job.cluster_id not in older
    assert emr_world.states == ["PENDING", "PENDING"]


def test_a_cluster_that_may_not_be_ended_is_given_up_all_the_same(emr_world):
    emr_world.before("run_job_flow", lambda: emr_world.cluster("new"))
    emr_world.fail("terminate_job_flows", code="AccessDeniedException")
    job, _ = submit_or_rejoin(one_new_cluster(emr_world), JOB, RUN, patience())
    assert job.cluster_id == min(emr_world.clusters.values(), key=lambda cluster: cluster.creation_datetime).id
    assert emr_world.states == ["CANCELLED", "PENDING"]


def test_clusters_of_the_jobs_own_are_not_shared(emr_world):
    own = EmrClusterJobs(emr_world.connect, EmrCluster(name="new", create=CREATE, keep=False))
    emr_world.before("run_job_flow", lambda: emr_world.cluster("new"))
    submit_or_rejoin(own, JOB, RUN, patience())
    assert emr_world.states == ["PENDING"]


def test_cancelling_waits_for_the_end(emr_world, jobs):
    job = jobs.submit(JOB, RUN.token)
    step = emr_world.steps[0]
    step.state = "RUNNING"
    ended = cancel_and_wait(jobs, job, patience(lambda: None, lambda: emr_world.end(step, "CANCELLED")))
    assert ended.phase == "CANCELLED"


def test_a_lost_cancel_request_is_repeated(emr_world, jobs):
    job = jobs.submit(JOB, RUN.token)
    emr_world.fail("cancel_steps", times=2)
    assert cancel_and_wait(jobs, job, patience()).phase == "CANCELLED"


def test_every_error_survives_pickling():
    job = JobState("j-1", "s-1")
    for error in (PollingFailed(job, 3, "away"), JobStillLive(job, 600.0), BackendError("Asking", "no")):
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
