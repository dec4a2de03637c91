"""The API of EMR Serverless as the embedded AWS has it; ``test_job_runs.py`` has the jobs themselves."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from airflow_agari_provider.local.emr.serverless_api import end_job

ROLE = "arn:aws:iam::123456789012:role/scoring"


@pytest.fixture
def serverless(client):
    return client("emr-serverless")


@pytest.fixture
def place(serverless):
    return serverless.create_application(name="scoring", releaseLabel="emr-7.9.0", type="SPARK")["applicationId"]


@pytest.fixture
def start(serverless, place):
    def start(token, **more):
        job = {"executionRoleArn": ROLE, "jobDriver": {"sparkSubmit": {"entryPoint": "s3://agari/job.py"}}}
        return serverless.start_job_run(**{"applicationId": place, "clientToken": token, **job, **more})["jobRunId"]

    return start


@pytest.fixture
def jobs(place):
    """A job as moto holds it, by its id."""
    from moto.emrserverless.models import emrserverless_backends

    runs = emrserverless_backends["123456789012"]["us-east-1"].job_runs
    return lambda job_id: next(job for job in runs[place] if job.id == job_id)


def listed(serverless, place, **conditions):
    return [job["name"] for job in serverless.list_job_runs(applicationId=place, **conditions)["jobRuns"]]


def test_a_job_waits_until_somebody_moves_it(serverless, place, start):
    assert serverless.get_job_run(applicationId=place, jobRunId=start("a"))["jobRun"]["state"] == "SUBMITTED"


def test_one_client_token_is_one_job_of_an_application(serverless, place, start):
    assert start("a", name="x") == start("a", name="y") != start("b", name="z")
    assert listed(serverless, place) == ["z", "x"]
    other = serverless.create_application(name="other", releaseLabel="emr-7.9.0", type="SPARK")["applicationId"]
    assert listed(serverless, other) == []
    assert start("a", applicationId=other) != start("a")


def test_a_list_is_of_the_states_that_are_asked_for(serverless, place, start, jobs):
    for name in ("x", "y"):
        job = start(name, name=name)
    end_job(jobs(job), "FAILED")
    assert listed(serverless, place, states=["SUBMITTED"]) == ["x"]


@pytest.mark.parametrize(
    ("state", "then"),
    [
        ("SUBMITTED", "CANCELLED"),
        ("SCHEDULED", "CANCELLED"),
        ("RUNNING", "CANCELLING"),
        ("CANCELLING", "CANCELLING"),
        ("SUCCESS", "SUCCESS"),
        ("FAILED", "FAILED"),
    ],
)
def test_cancelling_takes_steps_and_changes_nothing_that_has_ended(serverless, place, start, jobs, state, then):
    job = start("a")
    jobs(job).state = state
    serverless.cancel_job_run(applicationId=place, jobRunId=job)
    assert jobs(job).state == then


def test_a_job_that_has_ended_tells_when_and_why(serverless, place, start, jobs):
    job = start("a")
    end_job(jobs(job), "FAILED", "ü: no such column")
    found = serverless.get_job_run(applicationId=place, jobRunId=job)["jobRun"]
    assert (found["state"], found["stateDetails"]) == ("FAILED", "ü: no such column")
    assert found["updatedAt"] >= found["createdAt"]


def test_an_application_that_there_is_not_is_told(serverless):
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        serverless.list_job_runs(applicationId="nowhere")
