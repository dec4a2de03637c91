from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_agari_provider.scoring.emr_steps import StepTooLong, job_state, step_of
from airflow_agari_provider.scoring.jobs import SparkJob


def arguments(**parts: Any) -> list[str]:
    job = SparkJob("score", "s3://agari/score.py", ("--hour", "5"), **parts)
    return list(step_of(job, "t1")["HadoopJarStep"]["Args"])


def test_a_step_is_a_spark_submit_in_client_mode_that_lets_other_steps_go_on():
    assert step_of(SparkJob("score", "s3://agari/score.py", ("--hour", "5"), avro=False), "t1") == {
        "Name": "score",
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": {
            "Jar": "command-runner.jar",
            "Args": [
                "spark-submit",
                "--deploy-mode",
                "client",
                "--conf",
                "spark.agari.run_token=t1",
                "s3://agari/score.py",
                "--hour",
                "5",
            ],
        },
    }


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param(
            {"spark_conf": {"spark.sql.ansi.enabled": True, "spark.executor.cores": 4}},
            ["--conf", "spark.sql.ansi.enabled=true", "--conf", "spark.executor.cores=4"],
            id="properties as Spark writes them",
        ),
        pytest.param(
            {"jars": ("s3://a/1.jar", "s3://a/2.jar"), "avro": False},
            ["--jars", "s3://a/1.jar,s3://a/2.jar"],
            id="jars",
        ),
        pytest.param({"avro": True}, ["--jars", "file:///usr/lib/spark/*/lib/spark-avro.jar"], id="EMR's spark-avro"),
        pytest.param({"avro": "s3://a/avro.jar"}, ["--jars", "s3://a/avro.jar"], id="a spark-avro of one's own"),
        pytest.param({"main_class": "com.example.Score"}, ["--class", "com.example.Score"], id="a class of a jar"),
        pytest.param({"py_files": ("s3://a/lib.zip",)}, ["--py-files", "s3://a/lib.zip"], id="Python files"),
    ],
)
def test_what_a_job_needs_becomes_an_option(parts, expected):
    given = arguments(**parts)
    start = given.index(expected[0])
    assert given[start : start + len(expected)] == expected


@pytest.mark.parametrize("parts", [{"avro": False}, {"avro": False, "jars": ()}], ids=["no avro", "no jars"])
def test_a_setting_that_a_job_does_not_need_is_not_passed_as_an_option(parts):
    assert not {"--jars", "--py-files"} & set(arguments(**parts))


def test_a_deploy_mode_of_ones_own_is_left_alone():
    given = arguments(spark_conf={"spark.submit.deployMode": "cluster"})
    assert "--deploy-mode" not in given
    assert "spark.submit.deployMode=cluster" in given


def test_the_token_cannot_be_set_by_hand():
    given = arguments(spark_conf={"spark.agari.run_token": "mine"})
    assert [argument for argument in given if "run_token" in argument] == ["spark.agari.run_token=t1"]


def test_a_name_is_cut_to_emrs_limit():
    assert step_of(SparkJob("n" * 300, "s3://agari/score.py"), "t1")["Name"] == "n" * 255 + "…"


@pytest.mark.parametrize(("surplus", "fails"), [(0, False), (1, True)], ids=["just fits", "one too many"])
def test_a_step_beyond_emrs_limit_is_refused_before_it_is_sent(surplus, fails):
    fixed = "command-runner.jar" + "".join(arguments(avro=False))
    job = SparkJob("score", "s3://agari/score.py", ("--hour", "5", "x" * (10_240 - len(fixed) + surplus)), avro=False)
    if fails:
        with pytest.raises(StepTooLong, match="have 10241 characters together, but EMR allows 10240"):
            step_of(job, "t1")
    else:
        step_of(job, "t1")


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        ("PENDING", "PENDING"),
        ("RUNNING", "RUNNING"),
        ("CANCEL_PENDING", "CANCELLING"),
        ("COMPLETED", "SUCCEEDED"),
        ("FAILED", "FAILED"),
        ("INTERRUPTED", "FAILED"),
        ("CANCELLED", "CANCELLED"),
    ],
)
def test_every_state_of_a_step_has_a_phase(state, phase):
    assert job_state("j-1", {"Id": "s-1", "Status": {"State": state}}).phase == phase


def test_a_state_carries_token_reason_and_times():
    step = {
        "Id": "s-1",
        "Config": {"Args": ["spark-submit", "--conf", "spark.agari.run_token=t1", "s3://agari/score.py"]},
        "Status": {
            "State": "FAILED",
            "StateChangeReason": {"Message": "exit code 1"},
            "FailureDetails": {"Reason": "Unknown Error.", "Message": "ValueError: no", "LogFile": "s3://agari/x"},
            "Timeline": {
                "CreationDateTime": datetime(2016, 4, 28, 5, 0, 0, tzinfo=UTC),
                "StartDateTime": datetime(2016, 4, 28, 5, 0, 10, tzinfo=UTC),
                "EndDateTime": datetime(2016, 4, 28, 5, 1, 3, 500000, tzinfo=UTC),
            },
        },
    }
    job = job_state("j-1", step)
    assert (job.token, job.reason) == ("t1", "Unknown Error. ValueError: no exit code 1")
    assert (job.submitted_at, job.started_at, job.ended_at) == (1461819600.0, 1461819610.0, 1461819663.5)
    assert job.seconds == 63.5
