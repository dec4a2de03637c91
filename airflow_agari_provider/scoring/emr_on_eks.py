"""The virtual cluster of EMR on EKS that a job runs on, and the request that submits it."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from airflow_agari_provider.exceptions import cut
from airflow_agari_provider.scoring.job_runs import with_logs
from airflow_agari_provider.scoring.jobs import SparkJob
from airflow_agari_provider.scoring.spark_options import spark_options

# Where the images of EMR 7 have it; ``local:`` is a file in the image.
AVRO_JAR = "local:///usr/lib/spark/connector/lib/spark-avro.jar"
JOB_TAG = "agari:job"
TAG_LIMIT = 256  # characters; EMR on EKS API reference, StringMap256


@dataclass
class EmrOnEks:
    """
    Where a job runs: a virtual cluster of EMR on EKS.

    :param virtual_cluster_id: its id.
    :param execution_role_arn: role as which the job reads and writes.
    :param release_label: of EMR, such as ``emr-7.9.0-latest``.
    :param log_uri: ``s3://`` prefix for the logs. Without it, an error cannot show the end of the driver's log.
    :param configuration_overrides: of ``StartJobRun``, such as ``applicationConfiguration``.
    :raises ValueError: one of the first three is missing.
    """

    kind: ClassVar[str] = "virtual_cluster"
    template_fields: ClassVar[tuple[str, ...]] = (
        "virtual_cluster_id",
        "execution_role_arn",
        "release_label",
        "log_uri",
        "configuration_overrides",
    )

    virtual_cluster_id: str = ""
    execution_role_arn: str = ""
    release_label: str = ""
    log_uri: str | None = None
    configuration_overrides: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        for name in ("virtual_cluster_id", "execution_role_arn", "release_label"):
            if not getattr(self, name):
                raise ValueError(f"EmrOnEks needs {name}")

    def __str__(self) -> str:
        return f"id {self.virtual_cluster_id!r}"

    def serialize(self) -> dict[str, Any]:
        """Return the target as a dictionary: Airflow's web pages then mask the values whose keys look like secrets."""
        return asdict(self)


def job_request(target: EmrOnEks, job: SparkJob, token: str, failed: int) -> dict[str, Any]:
    """
    Return the arguments of ``start_job_run``. The job's name is its token; for people, a tag has the name.

    :param failed: how many jobs with this token have failed; as for EMR Serverless.
    """
    driver: dict[str, Any] = {
        "entryPoint": job.script,
        "sparkSubmitParameters": shlex.join(spark_options(job, token, AVRO_JAR)),
    }
    if job.arguments:
        driver["entryPointArguments"] = list(job.arguments)
    return {
        "virtualClusterId": target.virtual_cluster_id,
        "name": token,
        "clientToken": f"{token}-{failed}",
        "executionRoleArn": target.execution_role_arn,
        "releaseLabel": target.release_label,
        "jobDriver": {"sparkSubmitJobDriver": driver},
        "configurationOverrides": with_logs(target.configuration_overrides, target.log_uri),
        "tags": {JOB_TAG: cut(job.name, TAG_LIMIT, "…")},
    }
