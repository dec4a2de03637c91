"""EMR's words for a Spark job: the step that it is submitted as, and the state that comes back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.scoring.jobs import LIVE, JobState, Phase, SparkJob

RUN_PROPERTY = "spark.agari.run_token"

# EMR 6 keeps its spark-avro in external/lib, EMR 7 in connector/lib; spark-submit resolves the pattern on the cluster,
# and one that matches nothing does no harm: Spark 4 has the reader inside.
AVRO_JAR = "file:///usr/lib/spark/*/lib/spark-avro.jar"

STEP_TEXT_LIMIT = 10_240  # characters of all strings of a HadoopJarStep; EMR API reference, AddJobFlowSteps
NAME_LIMIT = 256  # characters; EMR API reference, StepConfig

_PHASES: Mapping[str, Phase] = {
    "PENDING": "PENDING",
    "RUNNING": "RUNNING",
    "CANCEL_PENDING": "CANCELLING",
    "COMPLETED": "SUCCEEDED",
    "FAILED": "FAILED",
    "INTERRUPTED": "FAILED",
    "CANCELLED": "CANCELLED",
}


class StepTooLong(AgariError):
    """
    A step beyond EMR's limit.

    :param characters: of all its strings.
    """

    def __init__(self, characters: int) -> None:
        super().__init__(characters)
        self.characters = characters

    def __str__(self) -> str:
        return (
            f"The step's strings have {self.characters} characters together, and EMR allows {STEP_TEXT_LIMIT}. "
            "Pass the job prefixes, or the URL of a list on S3, instead of lists of objects."
        )


def step_of(job: SparkJob, token: str) -> dict[str, Any]:
    """
    ``StepConfig`` of a job: spark-submit, whose driver runs on the primary node, so that the step's log is the driver's
    and cancelling the step ends the application.

    :raises StepTooLong: EMR would refuse it.
    """
    conf = {**job.spark_conf, RUN_PROPERTY: token}
    arguments = ["spark-submit"]
    if "spark.submit.deployMode" not in conf:
        arguments += ["--deploy-mode", "client"]
    for key, value in conf.items():
        arguments += ["--conf", f"{key}={_property_text(value)}"]
    jars = [*job.jars, *_avro_jars(job.avro)]
    for option, urls in (("--jars", jars), ("--py-files", job.py_files)):
        if urls:
            arguments += [option, ",".join(urls)]
    jar_step = {"Jar": "command-runner.jar", "Args": [*arguments, job.script, *job.arguments]}
    length = len(jar_step["Jar"]) + sum(map(len, jar_step["Args"]))
    if length > STEP_TEXT_LIMIT:
        raise StepTooLong(length)
    # CONTINUE: the only action that EMR allows where steps run side by side
    return {"Name": job.name[:NAME_LIMIT], "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar_step}


def _property_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)  # Spark writes true and false


def _avro_jars(avro: bool | str) -> list[str]:
    if isinstance(avro, str):
        return [avro]
    return [AVRO_JAR] if avro else []


def job_state(cluster_id: str, step: Mapping[str, Any]) -> JobState:
    """State of a ``Step`` or ``StepSummary``."""
    status = step["Status"]
    times = status.get("Timeline", {})
    phase = _PHASES[status["State"]]
    return JobState(
        cluster_id,
        step["Id"],
        phase,
        token=_token(step.get("Config", {}).get("Args", [])),
        reason="" if phase in LIVE else _reason(status),
        submitted_at=_seconds(times.get("CreationDateTime")),
        started_at=_seconds(times.get("StartDateTime")),
        ended_at=_seconds(times.get("EndDateTime")),
    )


def _token(arguments: Collection[str]) -> str:
    start = f"{RUN_PROPERTY}="
    return next((argument.removeprefix(start) for argument in arguments if argument.startswith(start)), "")


def _reason(status: Mapping[str, Any]) -> str:
    failure = status.get("FailureDetails", {})
    said = [failure.get("Reason"), failure.get("Message"), status.get("StateChangeReason", {}).get("Message")]
    return " ".join(dict.fromkeys(text.strip() for text in said if text))


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def log_files(step: Mapping[str, Any]) -> list[str]:
    """The file in which EMR itself found the cause: for a driver inside the cluster it is not the step's own."""
    url = str(step["Status"].get("FailureDetails", {}).get("LogFile", ""))
    return [url] if url.startswith("s3") and url.endswith(".gz") else []
