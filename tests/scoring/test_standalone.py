"""The submission to a stand-alone Spark, and the addresses of its parts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_agari_provider.scoring.standalone import StandaloneSpark, submission_request
from tests.scoring.one_task_run import JOB

TARGET = StandaloneSpark("http://spark-master:6066/", "s3://agari/notes/")


def test_a_script_runs_by_spark_submit_in_its_driver():
    request = submission_request(
        TARGET, replace(JOB, name="telemetry.score hour_5", py_files=("s3://agari/b.py",)), "t1"
    )
    assert (request["mainClass"], request["appResource"]) == ("org.apache.spark.deploy.SparkSubmit", "")
    assert request["appArgs"] == [
        "--master",
        "spark://spark-master:7077",
        "--deploy-mode",
        "client",
        "--name",
        "t1 telemetry.score hour_5",
        "--conf",
        "spark.agari.run_token=t1",
        "--py-files",
        "s3://agari/b.py",
        "s3://agari/score.py",
        "--hour",
        "5",
    ]
    assert request["sparkProperties"]["spark.driver.supervise"] == "false"
    assert TARGET.web == "http://spark-master:8080"


def test_a_jar_is_the_driver_s_own_class():
    job = replace(JOB, script="s3://agari/score.jar", main_class="com.example.Score", jars=("s3://agari/a.jar",))
    request = submission_request(TARGET, job, "t1")
    assert (request["mainClass"], request["appResource"]) == ("com.example.Score", "s3://agari/score.jar")
    assert request["appArgs"] == ["--hour", "5"]
    assert request["sparkProperties"]["spark.jars"] == "s3://agari/score.jar,s3://agari/a.jar"


@pytest.mark.parametrize("missing", ["rest_url", "notes_url"])
def test_a_target_says_what_it_lacks(missing):
    with pytest.raises(ValueError, match=f"StandaloneSpark needs {missing}"):
        StandaloneSpark(**{"rest_url": "http://x:6066", "notes_url": "s3://agari/notes", missing: ""})


@pytest.mark.parametrize(
    ("given", "web", "master"),
    [
        ({}, "http://spark-master:8080", "spark://spark-master:7077"),
        ({"rest_url": "https://spark-master:6066/"}, "https://spark-master:8080", "spark://spark-master:7077"),
        ({"rest_url": "http://[::1]:6066"}, "http://[::1]:8080", "spark://[::1]:7077"),
        ({"rest_url": "http://10.0.0.1:6066"}, "http://10.0.0.1:8080", "spark://10.0.0.1:7077"),
        ({"ui_url": "https://ui/spark/"}, "https://ui/spark", "spark://spark-master:7077"),
        ({"master": "spark://a:7077,b:7077"}, "http://spark-master:8080", "spark://a:7077,b:7077"),
    ],
    ids=["", "https", "IPv6", "IPv4", "its own page", "its own master"],
)
def test_page_and_master_are_on_the_host_of_the_rest_api_unless_they_are_given(given, web, master):
    target = replace(TARGET, **given)
    assert target.web == web
    assert submission_request(target, JOB, "t1")["sparkProperties"]["spark.master"] == master


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("s3://agari", ("agari", "")),
        ("s3://agari/", ("agari", "")),
        ("s3://agari/notes", ("agari", "notes/")),
        ("s3://agari//no tes/#1/", ("agari", "no tes/#1/")),
    ],
)
def test_notes_are_below_a_prefix_with_one_slash_at_its_end(url, place):
    assert replace(TARGET, notes_url=url).notes == place


def test_a_driver_is_never_started_again_whatever_the_job_says_of_it():
    job = replace(JOB, spark_conf={"spark.agari.run_token": "mine", "spark.executor.memory": "4g"})
    properties = submission_request(TARGET, job, "t1")["sparkProperties"]
    assert properties["spark.driver.supervise"] == "false"
    assert (properties["spark.agari.run_token"], properties["spark.executor.memory"]) == ("t1", "4g")


def test_a_name_with_odd_characters_is_one_argument():
    arguments = submission_request(TARGET, replace(JOB, name="a b\n'ü"), "t1")["appArgs"]
    assert arguments[arguments.index("--name") + 1] == "t1 a b\n'ü"
