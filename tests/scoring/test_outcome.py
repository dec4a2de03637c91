from __future__ import annotations

from dataclasses import replace

from airflow_agari_provider.scoring.emr_cluster import EmrCluster
from airflow_agari_provider.scoring.emr_cluster_jobs import EmrClusterJobs
from airflow_agari_provider.scoring.outcome import failure_text, usage_of
from tests.scoring.one_task_run import JOB, RUN


def test_a_failure_names_the_reason_the_exception_and_the_log(emr_world, bucket):
    cluster_id = emr_world.cluster(log_uri="s3://agari/logs/")
    jobs = EmrClusterJobs(emr_world.connect, EmrCluster(name="scoring"))
    job = jobs.submit(JOB, RUN.token)
    folder = f"s3://agari/logs/{cluster_id}/steps/{job.job_id}/"
    emr_world.put_log(folder + "stderr.gz", "INFO starts\nTraceback\nValueError: no such column: trust\nINFO ends\n")
    emr_world.put_log(folder + "stdout.gz", "14 messages\n")
    emr_world.end(emr_world.steps[0], "FAILED", Reason="Unknown Error.")
    assert failure_text(jobs, jobs.state(job), lines=2) == (
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
    first_line = failure_text(jobs, jobs.state(job), lines=2).splitlines()[0]
    assert first_line == f"{job} ended FAILED: Unknown Error. ValueError: no"


def test_a_log_that_cannot_be_read_leaves_the_reason(emr_world, jobs):
    job = jobs.submit(JOB, RUN.token)
    emr_world.end(emr_world.steps[0], "FAILED", Reason="Unknown Error.")
    failed = jobs.state(job)
    emr_world.fail("describe_step")
    text = failure_text(jobs, failed, lines=2)
    assert f"{job} ended FAILED: Unknown Error." in text
    assert "Its log cannot be read" in text


def test_a_late_jobs_text_has_its_log_too(emr_world, bucket):
    cluster_id = emr_world.cluster(log_uri="s3://agari/logs/")
    jobs = EmrClusterJobs(emr_world.connect, EmrCluster(name="scoring"))
    job = jobs.submit(JOB, RUN.token)
    url = f"s3://agari/logs/{cluster_id}/steps/{job.job_id}/stderr.gz"
    emr_world.put_log(url, "INFO stage 7 of 9\n")
    emr_world.end(emr_world.steps[0], "CANCELLED")
    text = failure_text(jobs, jobs.state(job), 2, late="RUNNING", limits="step_timeout 1:00:00")
    assert text == (
        f"{job} was still RUNNING at its deadline (step_timeout 1:00:00): it was cancelled and ended CANCELLED. "
        f"A retry submits a new job.\nLast lines of {url}:\nINFO stage 7 of 9"
    )


def test_a_job_that_lost_its_cluster_says_who_ended_it(emr_world):
    cluster_id = emr_world.cluster()
    jobs = EmrClusterJobs(emr_world.connect, EmrCluster(name="scoring"))
    job = jobs.submit(JOB, RUN.token)
    emr_world.emr.terminate_job_flows(JobFlowIds=[cluster_id])
    assert failure_text(jobs, jobs.state(job), lines=2).splitlines()[:2] == [
        f"{job} ended CANCELLED: Job terminated",
        f"Its cluster {cluster_id} was ended. EMR says: Terminated by user request",
    ]


def test_usage_is_what_can_be_read_of_it(emr_world, jobs):
    job = replace(jobs.submit(JOB, RUN.token), started_at=100.0, ended_at=163.5)
    assert usage_of(jobs, job) == {"running_seconds": 63.5, "cluster_normalized_instance_hours": 0}
    emr_world.fail("describe_cluster")
    assert usage_of(jobs, job) == {"running_seconds": 63.5}
