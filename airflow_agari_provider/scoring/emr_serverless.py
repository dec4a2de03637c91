"""The EMR Serverless application that a job runs on, and the request that submits it."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from airflow_agari_provider.exceptions import AgariError, cut
from airflow_agari_provider.scoring.job_lists import read_token
from airflow_agari_provider.scoring.job_runs import with_logs
from airflow_agari_provider.scoring.jobs import SparkJob
from airflow_agari_provider.scoring.spark_options import spark_options

NAME_LIMIT = 256  # characters; EMR Serverless API reference, StartJobRun


class ApplicationMissing(AgariError):
    """
    There is not exactly one application to submit to.

    :param wanted: what was looked for, as text.
    :param found: ids of the applications of that name.
    """

    def __init__(self, wanted: str, found: tuple[str, ...]) -> None:
        super().__init__(wanted, found)
        self.wanted, self.found = wanted, found

    def __str__(self) -> str:
        if self.found:
            several = f"There are several EMR Serverless applications with {self.wanted}: {', '.join(self.found)}"
            return f"{several}. Give the application_id."
        return f"There is no EMR Serverless application with {self.wanted}. Create it, or correct name and region."


@dataclass
class EmrServerless:
    """
    Where a job runs: an EMR Serverless application.

    :param application_id: its id. Needed unless ``name`` is given.
    :param name: its name, in place of the id; exactly one application may have it.
    :param execution_role_arn: role as which the job reads and writes.
    :param log_uri: ``s3://`` prefix for the logs. Without it, an error cannot show the end of the driver's log.
    :param configuration_overrides: of ``StartJobRun``, such as ``applicationConfiguration``.
    :raises ValueError: the arguments do not say which application is meant, or there is no role.
    """

    kind: ClassVar[str] = "application"
    template_fields: ClassVar[tuple[str, ...]] = (
        "application_id",
        "name",
        "execution_role_arn",
        "log_uri",
        "configuration_overrides",
    )

    application_id: str | None = None
    name: str | None = None
    execution_role_arn: str = ""
    log_uri: str | None = None
    configuration_overrides: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if bool(self.name) == bool(self.application_id):
            raise ValueError("EmrServerless needs either application_id or name")
        if not self.execution_role_arn:
            raise ValueError("EmrServerless needs execution_role_arn, the role as which the job runs")

    def __str__(self) -> str:
        return f"name {self.name!r}" if self.name else f"id {self.application_id!r}"

    def serialize(self) -> dict[str, Any]:
        """Return the target as a dictionary: Airflow's web pages then mask the values whose keys look like secrets."""
        return asdict(self)


def job_name(job: SparkJob, token: str) -> str:
    """Return the name of a job run. It begins with the token, because lists of job runs tell only the name."""
    return cut(f"{token} {job.name}", NAME_LIMIT, "…")


def token_of(name: str) -> str:
    """Return the run token that a name begins with; empty if there is none."""
    return read_token(name.partition(" ")[0])


def job_request(target: EmrServerless, application_id: str, job: SparkJob, token: str, failed: int) -> dict[str, Any]:
    """
    Return the arguments of ``start_job_run``.

    :param failed: how many jobs with this token have failed. It is part of the client token, for which EMR Serverless
        starts one job only: a repeated request is the same job, and a retry after a failed job is another one.
    """
    spark_submit = {
        "entryPoint": job.script,
        "entryPointArguments": list(job.arguments),
        "sparkSubmitParameters": shlex.join(spark_options(job, token)),
    }
    return {
        "applicationId": application_id,
        "clientToken": f"{token}-{failed}",
        "executionRoleArn": target.execution_role_arn,
        "jobDriver": {"sparkSubmit": spark_submit},
        "configurationOverrides": with_logs(target.configuration_overrides, target.log_uri),
        "executionTimeoutMinutes": 0,  # none: ``step_timeout`` is the limit, and EMR's own default would be 12 hours
        "name": job_name(job, token),
    }
