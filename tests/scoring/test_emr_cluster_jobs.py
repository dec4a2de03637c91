from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_agari_provider.scoring.emr_cluster import ClusterMissing, EmrCluster
from airflow_agari_provider.scoring.emr_cluster_jobs import ClusterFull, EmrClusterJobs
from airflow_agari_provider.scoring.jobs import BackendRefused, BackendUnavailable, JobState
from tests.scoring.new_cluster import CREATE
from tests.scoring.one_task_run import JOB


def since() -> datetime:
    return datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
def jobs(emr_world: Any) -> EmrClusterJobs:
    return EmrClusterJobs(emr_world.connect, EmrCluster(name="scoring", create=CREATE))


# Which cluster takes a job


def test_a_live_cluster_of_the_name_takes_the_job(emr_world, jobs):
    emr_world.cluster("other")
    cluster_id = emr_world.cluster("scoring")
    assert jobs.submit(JOB, "t" * 32).cluster_id == cluster_id
    assert len(emr_world.clusters) == 2


def test_a_cluster_may_be_named_by_its_id(emr_world):
    emr_world.cluster("scoring")
    cluster_id = emr_world.cluster("scoring")
    assert (
        EmrClusterJobs(emr_world.connect, EmrCluster(cluster_id=cluster_id)).submit(JOB, "t").cluster_id == cluster_id
    )


@pytest.mark.parametrize(
    ("clusters", "chosen"),
    [
        pytest.param([(1, 2), (1, 1)], 1, id="fewest active steps where all are busy"),
        pytest.param([(1, 1), (4, 2)], 1, id="a free place before fewer steps"),
        pytest.param([(4, 2), (4, 1)], 1, id="fewest active steps where all have a place"),
    ],
)
def test_of_several_clusters_of_one_name_the_least_busy_takes_the_job(emr_world, jobs, clusters, chosen):
    ids = [emr_world.cluster("scoring", concurrency=level) for level, _ in clusters]
    for cluster_id, (_, active) in zip(ids, clusters, strict=True):
        for _ in range(active):
            emr_world.add_step(cluster_id)
    assert jobs.submit(JOB, "t").cluster_id == ids[chosen]


def test_steps_that_have_ended_do_not_count_as_active(emr_world, jobs):
    idle, busy = emr_world.cluster("scoring"), emr_world.cluster("scoring")
    for _ in range(3):
        emr_world.end(emr_world.step(emr_world.add_step(idle)))
    emr_world.add_step(busy)
    assert jobs.submit(JOB, "t").cluster_id == idle


def test_full_clusters_are_an_error_and_not_a_submission(emr_world, jobs):
    cluster_id = emr_world.cluster("scoring")
    step = {"name": "x", "hadoop_jar_step": {"Jar": "x", "Args": []}, "action_on_failure": "CONTINUE"}
    emr_world.clusters[cluster_id].add_steps([step] * 256)
    limit = "256 pending or running steps in each cluster"
    with pytest.raises(ClusterFull, match=f"{limit}, and this limit is reached in {cluster_id}: nothing was"):
        jobs.submit(JOB, "t")
    assert len(emr_world.states) == 256


@pytest.mark.parametrize("target", [{"name": "scoring"}, {"name": "{{ empty }}"}], ids=["no such name", "empty name"])
def test_without_a_cluster_and_without_create_it_is_an_error(emr_world, target):
    emr_world.cluster("scoring", keep=False)  # ends with its last step, and so at once
    cluster = EmrCluster(**target)
    cluster.name = cluster.name and cluster.name.replace("{{ empty }}", "")
    with pytest.raises(ClusterMissing, match="There is no live EMR cluster with"):
        EmrClusterJobs(emr_world.connect, cluster).submit(JOB, "t")


def test_a_terminated_cluster_of_the_id_is_an_error(emr_world):
    cluster_id = emr_world.cluster("scoring")
    emr_world.emr.terminate_job_flows(JobFlowIds=[cluster_id])
    with pytest.raises(ClusterMissing, match=f"no live EMR cluster with id '{cluster_id}'"):
        EmrClusterJobs(emr_world.connect, EmrCluster(cluster_id=cluster_id)).submit(JOB, "t")


# New clusters


def test_where_no_cluster_lives_one_is_created_that_ends_when_idle(emr_world, jobs):
    job = jobs.submit(JOB, "t" * 32)
    cluster = emr_world.emr.describe_cluster(ClusterId=job.cluster_id)["Cluster"]
    assert (cluster["Name"], cluster["AutoTerminate"], cluster["ReleaseLabel"]) == ("scoring", False, "emr-7.9.0")
    assert {tag["Key"]: tag["Value"] for tag in cluster["Tags"]} == {"team": "telemetry", "agari:run_token": "t" * 32}
    policy = emr_world.emr.get_auto_termination_policy(ClusterId=job.cluster_id)["AutoTerminationPolicy"]
    assert policy == {"IdleTimeout": 3600}
    assert [step.id for step in emr_world.steps] == [job.job_id]


def test_the_idle_timeout_is_the_targets_unless_create_has_its_own(emr_world):
    for create, seconds in ((CREATE, 600), ({**CREATE, "AutoTerminationPolicy": {"IdleTimeout": 120}}, 120)):
        target = EmrCluster(name=f"idle-{seconds}", create=create, idle_timeout=timedelta(minutes=10))
        job = EmrClusterJobs(emr_world.connect, target).submit(JOB, "t")
        policy = emr_world.emr.get_auto_termination_policy(ClusterId=job.cluster_id)["AutoTerminationPolicy"]
        assert policy == {"IdleTimeout": seconds}


def test_a_cluster_of_the_jobs_own_ends_with_it_and_is_not_shared(emr_world):
    emr_world.cluster("scoring")
    own = EmrClusterJobs(emr_world.connect, EmrCluster(name="scoring", create=CREATE, keep=False))
    first, second = own.submit(JOB, "1"), own.submit(JOB, "2")
    assert len(emr_world.clusters) == 3
    for job in (first, second):
        assert emr_world.emr.describe_cluster(ClusterId=job.cluster_id)["Cluster"]["AutoTerminate"] is True


def test_a_cluster_that_ends_with_its_last_step_takes_no_other(emr_world, jobs):
    own = EmrClusterJobs(emr_world.connect, EmrCluster(name="scoring", create=CREATE, keep=False))
    ending = own.submit(JOB, "1").cluster_id
    assert jobs.submit(JOB, "2").cluster_id != ending


@pytest.mark.parametrize("call", ["list_steps", "describe_cluster", "describe_step", "cancel_steps", "list_clusters"])
@pytest.mark.parametrize("keep", [True, False])
def test_no_cluster_is_left_that_would_live_for_ever(emr_world, call, keep):
    jobs = EmrClusterJobs(emr_world.connect, EmrCluster(name="scoring", create=CREATE, keep=keep))
    emr_world.before("run_job_flow", lambda: emr_world.fail(call, times=50))
    with suppress(BackendUnavailable):
        jobs.submit(JOB, "t")
    (cluster,) = emr_world.clusters.values()
    assert cluster.auto_terminate or cluster.idle_timeout == 3600


def test_a_cluster_that_ended_between_two_requests_is_worth_another_try(emr_world, jobs):
    cluster_id = emr_world.cluster("scoring")
    emr_world.before("add_job_flow_steps", lambda: emr_world.clusters[cluster_id].terminate())
    with pytest.raises(BackendUnavailable):
        jobs.submit(JOB, "t")
    assert jobs.submit(JOB, "t").cluster_id != cluster_id


def test_a_wrong_create_is_refused_and_not_asked_again(emr_world):
    target = EmrCluster(name="scoring", create={**CREATE, "Colour": "red"})
    with pytest.raises(BackendRefused, match=r'Creating EMR cluster .scoring. failed: [\s\S]*input: "Colour"'):
        EmrClusterJobs(emr_world.connect, target).submit(JOB, "t")


# Finding a job again


def test_a_job_is_found_on_any_cluster_of_the_name(emr_world, jobs):
    emr_world.cluster("scoring")
    job = jobs.submit(JOB, "t")
    emr_world.cluster("scoring")
    emr_world.add_step(emr_world.cluster("scoring"))
    (found,) = jobs.find(["t"], since())
    assert (found.job_id, found.cluster_id, found.token) == (job.job_id, job.cluster_id, "t")


def test_a_job_is_found_on_a_cluster_that_has_ended_with_it(emr_world):
    own = EmrClusterJobs(emr_world.connect, EmrCluster(name="scoring", create=CREATE, keep=False))
    job = own.submit(JOB, "t")
    emr_world.end(emr_world.steps[0])
    emr_world.clusters[job.cluster_id].terminate()
    assert [(found.job_id, found.phase) for found in own.find(["t"], since())] == [(job.job_id, "SUCCEEDED")]


def test_jobs_are_found_among_many_others_but_not_before_their_time(emr_world, jobs):
    cluster_id = emr_world.cluster("scoring")
    job = jobs.submit(JOB, "t")
    step = {"name": "x", "hadoop_jar_step": {"Jar": "x", "Args": []}, "action_on_failure": "CONTINUE"}
    emr_world.clusters[cluster_id].add_steps([step] * 120)
    assert [found.job_id for found in jobs.find(["t"], since())] == [job.job_id]
    assert jobs.find(["t"], datetime.now(UTC) + timedelta(seconds=1)) == []


def test_cancelling_a_job_that_has_ended_changes_nothing(emr_world, jobs):
    job = jobs.submit(JOB, "t")
    emr_world.end(emr_world.steps[0])
    jobs.cancel(job)
    assert emr_world.states == ["COMPLETED"]


def test_an_unknown_job_is_refused(emr_world, jobs):
    cluster_id = emr_world.cluster("scoring")
    with pytest.raises(BackendRefused, match=f"Asking EMR for step s-9 of cluster {cluster_id} failed"):
        jobs.state(JobState(cluster_id, "s-9"))


# Logs


@pytest.fixture
def failed_job(emr_world: Any, bucket: str) -> JobState:
    emr_world.cluster("scoring", log_uri="s3://agari/logs")
    jobs = EmrClusterJobs(emr_world.connect, EmrCluster(name="scoring"))
    job = jobs.submit(JOB, "t")
    emr_world.end(emr_world.steps[0], "FAILED")
    return jobs.state(job)


def folder_of(job: JobState) -> str:
    return f"s3://agari/logs/{job.cluster_id}/steps/{job.job_id}/"


class Clock:
    """Time that passes only by sleeping; carries out actions at given times."""

    def __init__(self, actions: dict[float, Any]) -> None:
        self.now, self.actions = 0.0, actions

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for time in [time for time in self.actions if time <= self.now]:
            self.actions.pop(time)()


def read_log(emr_world: Any, job: JobState, actions: dict[float, Any], timeout: float = 120) -> tuple[Any, float]:
    clock = Clock(actions)
    jobs = EmrClusterJobs(emr_world.connect)
    return jobs.driver_log(job, 50, timeout, clock=clock, sleep=clock.sleep), clock.now


def test_a_log_that_is_late_is_awaited(emr_world, failed_job):
    write = {25: lambda: emr_world.put_log(folder_of(failed_job) + "stderr.gz", "INFO ends\n")}
    driver_log, seconds = read_log(emr_world, failed_job, write)
    assert ([tail.lines for tail in driver_log.tails], seconds) == ([("INFO ends",)], 30)


def test_a_log_that_never_comes_is_not_awaited_for_ever(emr_world, failed_job):
    driver_log, seconds = read_log(emr_world, failed_job, {})
    assert seconds == 120
    assert str(driver_log) == f"Its log has not appeared in {folder_of(failed_job)} yet; look there in a few minutes."


def test_a_copy_from_before_the_end_is_awaited_unless_it_has_the_scripts_exception(emr_world, failed_job):
    emr_world.step(failed_job.job_id).end_date_time = datetime.now(UTC) + timedelta(hours=1)
    job = EmrClusterJobs(emr_world.connect).state(failed_job)
    emr_world.put_log(folder_of(job) + "stderr.gz", "java.io.IOException: handled\n")
    write = {40: lambda: emr_world.put_log(folder_of(job) + "stdout.gz", "14 messages\nOSError: no\n")}
    driver_log, seconds = read_log(emr_world, job, write)
    assert (driver_log.last_exception, seconds) == ("OSError: no", 40)


def test_the_file_in_which_emr_found_the_cause_is_read_too(emr_world, failed_job):
    url = f"s3://agari/logs/{failed_job.cluster_id}/containers/application_1/container_1/stdout.gz"
    emr_world.put_log(url, "KeyError: 'trust'\n")
    emr_world.step(failed_job.job_id).failure_details = {"Reason": "Unknown Error.", "LogFile": url}
    driver_log, _ = read_log(emr_world, failed_job, {})
    assert [(tail.url, tail.lines) for tail in driver_log.tails] == [(url, ("KeyError: 'trust'",))]


def test_a_cluster_without_logs_says_so_at_once(emr_world):
    emr_world.cluster("scoring")
    job = EmrClusterJobs(emr_world.connect, EmrCluster(name="scoring")).submit(JOB, "t")
    driver_log, seconds = read_log(emr_world, job, {})
    assert (str(driver_log), seconds) == (
        "The cluster keeps no logs: create it with a LogUri to see the driver's log here.",
        0,
    )


def test_a_bucket_that_is_not_there_is_an_error_of_the_backend(emr_world):
    emr_world.cluster("scoring", log_uri="s3://nowhere/logs")
    job = EmrClusterJobs(emr_world.connect, EmrCluster(name="scoring")).submit(JOB, "t")
    with pytest.raises(BackendRefused, match="NoSuchBucket"):
        read_log(emr_world, job, {})


def test_why_a_cluster_ended_is_told_only_where_it_ended_with_errors(emr_world, jobs):
    job = jobs.submit(JOB, "t")
    cluster = emr_world.clusters[job.cluster_id]
    assert jobs.why_cluster_ended(job) is None
    cluster.state, cluster.last_state_change_reason = "TERMINATED_WITH_ERRORS", "Bootstrap failure"
    assert jobs.why_cluster_ended(job) == "Bootstrap failure"
