from __future__ import annotations

import pytest

from airflow_agari_provider.scoring.aws_requests import AwsRequests
from airflow_agari_provider.scoring.emr_serverless import ApplicationMissing, EmrServerless
from airflow_agari_provider.scoring.emr_serverless_jobs import EmrServerlessJobs
from tests.scoring.one_task_run import JOB, RUN

ROLE = "arn:aws:iam::123456789012:role/scoring"


def jobs_on(world, **target):
    return EmrServerlessJobs(AwsRequests(world.connect), EmrServerless(execution_role_arn=ROLE, **target))


def test_an_application_is_found_by_its_name(serverless_world):
    serverless_world.application("other")
    job = jobs_on(serverless_world, name="scoring").submit(JOB, RUN.token)
    assert job.cluster_id == serverless_world.application_id
    assert str(job) == f"Spark job {job.job_id} on application {job.cluster_id}"


@pytest.mark.parametrize(
    ("names", "problem"),
    [(["other"], "no EMR Serverless application with name 'x'"), (["x", "x"], "several EMR Serverless applications")],
)
def test_a_name_of_no_application_or_of_several_is_an_error(serverless_world, names, problem):
    for name in names:
        serverless_world.application(name)
    with pytest.raises(ApplicationMissing, match=problem):
        jobs_on(serverless_world, name="x").submit(JOB, RUN.token)


def test_logs_and_billed_units_are_read(serverless_world, bucket):
    jobs = jobs_on(serverless_world, name="scoring", log_uri="s3://agari/logs")
    job = jobs.submit(JOB, RUN.token)
    folder = f"s3://agari/logs/applications/{job.cluster_id}/jobs/{job.job_id}/SPARK_DRIVER/"
    serverless_world.put_log(folder + "stdout.gz", "ValueError: no\n")
    serverless_world.steps[0].billed_resource_utilization = {"vCPUHour": 1.5, "memoryGBHour": 6.0, "storageGBHour": 0.0}
    assert jobs.driver_log(job, 5).script_exception == "ValueError: no"
    assert jobs.usage(job) == {"billed_vcpu_hours": 1.5, "billed_memory_gb_hours": 6.0, "billed_storage_gb_hours": 0.0}


def test_a_job_without_logs_on_s3_says_so(serverless_world):
    jobs = jobs_on(serverless_world, application_id=serverless_world.application_id)
    assert "pass EmrServerless(log_uri=...)" in str(jobs.driver_log(jobs.submit(JOB, RUN.token), 5))
