"""The options of spark-submit that every service gets for a job."""

from __future__ import annotations

from typing import Any

from airflow_agari_provider.scoring.jobs import SparkJob

RUN_PROPERTY = "spark.agari.run_token"

# EMR 6 keeps its spark-avro in external/lib, EMR 7 in connector/lib. spark-submit resolves the pattern on the cluster,
# and a pattern without a match does no harm: Spark 4 includes the reader.
AVRO_JAR = "file:///usr/lib/spark/*/lib/spark-avro.jar"


def spark_options(job: SparkJob, token: str, avro_jar: str = AVRO_JAR) -> list[str]:
    """
    Return the options for a job's properties, jars and Python files; the run token is one of the properties.

    :param avro_jar: where the service has its spark-avro.
    """
    options = ["--class", job.main_class] if job.main_class else []
    for key, value in properties_of(job, token).items():
        options += ["--conf", f"{key}={value}"]
    for option, urls in (("--jars", jars_of(job, avro_jar)), ("--py-files", job.py_files)):
        if urls:
            options += [option, ",".join(urls)]
    return options


def properties_of(job: SparkJob, token: str) -> dict[str, str]:
    """Return a job's Spark properties as text, with the run token."""
    return {key: _property_text(value) for key, value in {**job.spark_conf, RUN_PROPERTY: token}.items()}


def jars_of(job: SparkJob, avro_jar: str | None) -> list[str]:
    """
    Return the jars of a job.

    :param avro_jar: the service's spark-avro; None: it has none of its own.
    """
    if isinstance(job.avro, str):
        return [*job.jars, job.avro]
    return [*job.jars, avro_jar] if job.avro and avro_jar else list(job.jars)


def _property_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)  # Spark expects true and false
