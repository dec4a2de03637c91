"""The options of spark-submit that every service gets for a job."""

from __future__ import annotations

from typing import Any

from airflow_agari_provider.scoring.jobs import SparkJob

RUN_PROPERTY = "spark.agari.run_token"

# EMR 6 keeps its spark-avro in external/lib, EMR 7 in connector/lib. spark-submit resolves the pattern on the cluster,
# and a pattern without a match does no harm: Spark 4 includes the reader.
AVRO_JAR = "file:///usr/lib/spark/*/lib/spark-avro.jar"


def spark_options(job: SparkJob, token: str) -> list[str]:
    """Return the options for a job's properties, jars and Python files; the run token is one of the properties."""
    options = ["--class", job.main_class] if job.main_class else []
    for key, value in {**job.spark_conf, RUN_PROPERTY: token}.items():
        options += ["--conf", f"{key}={_property_text(value)}"]
    for option, urls in (("--jars", [*job.jars, *_avro_jars(job.avro)]), ("--py-files", job.py_files)):
        if urls:
            options += [option, ",".join(urls)]
    return options


def _property_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)  # Spark expects true and false


def _avro_jars(avro: bool | str) -> list[str]:
    if isinstance(avro, str):
        return [avro]
    return [AVRO_JAR] if avro else []
