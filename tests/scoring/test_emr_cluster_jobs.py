from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_agari_provider.scoring import emr_clusters
from airflow_agari_provider.scoring.emr_cluster import ClusterMissing, EmrCluster, cluster_end
from airflow_agari_provider.scoring.emr_cluster_jobs import EmrClusterJobs
from airflow_agari_provider.scoring.emr_clusters import ClusterFull
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


@pytest.mark.parametrize("create", [None, CREATE], ids=["a live cluster", "a new one"])
def test_a_step_gets_its_runtime_role(emr_world, create):
    roles = []

    def connect():
        def client(service, **config):
            made = emr_world.client(service, **config)
            made.meta.events.register(
                "provide-client-params.emr.AddJobFlowSteps",
                lambda params, **_: roles.append(params.get("ExecutionRoleArn")),
            )
            return made

        return client

    if create is None:
        emr_world.cluster("scoring")
    role = "arn:aws:iam::123456789012:role/scoring"
    jobs = EmrClusterJobs(connect, EmrCluster(name="scoring", create=create, execution_role_arn=role))
    job = jobs.submit(JOB, "t")
    assert (roles, [step.id for step in emr_world.steps]) == ([role], [job.job_id])
    assert emr_world.clusters[job.cluster_id].auto_terminate is False


def test_a_runtime_role_needs_a_cluster_that_stays():
    with pytest.raises(ValueError, match="does not go with keep=False"):
        EmrCluster(name="scoring", create=CREATE, keep=False, execution_role_arn="arn:aws:iam::1:role/x")


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


@pytest.mark.parametrize("age", [timedelta(days=3), timedelta(days=50)], ids=lambda age: f"{age.days} days")
def test_a_finished_job_is_found_however_old_its_cluster_is(emr_world, jobs, age):
    cluster_id = emr_world.cluster("scoring")
    emr_world.clusters[cluster_id].creation_datetime -= age
    job = jobs.submit(JOB, "t")
    emr_world.end(emr_world.steps[0])
    emr_world.clusters[cluster_id].terminate()
    assert [found.job_id for found in jobs.find(["t"], since())] == [job.job_id]


def test_of_a_run_of_long_ago_only_the_clusters_that_ended_last_are_searched(emr_world, jobs, monkeypatch):
    monkeypatch.setattr(emr_clusters, "ENDED_CLUSTERS_SEARCHED", 3)
    for _ in range(6):
        own = EmrClusterJobs(emr_world.connect, EmrCluster(name="scoring", create=CREATE, keep=False))
        job = own.submit(JOB, f"t{len(emr_world.steps)}")
        emr_world.end(emr_world.steps[-1])
        emr_world.clusters[job.cluster_id].terminate()
    asked = emr_world.count("list_steps")
    assert jobs.find(["none"], since()) == []
    assert len(asked) == 3
    assert [found.token for found in jobs.find(["t4"], since())] == ["t4"]
    assert len(asked) == 3 + 2  # the newest first, and none after the token
    assert jobs.find(["t2"], since()) == []


def test_a_live_job_is_found_without_a_look_at_what_has_ended(emr_world, jobs):
    for _ in range(3):
        emr_world.clusters[emr_world.cluster("scoring")].terminate()
    cluster_id = emr_world.cluster("scoring")
    job = jobs.submit(JOB, "t")
    step = {"name": "x", "hadoop_jar_step": {"Jar": "x", "Args": []}, "action_on_failure": "CONTINUE"}
    for ended in emr_world.clusters[cluster_id].add_steps([step] * 60):
        emr_world.end(ended)
    asked = emr_world.count("list_steps")
    assert [found.job_id for found in jobs.find(["t"], since())] == [job.job_id]
    assert len(asked) == 1


def test_a_job_in_a_state_that_is_new_is_live_and_said_once(emr_world, jobs, caplog):
    emr_world.cluster("scoring")
    job = jobs.submit(JOB, "t")
    emr_world.steps[0].state = "PAUSED_FOR_TEA"
    assert [found.phase for found in jobs.find(["t"], since())] == ["UNKNOWN"]
    assert jobs.state(job).live
    (told,) = [record.getMessage() for record in caplog.records if "PAUSED_FOR_TEA" in record.getMessage()]
    assert told.startswith("EMR says that a job is in the state 'PAUSED_FOR_TEA', which this version does not know")


def test_a_job_on_a_cluster_in_a_state_that_is_new_is_found(emr_world, jobs):
    job = jobs.submit(JOB, "t")
    emr_world.clusters[job.cluster_id].state = "HIBERNATING"
    assert [found.job_id for found in jobs.find(["t"], since())] == [job.job_id]


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


def test_the_file_in_which_emr_found_the_cause_is_read_too(emr_world, failed_job):
    url = f"s3://agari/logs/{failed_job.cluster_id}/containers/application_1/container_1/stdout.gz"
    emr_world.put_log(url, "KeyError: 'trust'\n")
    emr_world.step(failed_job.job_id).failure_details = {"Reason": "Unknown Error.", "LogFile": url}
    driver_log = EmrClusterJobs(emr_world.connect).driver_log(failed_job, 50)
    assert [(tail.url, tail.lines) for tail in driver_log.tails] == [(url, ("KeyError: 'trust'",))]


def test_a_cluster_without_logs_says_so(emr_world):
    emr_world.cluster("scoring")
    jobs = EmrClusterJobs(emr_world.connect, EmrCluster(name="scoring"))
    driver_log = jobs.driver_log(jobs.submit(JOB, "t"), 50)
    assert str(driver_log) == "The cluster keeps no logs: create it with a LogUri to see the driver's log here."


def test_a_bucket_that_is_not_there_is_an_error_of_the_backend(emr_world):
    emr_world.cluster("scoring", log_uri="s3://nowhere/logs")
    jobs = EmrClusterJobs(emr_world.connect, EmrCluster(name="scoring"))
    with pytest.raises(BackendRefused, match="NoSuchBucket"):
        jobs.driver_log(jobs.submit(JOB, "t"), 50)


@pytest.mark.parametrize(
    ("state", "reason", "told"),
    [
        ("RUNNING", None, None),
        ("TERMINATED", "Steps completed", None),
        ("TERMINATED_WITH_ERRORS", "Bootstrap failure", "ended with errors. EMR says: Bootstrap failure"),
        ("TERMINATING", "Terminated by user request", "was ended. EMR says: Terminated by user request"),
        ("TERMINATED", None, "was ended. EMR says: no reason given"),
    ],
)
def test_why_a_cluster_ended_is_told_unless_its_steps_were_done(emr_world, jobs, state, reason, told):
    job = jobs.submit(JOB, "t")
    cluster = emr_world.clusters[job.cluster_id]
    cluster.state, cluster.last_state_change_reason = state, reason
    assert jobs.why_cluster_ended(job) == (told and f"Its cluster {job.cluster_id} {told}")


def test_the_code_of_the_reason_tells_who_ended_a_cluster():
    status = {"State": "TERMINATED", "StateChangeReason": {"Code": "USER_REQUEST", "Message": "Terminated by user"}}
    assert cluster_end({"Id": "j-1", "Status": status}) == (
        "Its cluster j-1 was ended by a person or a program. EMR says: Terminated by user (USER_REQUEST)"
    )
