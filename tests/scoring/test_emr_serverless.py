"""The request that submits a job to an application."""

from __future__ import annotations

import pickle
import shlex
from dataclasses import replace

import pytest

from airflow_agari_provider.scoring.emr_serverless import (
    ApplicationMissing,
    EmrServerless,
    job_name,
    job_request,
    token_of,
)
from airflow_agari_provider.scoring.jobs import SparkJob
from tests.scoring.one_task_run import JOB

ROLE = "arn:aws:iam::123456789012:role/scoring"
TOKEN = "0123456789abcdef" * 2
TARGET = EmrServerless("app", execution_role_arn=ROLE)


def test_a_request_has_the_job_the_role_and_the_logs():
    target = EmrServerless("00f", execution_role_arn=ROLE, log_uri="s3://agari/logs/")
    job = SparkJob("telemetry.score hour_5", "s3://agari/score.py", ("--hour", "5"), {"spark.x": "a b"}, avro=False)
    request = job_request(target, "00f", job, "t1", 2)
    options = request["jobDriver"]["sparkSubmit"].pop("sparkSubmitParameters")
    assert shlex.split(options) == ["--conf", "spark.x=a b", "--conf", "spark.agari.run_token=t1"]
    assert request == {
        "applicationId": "00f",
        "clientToken": "t1-2",
        "executionRoleArn": ROLE,
        "jobDriver": {"sparkSubmit": {"entryPoint": "s3://agari/score.py", "entryPointArguments": ["--hour", "5"]}},
        "configurationOverrides": {
            "monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": "s3://agari/logs/"}}
        },
        "executionTimeoutMinutes": 0,
        "name": "t1 telemetry.score hour_5",
    }


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ({}, "either application_id or name"),
        ({"name": "a", "application_id": "b"}, "either application_id or name"),
        ({"name": "a", "execution_role_arn": ""}, "needs execution_role_arn"),
    ],
)
def test_a_target_says_which_application_and_which_role(target, problem):
    with pytest.raises(ValueError, match=problem):
        EmrServerless(**{"execution_role_arn": ROLE, **target})


@pytest.mark.parametrize(
    ("name", "length"),
    [("", 33), ("score hour_5", 45), ("x" * 9999, 256), ("ü " * 9999, 256)],
    ids=["empty", "", "long", "ü"],
)
def test_a_name_begins_with_the_token_and_has_a_limit(name, length):
    found = job_name(replace(JOB, name=name), TOKEN)
    assert len(found) == length
    assert token_of(found) == TOKEN


ODD = (TOKEN[1:] + " score", TOKEN.upper() + " score", " " + TOKEN, TOKEN + "x")


@pytest.mark.parametrize("name", ["", "score", "g" * 32 + " score", *ODD])
def test_a_job_of_somebody_else_has_no_token(name):
    assert token_of(name) == ""


def test_a_retry_after_a_failed_job_is_another_job():
    first, second = (job_request(TARGET, "app", JOB, TOKEN, failed) for failed in (0, 1))
    assert first["clientToken"] == f"{TOKEN}-0"
    assert second == {**first, "clientToken": f"{TOKEN}-1"}


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ((), "There is no EMR Serverless application with name 'x'. Create it, or correct name and region."),
        (("a", "b"), "several EMR Serverless applications with name 'x': a, b. Give the application_id."),
    ],
)
def test_no_application_or_several_are_told(found, says):
    error = pickle.loads(pickle.dumps(ApplicationMissing("name 'x'", found)))
    assert says in str(error)
