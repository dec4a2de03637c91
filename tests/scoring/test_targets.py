"""What holds for every service that runs Spark: never two live jobs for a task run, and none without an owner."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest

from airflow_agari_provider.scoring import cancelling, standalone_jobs
from airflow_agari_provider.scoring.aws_requests import AwsRequests
from airflow_agari_provider.scoring.cancelling import cancel_persistently
from airflow_agari_provider.scoring.emr_cluster import EmrCluster
from airflow_agari_provider.scoring.emr_cluster_jobs import EmrClusterJobs
from airflow_agari_provider.scoring.emr_on_eks import EmrOnEks
from airflow_agari_provider.scoring.emr_on_eks_jobs import EmrOnEksJobs
from airflow_agari_provider.scoring.emr_serverless import EmrServerless
from airflow_agari_provider.scoring.emr_serverless_jobs import EmrServerlessJobs
from airflow_agari_provider.scoring.job_owner import OWNER_PROPERTY, owner_text
from airflow_agari_provider.scoring.job_wait import JobWait
from airflow_agari_provider.scoring.jobs import BackendUnavailable, SparkJob
from airflow_agari_provider.scoring.livy import LivySpark
from airflow_agari_provider.scoring.livy_jobs import LivyJobs
from airflow_agari_provider.scoring.rest_requests import RestAddress
from airflow_agari_provider.scoring.run_watch import RunWatch, SparkBackend
from airflow_agari_provider.scoring.standalone import StandaloneSpark
from airflow_agari_provider.scoring.standalone_jobs import StandaloneJobs
from airflow_agari_provider.scoring.submission import submit_or_rejoin
from airflow_agari_provider.scoring.sweep import sweep
from tests.scoring.one_task_run import RUN, patience

ROLE = "arn:aws:iam::123456789012:role/scoring"
JOB = SparkJob("score", "s3://agari/score.py", ("--hour", "5"), {OWNER_PROPERTY: owner_text(RUN, True)})


@dataclass
class Place:
    """A service, and the names of its requests and of its states."""

    world: Any
    jobs: SparkBackend
    submit: str
    state: str
    cancel: str
    listing: str
    succeeded: str
    failed: str = "FAILED"
    cancelled: str = "CANCELLED"
    running: str = "RUNNING"
    reason: str = "ValueError: no"
    page: str = "https://console.aws.amazon.com/emr/home?region=us-east-1#/"

    def attempt(self, run: Any = RUN, *actions: Any) -> tuple[Any, bool]:
        return submit_or_rejoin(self.jobs, JOB, run, patience(*actions))

    def live(self) -> int:
        return sum(
            state.lower() in ("pending", "starting", "submitted", "running", "cancel_pending", "cancelling")
            for state in self.states
        )

    @property
    def states(self) -> list[str]:
        return [str(state) for state in self.world.states]


@pytest.fixture(params=["cluster", "application", "virtual cluster", "livy", "stand-alone"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Place:
    if request.param == "cluster":
        world = request.getfixturevalue("emr_world")
        world.cluster("scoring", concurrency=2)
        jobs: SparkBackend = EmrClusterJobs(world.connect, EmrCluster(name="scoring"))
        return Place(world, jobs, "add_job_flow_steps", "describe_step", "cancel_steps", "list_clusters", "COMPLETED")
    if request.param == "virtual cluster":
        world = request.getfixturevalue("eks_world")
        on_eks = EmrOnEks(world.virtual_cluster_id, ROLE, "emr-7.9.0-latest")
        jobs = EmrOnEksJobs(AwsRequests(world.connect), on_eks)
        return Place(
            world, jobs, "start_job_run", "describe_job_run", "cancel_job_run", "list_job_runs", succeeded="COMPLETED"
        )
    if request.param == "livy":
        world = request.getfixturevalue("livy_world")
        jobs = LivyJobs(lambda conn_id: RestAddress(world.url, headers={"X-Requested-By": "x"}), LivySpark("livy"))
        calls = ("post_batch", "get_batch", "delete_batch", "get_batches")
        return Place(world, jobs, *calls, "success", "dead", "killed", "running", "", f"{world.url}/ui/batch/0/log")
    if request.param == "stand-alone":
        monkeypatch.setattr(standalone_jobs, "ON_ITS_WAY", 0.0)
        world, s3 = request.getfixturevalue("standalone_world"), request.getfixturevalue("s3")
        s3.create_bucket(Bucket="agari")
        target = StandaloneSpark(world.url, "s3://agari/notes", ui_url=world.url)
        jobs = StandaloneJobs(AwsRequests(lambda: lambda service, **config: s3), target)
        calls = ("create", "status", "kill", "status")
        return Place(world, jobs, *calls, "FINISHED", "FAILED", "KILLED", "RUNNING", "ValueError: no", world.url)
    world = request.getfixturevalue("serverless_world")
    jobs = EmrServerlessJobs(AwsRequests(world.connect), EmrServerless(name="scoring", execution_role_arn=ROLE))
    return Place(world, jobs, "start_job_run", "get_job_run", "cancel_job_run", "list_job_runs", "SUCCESS")


@pytest.mark.parametrize("carried_out", [True, False], ids=["answer lost", "request lost"])
def test_a_lost_submission_is_one_job(place, carried_out):
    place.world.fail(place.submit, carried_out=carried_out)
    job, _ = place.attempt()
    assert (len(place.states), job.job_id) == (1, str(place.world.steps[0].id))


def test_an_attempt_after_one_that_died_rejoins_its_job(place):
    first, _ = place.attempt()
    for state in (place.running, place.succeeded):
        place.world.steps[0].state = state
        again, rejoined = place.attempt()
        assert (again.job_id, rejoined, place.states) == (first.job_id, True, [state])


@pytest.mark.parametrize("how", ["failed", "cancelled"])
def test_an_attempt_after_a_failed_job_submits_another(place, how):
    ending = getattr(place, how)
    for _ in range(3):
        place.attempt()
        place.world.end(place.world.steps[-1], ending)
    job, rejoined = place.attempt()
    assert (place.states[:3], place.live(), rejoined) == ([ending] * 3, 1, False)
    assert job.job_id == str(place.world.steps[-1].id)


def test_two_attempts_at_once_leave_one_live_job(place):
    def at_the_same_time() -> None:
        with suppress(BackendUnavailable):  # some services refuse it at once
            place.jobs.submit(JOB, RUN.token)

    place.world.before(place.submit, at_the_same_time)
    place.attempt()
    assert place.live() == 1


def test_after_a_clear_the_old_job_ends_before_the_new_one_begins(place):
    place.attempt()
    old = place.world.steps[0]
    old.state = place.running
    job, rejoined = place.attempt(replace(RUN, generation=1), lambda: place.world.end(old, place.cancelled))
    assert (place.states[0], place.live(), rejoined) == (place.cancelled, 1, False)
    assert job.token == replace(RUN, generation=1).token


def test_a_state_that_is_new_is_live_and_rejoined(place):
    first, _ = place.attempt()
    place.world.steps[0].state = "PAUSED_FOR_TEA"
    job, rejoined = place.attempt()
    assert (job.job_id, job.phase, rejoined) == (first.job_id, "UNKNOWN", True)


def test_a_late_job_is_cancelled(place):
    job, _ = place.attempt()
    wait = JobWait(RunWatch(job, 0.0, 30, 10), cancel_timeout=60, log_timeout=0)
    assert wait.observe(place.jobs, 1.0) is None
    assert (wait.job.phase, place.states) == ("CANCELLED", [place.cancelled])


def test_a_burst_of_errors_is_borne_and_a_long_one_leaves_the_job_alone(place):
    watch = RunWatch(place.attempt()[0], None, 30, 3)
    place.world.fail(place.state, times=2, code="ThrottlingException")
    assert [watch.observe(place.jobs, 0) for _ in range(3)] == [30, 30, 30]
    assert place.live() == 1


def test_a_kill_during_throttling_cancels_the_job(place, monkeypatch):
    monkeypatch.setattr(cancelling, "PAUSE", 0.0)
    job, _ = place.attempt()
    place.world.fail(place.cancel, times=5, code="ThrottlingException")
    cancel_persistently(place.jobs, lambda: [job])
    assert place.states == [place.cancelled]


def test_a_kill_in_the_middle_of_a_submission_finds_the_job(place):
    place.attempt()
    place.world.fail(place.listing, times=2, code="ThrottlingException")
    find = lambda: place.jobs.find((RUN.token,), RUN.since, live_only=True)  # noqa: E731
    cancel_persistently(place.jobs, find, sleep=lambda seconds: None)
    assert place.states == [place.cancelled]


def test_a_job_that_ends_while_it_is_cancelled_keeps_its_end(place):
    job, _ = place.attempt()
    place.world.end(place.world.steps[0], place.succeeded)
    place.jobs.cancel(job)
    assert (place.jobs.state(job).phase, place.states) == ("SUCCEEDED", [place.succeeded])


def test_a_sweep_cancels_what_has_lost_its_task_and_nothing_else(place):
    job, _ = place.attempt()
    place.jobs.submit(SparkJob("other", "s3://agari/score.py"), "f" * 32)
    done = sweep(place.jobs.live_jobs(), lambda owner: "failed", place.jobs.cancel)
    assert (done.cancelled, len(done.unknown), place.live()) == ([str(job)], 1, 1)


def test_a_job_tells_its_times_and_its_end(place):
    job, _ = place.attempt()
    place.world.end(place.world.steps[0], place.failed, Message="ValueError: no")
    ended = place.jobs.state(job)
    assert (ended.phase, ended.reason, ended.token, ended.kind) == ("FAILED", place.reason, RUN.token, job.kind)
    assert ended.submitted_at <= ended.ended_at
    assert place.jobs.console_url(job).startswith(place.page)
