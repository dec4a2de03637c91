"""A Spark job in EMR's terms: the step that it is submitted as, and the state that EMR reports."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from airflow_agari_provider.exceptions import AgariError, cut
from airflow_agari_provider.scoring.job_owner import OWNER_PROPERTY
from airflow_agari_provider.scoring.jobs import LIVE, JobState, Phase, SparkJob, phase_of
from airflow_agari_provider.scoring.spark_options import RUN_PROPERTY, spark_options

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
    The strings of a step are longer than EMR allows.

    :param characters: length of all its strings together.
    """

    def __init__(self, characters: int) -> None:
        super().__init__(characters)
        self.characters = characters

    def __str__(self) -> str:
        return (
            f"The step's strings have {self.characters} characters together, but EMR allows {STEP_TEXT_LIMIT}. "
            "Pass prefixes, or the URL of a list on S3, to the job instead of lists of objects."
        )


def step_of(job: SparkJob, token: str) -> dict[str, Any]:
    """
    Return the ``StepConfig`` of a job.

    The step runs spark-submit, with the driver on the primary node. So the step's log is the driver's log, and
    cancelling the step ends the application.

    :raises StepTooLong: EMR would refuse the step.
    """
    client = [] if "spark.submit.deployMode" in job.spark_conf else ["--deploy-mode", "client"]
    arguments = ["spark-submit", *client, *spark_options(job, token)]
    jar_step = {"Jar": "command-runner.jar", "Args": [*arguments, job.script, *job.arguments]}
    length = len(jar_step["Jar"]) + sum(map(len, jar_step["Args"]))
    if length > STEP_TEXT_LIMIT:
        raise StepTooLong(length)
    # CONTINUE: the only action that EMR allows for steps that run at the same time
    return {"Name": cut(job.name, NAME_LIMIT, "…"), "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar_step}


def job_state(cluster_id: str, step: Mapping[str, Any]) -> JobState:
    """Return the state of a job from EMR's ``Step`` or ``StepSummary``."""
    status = step.get("Status", {})
    times = status.get("Timeline", {})
    arguments = step.get("Config", {}).get("Args", [])
    phase = phase_of(status.get("State"), _PHASES, "EMR")
    return JobState(
        cluster_id,
        step["Id"],
        phase,
        token=property_of(arguments, RUN_PROPERTY),
        reason="" if phase in LIVE else _reason(status),
        submitted_at=seconds_of(times.get("CreationDateTime")),
        started_at=seconds_of(times.get("StartDateTime")),
        ended_at=seconds_of(times.get("EndDateTime")),
        owner=property_of(arguments, OWNER_PROPERTY),
    )


def property_of(arguments: Collection[str], name: str) -> str:
    """Return the value of a Spark property among the arguments of spark-submit; empty if it is not there."""
    start = f"{name}="
    return next((argument.removeprefix(start) for argument in arguments if argument.startswith(start)), "")


def _reason(status: Mapping[str, Any]) -> str:
    failure = status.get("FailureDetails", {})
    said = [failure.get("Reason"), failure.get("Message"), status.get("StateChangeReason", {}).get("Message")]
    return " ".join(dict.fromkeys(text.strip() for text in said if text))


def seconds_of(moment: datetime | None) -> float | None:
    """Return a time that a service gives, in seconds since 1970."""
    return None if moment is None else moment.timestamp()


def log_files(step: Mapping[str, Any]) -> list[str]:
    """
    Return the URL of the file in which EMR found the cause of a failure, if it names one.

    For a driver in cluster mode, this file is not one of the step's own log files.
    """
    url = str(step.get("Status", {}).get("FailureDetails", {}).get("LogFile", ""))
    return [url] if url.startswith("s3") and url.endswith(".gz") else []
