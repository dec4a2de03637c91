"""Spark jobs on EMR Serverless. A job is a job run; its name begins with the run token, which identifies it later."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import Any

from airflow_agari_provider.scoring.aws_requests import AwsRequests, console_of
from airflow_agari_provider.scoring.driver_log import DriverLog, read_tail
from airflow_agari_provider.scoring.emr_serverless import ApplicationMissing, EmrServerless, job_request, token_of
from airflow_agari_provider.scoring.emr_steps import property_of, seconds_of
from airflow_agari_provider.scoring.job_owner import OWNER_PROPERTY
from airflow_agari_provider.scoring.jobs import LIVE, JobState, Phase, SparkJob, phase_of

logger = logging.getLogger(__name__)

RUNS_SEARCHED = 2000  # job runs since the run's time, for a finished one; live ones are all looked at
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
_LIVE_STATES = [state for state, phase in _PHASES.items() if phase in LIVE]


class EmrServerlessJobs:
    """
    The jobs of one application.

    :param aws: requests to AWS.
    :param target: needed to find and to submit jobs, but not for requests about a known job.
    """

    def __init__(self, aws: AwsRequests, target: EmrServerless | None = None) -> None:
        self._aws = aws
        self._given = target
        self._failed: dict[str, int] = {}  # jobs that have failed, by token; ``find`` counts them

    def find(self, tokens: Sequence[str], since: datetime, live_only: bool = False) -> list[JobState]:
        """As ``EmrClusterJobs.find``. A finished job is looked for among ``RUNS_SEARCHED`` job runs."""
        with self._aws.asking(f"Looking for jobs on the EMR Serverless application with {self._target}"):
            found = {job.job_id: job for job in self._runs(states=_LIVE_STATES) if job.token in tokens}
            if not live_only and not any(job.token == tokens[0] for job in found.values()):
                every = islice(self._runs(createdAtAfter=since), RUNS_SEARCHED)
                found |= {job.job_id: job for job in every if job.token in tokens}
        for token in tokens:
            ended = [job for job in found.values() if job.token == token and job.phase in ("FAILED", "CANCELLED")]
            self._failed[token] = max(len(ended), self._failed.get(token, 0))
        return sorted(found.values(), key=lambda job: (job.submitted_at or 0, job.job_id))

    def live_jobs(self) -> list[JobState]:
        """Return every live job of the application with a run token."""
        with self._aws.asking(f"Looking for live jobs on the EMR Serverless application with {self._target}"):
            return [self._state(job) for job in self._runs(states=_LIVE_STATES) if job.token]

    def submit(self, job: SparkJob, token: str) -> JobState:
        """
        Start a job run. The same request, sent twice, starts one.

        :raises ApplicationMissing: there is no application of this name, or there are several.
        """
        with self._aws.asking(f"Submitting a job to the EMR Serverless application with {self._target}"):
            request = job_request(self._target, self._application, job, token, self._failed.get(token, 0))
            job_id = self._client.start_job_run(**request)["jobRunId"]
        submitted = JobState(self._application, job_id, token=token, kind="application")
        logger.info("Submitted %s", submitted)
        return submitted

    def state(self, job: JobState) -> JobState:
        with self._aws.asking(f"Asking EMR Serverless for {job}"):
            return self._state(job)

    def cancel(self, job: JobState, force: bool = False) -> None:
        """Ask EMR Serverless to cancel the job. It has no harder way to do so: ``force`` repeats the request."""
        with self._aws.asking(f"Cancelling {job}"):
            self._aws.client_asking_once("emr-serverless").cancel_job_run(
                applicationId=job.cluster_id, jobRunId=job.job_id
            )
        logger.info("Asked EMR Serverless to cancel %s", job)

    def driver_log(self, job: JobState, lines: int) -> DriverLog:
        """Return the end of the driver's stdout and stderr, as far as they are on S3."""
        with self._aws.asking(f"Looking for the log of {job}"):
            monitoring = self._describe(job).get("configurationOverrides", {}).get("monitoringConfiguration", {})
            log_uri = monitoring.get("s3MonitoringConfiguration", {}).get("logUri")
            if not log_uri:
                return DriverLog(None, no_logs=NO_LOGS)
            folder = f"{log_uri.rstrip('/')}/applications/{job.cluster_id}/jobs/{job.job_id}/SPARK_DRIVER/"
            found = [read_tail(self._aws.client("s3"), f"{folder}{name}.gz", lines) for name in ("stderr", "stdout")]
            return DriverLog(folder, tuple(tail for tail in found if tail is not None))

    def usage(self, job: JobState) -> dict[str, Any]:
        """Return what AWS bills for the job: hours of vCPUs, and of GB of memory and of storage."""
        with self._aws.asking(f"Asking EMR Serverless for the usage of {job}"):
            billed = self._describe(job).get("billedResourceUtilization") or {}
        names = {"vCPUHour": "vcpu_hours", "memoryGBHour": "memory_gb_hours", "storageGBHour": "storage_gb_hours"}
        return {f"billed_{name}": billed[key] for key, name in names.items() if key in billed}

    def why_cluster_ended(self, job: JobState) -> None:
        """There is no cluster of the job's own that could end."""

    def failed_start(self, job: JobState) -> None:
        """As ``why_cluster_ended``."""

    def console_url(self, job: JobState) -> str:
        """Return the URL of the application's page in the AWS console."""
        with self._aws.asking("Naming the page of the job's application"):
            console, region = console_of(self._client)
        return f"{console}/emr/home?region={region}#/serverless/applications/{job.cluster_id}/jobs/{job.job_id}"

    # parts

    @property
    def _client(self) -> Any:
        return self._aws.client("emr-serverless")

    @property
    def _target(self) -> EmrServerless:
        assert self._given is not None
        return self._given

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
        return (_job_state(run) for page in pages for run in page["jobRuns"])

    def _state(self, job: JobState) -> JobState:
        return _job_state(self._describe(job))

    def _describe(self, job: JobState) -> dict[str, Any]:
        answer = self._client.get_job_run(applicationId=job.cluster_id, jobRunId=job.job_id)
        run: dict[str, Any] = answer["jobRun"]
        return run


def _job_state(run: Mapping[str, Any]) -> JobState:
    """Return the state of a job from EMR Serverless's ``JobRun``, or from ``JobRunSummary``, which tells less."""
    phase = phase_of(run.get("state"), _PHASES, "EMR Serverless")
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
        kind="application",
    )
