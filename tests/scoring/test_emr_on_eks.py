"""The request that submits a job to a virtual cluster."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from airflow_agari_provider.scoring.emr_on_eks import EmrOnEks, job_request
from airflow_agari_provider.scoring.jobs import SparkJob
from tests.scoring.one_task_run import JOB

ROLE = "arn:aws:iam::123456789012:role/scoring"
TARGET = EmrOnEks("vc1", ROLE, "emr-7.9.0-latest")


def test_a_request_has_the_job_the_role_and_the_logs():
    target = replace(TARGET, log_uri="s3://agari/logs/")
    job = SparkJob("telemetry.score hour_5", "s3://agari/score.py", ("--hour", "5"), {"spark.x": "a b"})
    request = job_request(target, job, "t1", 2)
    options = request["jobDriver"]["sparkSubmitJobDriver"].pop("sparkSubmitParameters")
    assert shlex.split(options) == [
        "--conf",
        "spark.x=a b",
        "--conf",
        "spark.agari.run_token=t1",
        "--jars",
        "local:///usr/lib/spark/connector/lib/spark-avro.jar",
    ]
    driver = {"entryPoint": "s3://agari/score.py", "entryPointArguments": ["--hour", "5"]}
    assert request == {
        "virtualClusterId": "vc1",
        "name": "t1",
        "clientToken": "t1-2",
        "executionRoleArn": ROLE,
        "releaseLabel": "emr-7.9.0-latest",
        "jobDriver": {"sparkSubmitJobDriver": driver},
        "configurationOverrides": {
            "monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": "s3://agari/logs/"}}
        },
        "tags": {"agari:job": "telemetry.score hour_5"},
    }


@pytest.mark.parametrize("missing", ["virtual_cluster_id", "execution_role_arn", "release_label"])
def test_a_target_says_what_it_lacks(missing):
    given = {"virtual_cluster_id": "vc1", "execution_role_arn": ROLE, "release_label": "emr-7.9.0-latest"}
    with pytest.raises(ValueError, match=f"EmrOnEks needs {missing}"):
        EmrOnEks(**{**given, missing: ""})


def test_a_job_without_arguments_and_logs_has_no_empty_fields():
    request = job_request(TARGET, replace(JOB, arguments=()), "t", 0)
    assert "entryPointArguments" not in request["jobDriver"]["sparkSubmitJobDriver"]
    assert request["configurationOverrides"] == {}


@pytest.mark.parametrize(("name", "tag"), [("x" * 256, "x" * 256), ("ü" * 257, "ü" * 255 + "…"), ("", "")], ids=len)
def test_a_name_that_is_too_long_for_a_tag_is_cut(name, tag):
    assert job_request(TARGET, replace(JOB, name=name), "t", 0)["tags"] == {"agari:job": tag}


def test_a_retry_after_a_failed_job_is_another_job_with_the_same_name():
    first, second = (job_request(TARGET, JOB, "t", failed) for failed in (0, 1))
    assert (first["name"], first["clientToken"]) == ("t", "t-0")
    assert second == {**first, "clientToken": "t-1"}
