"""Runs the Spark jobs as spark-submit would, on local files, in one JVM for the whole session."""

from __future__ import annotations

import runpy
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

JOBS = Path(__file__).parents[3] / "example_dags" / "spark"
# pyspark carries Spark's Avro source without registering it; a cluster's spark-avro does both.
AVRO_SERVICE = "META-INF/services/org.apache.spark.sql.sources.DataSourceRegister"
AVRO_SOURCE = "org.apache.spark.sql.avro.AvroFileFormat"

Job = Callable[..., None]


@pytest.fixture(scope="session")
def spark_jvm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("spark")
    with zipfile.ZipFile(folder / "avro.jar", "w") as jar:
        jar.writestr(AVRO_SERVICE, AVRO_SOURCE)
    settings = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": 2, "spark.sql.warehouse.dir": folder}
    words = ["--master", "local[2]", "--driver-class-path", folder / "avro.jar", "--driver-memory", "1g"]
    words += ["--driver-java-options", "'-XX:TieredStopAtLevel=1 -XX:+UseSerialGC'"]
    words += [f"--conf {name}={value}" for name, value in settings.items()]
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SPARK_HOME", raising=False)
        patch.delenv("SPARK_CONF_DIR", raising=False)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("PYSPARK_SUBMIT_ARGS", " ".join(map(str, [*words, "pyspark-shell"])))
        yield
        from pyspark import SparkContext

        if SparkContext._gateway is not None:
            SparkContext._gateway.shutdown()
            SparkContext._gateway.proc.stdin.close()
            SparkContext._gateway.proc.wait(30)
            SparkContext._gateway = None


@pytest.fixture
def spark(spark_jvm: None) -> Iterator[Any]:
    """A Spark of its own in the session's JVM."""
    from pyspark.sql import SparkSession

    session = SparkSession.builder.getOrCreate()
    yield session
    session.stop()


@pytest.fixture(scope="session")
def run_job(spark_jvm: None) -> Job:
    """``run_job("score_messages.py", "--input", folder, ...)``: the script's whole run."""

    def run(script: str, *arguments: object) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", [script, *map(str, arguments)])
            runpy.run_path(str(JOBS / script), run_name="__main__")

    return run
