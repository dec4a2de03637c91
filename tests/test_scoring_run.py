from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from airflow_agari_provider.scoring_run import (
    JobStillLive,
    Patience,
    PollingFailed,
    RunWatch,
    TaskRun,
    cancel_and_wait,
    failure_text,
    generation_of,
    run_token,
    submit_or_rejoin,
    usage_of,
)
from airflow_agari_provider.spark_backends.emr_cluster import EmrCluster, EmrClusterJobs
from airflow_agari_provider.spark_backends.jobs import (
    BackendError,
    BackendRefused,
    BackendUnavailable,
    JobState,
    SparkJob,
)

JOB = SparkJob("score", "s3://agari/score.py", ("--hour", "5"))
RUN = TaskRun("telemetry", "hour_5", "score", -1, 0, datetime.now(UTC) - timedelta(days=1))


@pytest.fixture
def jobs(emr_world: Any) -> EmrClusterJobs:
    emr_world.cluster("scoring", concurrency=2)
    return EmrClusterJobs(emr_world.connect, EmrCluster(name="scoring"))


def patience(*actions: Callable[[], object], **arguments: Any) -> Patience:
    """One that never sleeps: each pause carries out the next action instead."""
    left, now = list(actions), [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds
        if left and seconds:
            left.pop(0)()

    return Patience(sleep=sleep, clock=lambda: now[0], **arguments)


def test_the_token_is_the_same_for_every_attempt_and_new_after_a_clear():
    first = run_token("telemetry", "hour_5", "score", -1, 0)
    assert first == "ac3ce6b776f81930dec9515af18adfc3"
    assert run_token("telemetry", "hour_5", "score", -1, 1) != first
    assert run_token("telemetry", "hour_5", "score", 0, 0) != first


@pytest.mark.parametrize(
    ("max_tries", "retries", "generation"),
    [
        pytest.param(0, 0, 0, id="first attempt without retries"),
        pytest.param(3, 3, 0, id="any attempt of a task with retries"),
        pytest.param(5, 3, 2, id="cleared after two attempts"),
        pytest.param(1, 3, 0, id="retries raised meanwhile"),
    ],
)
def test_only_a_clear_begins_a_new_generation(max_tries, retries, generation):
    assert generation_of(max_tries, retries) == generation


# Which job a task run gets


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


def test_a_cancelled_job_that_succeeds_all_the_same_is_taken(emr_world, jobs):
    submit_or_rejoin(jobs, JOB, RUN, patience())
    step = emr_world.steps[0]
    step.state = "CANCEL_PENDING"
    job, rejoined = submit_or_rejoin(jobs, JOB, RUN, patience(lambda: emr_world.end(step)))
    assert (job.phase, rejoined, emr_world.states) == ("SUCCEEDED", True, ["COMPLETED"])


def test_nothing_is_submitted_beside_a_job_that_does_not_end(emr_world, jobs):
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


def test_a_service_that_stays_away_ends_the_attempt_and_leaves_nothing(emr_world, jobs):
    emr_world.fail("list_clusters", times=3)
    with pytest.raises(BackendUnavailable, match="Looking for steps on EMR clusters with name 'scoring' failed"):
        submit_or_rejoin(jobs, JOB, RUN, patience(max_errors=3))
    assert emr_world.states == []


def test_a_second_look_that_fails_does_not_lose_the_job(emr_world, jobs):
    emr_world.before("add_job_flow_steps", lambda: emr_world.fail("list_clusters"))
    job, rejoined = submit_or_rejoin(jobs, JOB, RUN, patience())
    assert (job.job_id, rejoined) == (emr_world.steps[0].id, False)


# How long to wait


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


def test_failures_in_a_row_end_the_wait_and_not_the_job(emr_world, jobs):
    watch = RunWatch(jobs.submit(JOB, RUN.token), None, 30, 3)
    emr_world.fail("describe_step", times=3)
    with pytest.raises(PollingFailed, match=r"3 times in a row without an answer.*A retry of this task rejoins it"):
        [watch.observe(jobs, 0) for _ in range(3)]
    assert emr_world.states == ["PENDING"]


def test_missing_credentials_and_a_refused_connection_are_failures_to_be_borne(emr_world, jobs):
    from botocore.exceptions import NoCredentialsError

    def no_credentials() -> Any:
        raise NoCredentialsError

    def refused() -> Any:
        return lambda service: boto3.client(service, endpoint_url="http://127.0.0.1:9", region_name="us-east-1")

    for connect in (no_credentials, refused):
        watch = RunWatch(jobs.submit(JOB, RUN.token), None, 30, 3)
        assert [watch.observe(EmrClusterJobs(connect), 0) for _ in range(2)] == [30, 30]
        assert watch.errors == 2
        assert [watch.observe(jobs, 0), watch.errors] == [30, 0]


def test_renewed_credentials_are_picked_up(emr_world, jobs):
    sessions = []

    def connect() -> Any:
        sessions.append("opened")
        return emr_world.client

    backend, watch = EmrClusterJobs(connect), RunWatch(jobs.submit(JOB, RUN.token), None, 30, 3)
    emr_world.fail("describe_step", code="ExpiredTokenException")
    assert [watch.observe(backend, 0) for _ in range(3)] == [30, 30, 30]
    assert sessions == ["opened", "opened"]


@pytest.mark.parametrize(
    ("code", "taken"),
    [("ThrottlingException", True), ("ExpiredTokenException", True), ("AccessDeniedException", False)],
)
def test_only_a_refusal_that_may_pass_is_worth_another_try(emr_world, jobs, code, taken):
    emr_world.fail("add_job_flow_steps", code=code)
    if taken:
        submit_or_rejoin(jobs, JOB, RUN, patience())
    else:
        with pytest.raises(BackendRefused, match=f"Submitting a step to EMR cluster j-.* failed: .*{code}"):
            submit_or_rejoin(jobs, JOB, RUN, patience())
    assert emr_world.states == (["PENDING"] if taken else [])


# Ending a job


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


# What is said


def test_every_error_survives_pickling():
    job = JobState("j-1", "s-1")
    for error in (PollingFailed(job, 3, "away"), JobStillLive(job, 600.0), BackendError("Asking", "no")):
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_failure_names_the_reason_the_exception_and_the_log(emr_world, bucket):
    cluster_id = emr_world.cluster(log_uri="s3://agari/logs/")
    jobs = EmrClusterJobs(emr_world.connect, EmrCluster(name="scoring"))
    job = jobs.submit(JOB, RUN.token)
    folder = f"s3://agari/logs/{cluster_id}/steps/{job.job_id}/"
    emr_world.put_log(folder + "stderr.gz", "INFO starts\nTraceback\nValueError: no such column: trust\nINFO ends\n")
    emr_world.put_log(folder + "stdout.gz", "14 messages\n")
    emr_world.end(emr_world.steps[0], "FAILED", Reason="Unknown Error.")
    assert failure_text(jobs, jobs.state(job), lines=2, timeout=0) == (
        f"Spark job {job.job_id} on cluster {cluster_id} ended FAILED: Unknown Error. "
        "ValueError: no such column: trust\n"
        f"Last lines of {folder}stderr.gz:\nValueError: no such column: trust\nINFO ends\n"
        f"Last lines of {folder}stdout.gz:\n14 messages"
    )


def test_an_exception_that_the_service_names_is_not_repeated(emr_world, bucket):
    cluster_id = emr_world.cluster(log_uri="s3://agari/logs/")
    jobs = EmrClusterJobs(emr_world.connect, EmrCluster(name="scoring"))
    job = jobs.submit(JOB, RUN.token)
    emr_world.put_log(f"s3://agari/logs/{cluster_id}/steps/{job.job_id}/stderr.gz", "ValueError: no\n")
    emr_world.end(emr_world.steps[0], "FAILED", Reason="Unknown Error.", Message="ValueError: no")
    first_line = failure_text(jobs, jobs.state(job), lines=2, timeout=0).splitlines()[0]
    assert first_line == f"{job} ended FAILED: Unknown Error. ValueError: no"


def test_a_log_that_cannot_be_read_leaves_the_reason(emr_world, jobs):
    job = jobs.submit(JOB, RUN.token)
    emr_world.end(emr_world.steps[0], "FAILED", Reason="Unknown Error.")
    failed = jobs.state(job)
    emr_world.fail("describe_step")
    text = failure_text(jobs, failed, lines=2, timeout=0)
    assert f"{job} ended FAILED: Unknown Error." in text
    assert "Its log cannot be read" in text


def test_usage_is_what_can_be_read_of_it(emr_world, jobs):
    job = replace(jobs.submit(JOB, RUN.token), started_at=100.0, ended_at=163.5)
    assert usage_of(jobs, job) == {"running_seconds": 63.5, "cluster_normalized_instance_hours": 0}
    emr_world.fail("describe_cluster")
    assert usage_of(jobs, job) == {"running_seconds": 63.5}
