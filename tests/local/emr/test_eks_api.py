"""The API of EMR on EKS as the embedded AWS has it; ``test_job_runs.py`` has the jobs themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from airflow_agari_provider.local.emr.eks_api import end_job

ROLE = "arn:aws:iam::123456789012:role/scoring"


@pytest.fixture
def eks(client):
    return client("emr-containers")


@pytest.fixture
def place(eks):
    provider = {"id": "eks", "type": "EKS", "info": {"eksInfo": {"namespace": "spark"}}}
    return eks.create_virtual_cluster(name="x", containerProvider=provider)["id"]


@pytest.fixture
def start(eks, place):
    def start(token, **more):
        driver = {"sparkSubmitJobDriver": {"entryPoint": "s3://agari/job.py"}}
        job = {"executionRoleArn": ROLE, "releaseLabel": "emr-7.9.0-latest", "jobDriver": driver}
        return eks.start_job_run(virtualClusterId=place, clientToken=token, **{**job, **more})["id"]

    return start


@pytest.fixture
def jobs():
    """Jobs as moto holds them, by id."""
    from moto.emrcontainers.models import emrcontainers_backends

    return lambda job_id: emrcontainers_backends["123456789012"]["us-east-1"].job_runs[job_id]


def listed(eks, place, **conditions):
    return [job["name"] for job in eks.list_job_runs(virtualClusterId=place, **conditions)["jobRuns"]]


def test_a_job_waits_until_somebody_moves_it(eks, place, start):
    job = eks.describe_job_run(virtualClusterId=place, id=start("a"))["jobRun"]
    assert (job["state"], "finishedAt" in job) == ("SUBMITTED", False)


def test_one_client_token_is_one_job(eks, place, start):
    assert start("a", name="x") == start("a", name="y") != start("b", name="z")
    assert listed(eks, place) == ["z", "x"]


def test_a_list_is_of_the_newest_first_and_of_what_is_asked_for(eks, place, start, jobs):
    for name in ("x", "y", "z"):
        job = start(name, name=name)
        jobs(job).created_at = datetime(2016, 2, 3, ord(name) - ord("x"), tzinfo=UTC)
    jobs(job).state = "FAILED"
    assert listed(eks, place) == ["z", "y", "x"]
    assert listed(eks, place, states=["SUBMITTED"]) == ["y", "x"]
    assert listed(eks, place, name="x") == ["x"]
    assert listed(eks, place, createdAfter=datetime(2016, 2, 3, 1, tzinfo=UTC)) == ["z", "y"]
    berlin = datetime(2016, 2, 3, 2, tzinfo=UTC) - timedelta(hours=1)
    assert listed(eks, place, createdBefore=berlin) == ["y", "x"]


@pytest.mark.parametrize(
    ("state", "then"), [("SUBMITTED", "CANCELLED"), ("PENDING", "CANCELLED"), ("RUNNING", "CANCEL_PENDING")]
)
def test_a_job_that_runs_is_cancelled_by_steps_and_one_that_waits_at_once(eks, place, start, jobs, state, then):
    job = start("a")
    jobs(job).state = state
    eks.cancel_job_run(virtualClusterId=place, id=job)
    assert jobs(job).state == then


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED", "CANCELLED", "CANCEL_PENDING"])
def test_what_has_ended_or_is_ending_cannot_be_cancelled(eks, place, start, jobs, state):
    job = start("a")
    end_job(jobs(job), state, "ü")
    with pytest.raises(ClientError, match="is not in a cancellable state"):
        eks.cancel_job_run(virtualClusterId=place, id=job)
    assert (jobs(job).state, jobs(job).state_details) == (state, "ü")


def test_a_cluster_that_there_is_not_is_told(eks):
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        eks.list_job_runs(virtualClusterId="nowhere")
