"""Spark jobs on EMR Serverless. A job is a job run; its name begins with the run token, which identifies it later."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

from airflow_agari_provider.scoring.aws_requests import console_of
from airflow_agari_provider.scoring.driver_log import DriverLog, read_tails
from airflow_agari_provider.scoring.emr_serverless import ApplicationMissing, EmrServerless, job_request, token_of
from airflow_agari_provider.scoring.emr_steps import property_of, seconds_of
from airflow_agari_provider.scoring.job_owner import OWNER_PROPERTY
from airflow_agari_provider.scoring.job_runs import JobRuns, log_uri_of, states_of
from airflow_agari_provider.scoring.jobs import LIVE, JobState, Phase, SparkJob, phase_of

logger = logging.getLogger(__name__)

NO_LOGS = "The job keeps no logs on S3: pass EmrServerless(log_uri=...) to see the driver's log here."

_PHASES: Mapping[str, Phase] = {
    "SUBMITTED": "PENDING",
    "QUEUED": "PENDING",
    "PENDING": "PENDING",
    "SCHEDULED": "PENDING",
    "RUNNING": "RUNNING",
    "CANCELLING": "CANCELLING",
    "SUCCESS": "SUCCEEDED",
    "FAILED": "FAILED",
    "CANCELLED": "CANCELLED",
}


class EmrServerlessJobs(JobRuns[EmrServerless]):
    """The jobs of one application."""

    service, title, place = "emr-serverless", "EMR Serverless", "EMR Serverless application"
    live_states = states_of(_PHASES, LIVE)

    def submit(self, job: SparkJob, token: str) -> JobState:
        """
        Start a job run. The same request, sent twice, starts one.

        :raises ApplicationMissing: there is no application of this name, or there are several.
        """
        with self._aws.asking(f"Submitting a job to the EMR Serverless application with {self._target}"):
            request = job_request(self._target, self._application, job, token, self._lists.failed(token))
            job_id = self._client.start_job_run(**request)["jobRunId"]
        submitted = JobState(self._application, job_id, token=token, kind=EmrServerless.kind)
        logger.info("Submitted %s", submitted)
        return submitted

    def driver_log(self, job: JobState, lines: int) -> DriverLog:
        """Return the end of the driver's stdout and stderr, as far as they are on S3."""
        with self._aws.asking(f"Looking for the log of {job}"):
            log_uri = log_uri_of(self._describe(job))
            if not log_uri:
                return DriverLog(None, no_logs=NO_LOGS)
            folder = f"{log_uri}/applications/{job.cluster_id}/jobs/{job.job_id}/SPARK_DRIVER/"
            urls = [f"{folder}stderr.gz", f"{folder}stdout.gz"]
            return DriverLog(folder, read_tails(self._aws.client("s3"), urls, lines))

    def usage(self, job: JobState) -> dict[str, Any]:
        """Return what AWS bills for the job: hours of vCPUs, and of GB of memory and of storage."""
        with self._aws.asking(f"Asking EMR Serverless for the usage of {job}"):
            billed = self._describe(job).get("billedResourceUtilization") or {}
        names = {"vCPUHour": "vcpu_hours", "memoryGBHour": "memory_gb_hours", "storageGBHour": "storage_gb_hours"}
        return {f"billed_{name}": billed[key] for key, name in names.items() if key in billed}

    def console_url(self, job: JobState) -> str:
        """Return the URL of the application's page in the AWS console."""
        with self._aws.asking("Naming the page of the job's application"):
            console, region = console_of(self._client)
        return f"{console}/emr/home?region={region}#/serverless/applications/{job.cluster_id}/jobs/{job.job_id}"

    # parts

    @cached_property
    def _application(self) -> str:
        if self._target.application_id:
            return self._target.application_id
        pages = self._client.get_paginator("list_applications").paginate()
        found = [
            application["id"]
            for page in pages
            for application in page["applications"]
            if application.get("name") == self._target.name and application.get("state") != "TERMINATED"
        ]
        if len(found) != 1:
            raise ApplicationMissing(str(self._target), tuple(found))
        return str(found[0])

    def _runs(self, **conditions: Any) -> Iterator[JobState]:
        pages = self._client.get_paginator("list_job_runs").paginate(applicationId=self._application, **conditions)
        return (self._job_state(run) for page in pages for run in page["jobRuns"])

    def _runs_of(self, token: str, since: datetime) -> Iterator[JobState]:
        return self._runs(createdAtAfter=since)

    def _describe(self, job: JobState) -> dict[str, Any]:
        answer = self._client.get_job_run(applicationId=job.cluster_id, jobRunId=job.job_id)
        run: dict[str, Any] = answer["jobRun"]
        return run

    def _request_cancel(self, client: Any, job: JobState) -> None:
        client.cancel_job_run(applicationId=job.cluster_id, jobRunId=job.job_id)

    def _job_state(self, run: Mapping[str, Any]) -> JobState:
        """Return the state of a job from EMR Serverless's ``JobRun``, or from ``JobRunSummary``, which tells less."""
        phase = phase_of(run.get("state"), _PHASES, self.title)
        options = run.get("jobDriver", {}).get("sparkSubmit", {}).get("sparkSubmitParameters", "")
        ended_at = run.get("endedAt") or (None if phase in LIVE else run.get("updatedAt"))
        return JobState(
            run["applicationId"],
            run.get("jobRunId") or run["id"],
            phase,
            token=token_of(run.get("name") or ""),
            reason="" if phase in LIVE else run.get("stateDetails") or "",
            submitted_at=seconds_of(run.get("createdAt")),
            started_at=seconds_of(run.get("startedAt")),
            ended_at=seconds_of(ended_at),
            owner=property_of(shlex.split(options), OWNER_PROPERTY),
            kind=EmrServerless.kind,
        )
