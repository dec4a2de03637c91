from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_agari_provider.scoring.jobs import SparkJob
from airflow_agari_provider.scoring.spark_options import AVRO_JAR, jars_of, properties_of, spark_options

JOB = SparkJob("score", "s3://agari/score.py")
OWN = "s3://agari/avro.jar"


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), (1, "1"), (0.5, "0.5"), ("4g", "4g"), ("", ""), ("a b=ü\n", "a b=ü\n")],
    ids=repr,
)
def test_a_property_is_text_as_spark_reads_it(value, text):
    assert properties_of(replace(JOB, spark_conf={"spark.x": value}), "t") == {
        "spark.x": text,
        "spark.agari.run_token": "t",
    }


def test_nobody_else_s_token_is_passed_on():
    assert properties_of(replace(JOB, spark_conf={"spark.agari.run_token": "mine"}), "t") == {
        "spark.agari.run_token": "t"
    }


@pytest.mark.parametrize(
    ("avro", "of_service", "jars"),
    [
        (True, AVRO_JAR, ["s3://a", AVRO_JAR]),
        (True, None, ["s3://a"]),
        (False, AVRO_JAR, ["s3://a"]),
        (OWN, AVRO_JAR, ["s3://a", OWN]),
        (OWN, None, ["s3://a", OWN]),
    ],
)
def test_the_reader_of_avro_is_the_service_s_or_the_job_s_own(avro, of_service, jars):
    job = replace(JOB, jars=("s3://a",), avro=avro)
    assert jars_of(job, of_service) == jars
    assert job.jars == ("s3://a",)


def test_the_options_come_in_one_order():
    job = SparkJob(
        "x", "s3://x.jar", (), {"spark.a": 1, "spark.b": True}, ("s3://a",), ("s3://b.py", "s3://c.py"), False, "com.X"
    )
    assert spark_options(job, "t") == [
        *("--class", "com.X", "--conf", "spark.a=1", "--conf", "spark.b=true"),
        *("--conf", "spark.agari.run_token=t", "--jars", "s3://a", "--py-files", "s3://b.py,s3://c.py"),
    ]


def test_what_a_job_lacks_has_no_option():
    assert spark_options(replace(JOB, avro=False), "t") == ["--conf", "spark.agari.run_token=t"]
