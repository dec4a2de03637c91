from __future__ import annotations

from airflow_agari_provider.scoring.aws_requests import AwsRequests
from airflow_agari_provider.scoring.emr_on_eks import EmrOnEks
from airflow_agari_provider.scoring.emr_on_eks_jobs import EmrOnEksJobs
from tests.scoring.one_task_run import JOB, RUN

ROLE = "arn:aws:iam::123456789012:role/scoring"
RELEASE = "emr-7.9.0-latest"


def jobs_on(world, **target):
    return EmrOnEksJobs(AwsRequests(world.connect), EmrOnEks(world.virtual_cluster_id, ROLE, RELEASE, **target))


def test_the_driver_s_log_is_found_below_a_folder_that_only_spark_names(eks_world, bucket):
    jobs = jobs_on(eks_world, log_uri="s3://agari/logs")
    job = jobs.submit(JOB, RUN.token)
    folder = f"s3://agari/logs/{job.cluster_id}/jobs/{job.job_id}/containers/"
    assert f"has not appeared in {folder} yet" in str(jobs.driver_log(job, 5))
    eks_world.put_log(f"{folder}spark-1/spark-1-driver/stdout.gz", "ValueError: no\n")
    eks_world.put_log(f"{folder}spark-1/spark-1-exec-1/stdout.gz", "ValueError: another\n")
    assert jobs.driver_log(job, 5).script_exception == "ValueError: no"


def test_a_job_without_logs_on_s3_says_so(eks_world):
    jobs = jobs_on(eks_world)
    assert "pass EmrOnEks(log_uri=...)" in str(jobs.driver_log(jobs.submit(JOB, RUN.token), 5))


def test_a_finished_job_is_found_however_many_there_are_and_however_old_it_is(eks_world):
    jobs = jobs_on(eks_world)
    job = jobs.submit(JOB, RUN.token)
    eks_world.end(eks_world.steps[0])
    for number in range(3):
        jobs.submit(JOB, f"{number:032}")
    asked = eks_world.count("list_job_runs")
    found = jobs.find((RUN.token,), RUN.since)
    assert ([one.job_id for one in found], found[0].phase, len(asked)) == ([job.job_id], "SUCCEEDED", 2)


def test_a_failed_job_tells_its_reason_and_the_details(eks_world):
    jobs = jobs_on(eks_world)
    job = jobs.submit(JOB, RUN.token)
    eks_world.steps[0].failure_reason = "USER_ERROR"
    eks_world.end(eks_world.steps[0], "FAILED", Message="exit code 1")
    assert jobs.state(job).reason == "USER_ERROR exit code 1"
    assert jobs.usage(job) == {}
    assert str(job) == f"Spark job {job.job_id} on virtual cluster {eks_world.virtual_cluster_id}"
