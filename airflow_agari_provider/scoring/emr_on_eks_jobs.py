"""Spark jobs of EMR on EKS. A job is a job run; its name is the run token, which identifies it later."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from airflow_agari_provider.s3.urls import split_url
from airflow_agari_provider.scoring.aws_requests import console_of
from airflow_agari_provider.scoring.driver_log import DriverLog, read_tails
from airflow_agari_provider.scoring.emr_on_eks import EmrOnEks, job_request
from airflow_agari_provider.scoring.emr_steps import property_of, seconds_of
from airflow_agari_provider.scoring.job_lists import read_token
from airflow_agari_provider.scoring.job_owner import OWNER_PROPERTY
from airflow_agari_provider.scoring.job_runs import JobRuns, log_uri_of, states_of
from airflow_agari_provider.scoring.jobs import LIVE, JobState, Phase, SparkJob, phase_of

logger = logging.getLogger(__name__)

NO_LOGS = "The job keeps no logs on S3: pass EmrOnEks(log_uri=...) to see the driver's log here."

_PHASES: Mapping[str, Phase] = {
    "PENDING": "PENDING",
    "SUBMITTED": "PENDING",
    "RUNNING": "RUNNING",
    "CANCEL_PENDING": "CANCELLING",
    "COMPLETED": "SUCCEEDED",
    "FAILED": "FAILED",
    "CANCELLED": "CANCELLED",
}


class EmrOnEksJobs(JobRuns[EmrOnEks]):
    """The jobs of one virtual cluster."""

    service, title, place = "emr-containers", "EMR on EKS", "virtual cluster"
    live_states = states_of(_PHASES, LIVE)

    def submit(self, job: SparkJob, token: str) -> JobState:
        """Start a job run. The same request, sent twice, starts one."""
        with self._aws.asking(f"Submitting a job to the virtual cluster with {self._target}"):
            request = job_request(self._target, job, token, self._lists.failed(token))
            job_id = self._client.start_job_run(**request)["id"]
        submitted = JobState(self._target.virtual_cluster_id, job_id, token=token, kind=EmrOnEks.kind)
        logger.info("Submitted %s", submitted)
        return submitted

    def driver_log(self, job: JobState, lines: int) -> DriverLog:
        """Return the end of the driver's stdout and stderr, as far as they are on S3."""
        with self._aws.asking(f"Looking for the log of {job}"):
            log_uri = log_uri_of(self._describe(job))
            if not log_uri:
                return DriverLog(None, no_logs=NO_LOGS)
            folder = f"{log_uri}/{job.cluster_id}/jobs/{job.job_id}/containers/"
            s3 = self._aws.client("s3")
            return DriverLog(folder, read_tails(s3, _driver_files(s3, folder), lines))

    def usage(self, job: JobState) -> dict[str, Any]:
        """Return nothing: EMR on EKS does not tell what a job used."""
        return {}

    def console_url(self, job: JobState) -> str:
        """Return the URL of the virtual cluster's page in the AWS console."""
        with self._aws.asking("Naming the page of the job's virtual cluster"):
            console, region = console_of(self._client)
        return f"{console}/emr/home?region={region}#/eks/clusters/{job.cluster_id}"

    def _runs(self, **conditions: Any) -> Iterator[JobState]:
        place = {"virtualClusterId": self._target.virtual_cluster_id}
        pages = self._client.get_paginator("list_job_runs").paginate(**place, **conditions)
        return (self._job_state(run) for page in pages for run in page["jobRuns"])

    def _runs_of(self, token: str, since: datetime) -> Iterator[JobState]:
        return self._runs(name=token)

    def _describe(self, job: JobState) -> dict[str, Any]:
        answer = self._client.describe_job_run(virtualClusterId=job.cluster_id, id=job.job_id)
        run: dict[str, Any] = answer["jobRun"]
        return run

    def _request_cancel(self, client: Any, job: JobState) -> None:
        client.cancel_job_run(virtualClusterId=job.cluster_id, id=job.job_id)

    def _job_state(self, run: Mapping[str, Any]) -> JobState:
        phase = phase_of(run.get("state"), _PHASES, self.title)
        driver = run.get("jobDriver", {}).get("sparkSubmitJobDriver", {})
        said = (run.get("failureReason"), run.get("stateDetails"))
        return JobState(
            run["virtualClusterId"],
            run["id"],
            phase,
            token=read_token(run.get("name") or ""),
            reason="" if phase in LIVE else " ".join(filter(None, said)),
            submitted_at=seconds_of(run.get("createdAt")),
            ended_at=seconds_of(run.get("finishedAt")),
            owner=property_of(shlex.split(driver.get("sparkSubmitParameters", "")), OWNER_PROPERTY),
            kind=EmrOnEks.kind,
        )


def _driver_files(s3: Any, folder: str) -> list[str]:
    """
    Return the URLs of the driver's log files.

    Between the folder and the driver's there is one whose name only Spark knows: ``<application>/<job>-driver/``. Of a
    job with more than a thousand files, which are its executors', those of the driver come first or are not found.
    """
    bucket, prefix = split_url(folder)
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]
    names = ("-driver/stderr.gz", "-driver/stdout.gz")
    return [f"s3://{bucket}/{key}" for key in keys if key.endswith(names)]
