"""Spark jobs on an EMR cluster. A job is a step; the run token among its arguments identifies it later."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from airflow_agari_provider.scoring.aws_requests import AwsRequests, Connect, console_of
from airflow_agari_provider.scoring.driver_log import DriverLog, read_tails
from airflow_agari_provider.scoring.emr_cluster import (
    ClusterMissing,
    EmrCluster,
    cluster_end,
    cluster_request,
    never_started,
)
from airflow_agari_provider.scoring.emr_clusters import ACCEPTING, ACTIVE_STEPS, EmrClusters
from airflow_agari_provider.scoring.emr_steps import job_state, log_files, step_of
from airflow_agari_provider.scoring.jobs import BackendRefused, BackendUnavailable, JobState, SparkJob

logger = logging.getLogger(__name__)


class EmrClusterJobs:
    """
    The jobs of one target.

    :param aws: requests to AWS; or what opens a boto3 session for them.
    :param target: needed to find and to submit jobs, but not for requests about a known job.
    """

    def __init__(self, aws: AwsRequests | Connect, target: EmrCluster | None = None) -> None:
        self._aws = aws if isinstance(aws, AwsRequests) else AwsRequests(aws)
        self._clusters = EmrClusters(self._aws, target)

    def find(self, tokens: Sequence[str], since: datetime, live_only: bool = False) -> list[JobState]:
        """
        Return the jobs that carry one of the tokens, the oldest first: all live ones, or the finished one to take over.

        For a finished job, each cluster's newest steps are searched until one that succeeded is found: first on live
        clusters, then on those that ended last (``ENDED_CLUSTERS_SEARCHED``, ``STEPS_SEARCHED``).

        :param tokens: this run's own first; only its finished job is looked for.
        :param since: none of these jobs was submitted before this time.
        :param live_only: look for live jobs only, which takes few requests.
        """
        with self._aws.asking(f"Looking for steps on EMR clusters with {self._clusters.target}"):
            live = self._clusters.live()
            jobs = [job for cluster_id in live for job in self._jobs(cluster_id, states=ACTIVE_STEPS)]
            young = (job for job in jobs if job.submitted_at is None or job.submitted_at >= since.timestamp())
            found = {job.job_id: job for job in young if job.token in tokens}
            if not live_only and not any(job.token == tokens[0] for job in found.values()):
                found |= {job.job_id: job for job in self._ended(tokens, since, live)}
        return sorted(found.values(), key=lambda job: (job.submitted_at or 0, job.job_id))

    def _ended(self, tokens: Sequence[str], since: datetime, live: Sequence[str]) -> Iterator[JobState]:
        def clusters() -> Iterator[str]:
            yield from live
            yield from (cluster_id for cluster_id in self._clusters.ended(since) if cluster_id not in live)

        for cluster_id in clusters():
            for job in self._jobs(cluster_id, since):
                if job.token in tokens:
                    yield job
                    if job.token == tokens[0] and job.phase not in ("FAILED", "CANCELLED"):
                        return

    def live_jobs(self) -> list[JobState]:
        """Return every live job with a run token; without a target, on all live clusters."""
        with self._aws.asking("Looking for live steps on EMR clusters"):
            return [
                job
                for cluster_id in self._clusters.live()
                for job in self._jobs(cluster_id, states=ACTIVE_STEPS)
                if job.token
            ]

    def submit(self, job: SparkJob, token: str) -> JobState:
        """
        Submit a new step to the least busy cluster, or to a new one.

        :raises ClusterMissing: there is no live cluster, and the target does not say how to create one.
        :raises ClusterFull: every live cluster has as many active steps as EMR allows.
        :raises BackendUnavailable: EMR may still have accepted the step: look for it before you submit again.
        """
        step = step_of(job, token)
        cluster = None if self._own_cluster else self._least_busy()
        if cluster is not None:
            submitted = self._add_step(*cluster, step, token)
            self._clusters.warn_of_large_drivers(submitted.cluster_id, job)
            return submitted
        if self._clusters.target.create is None:
            raise ClusterMissing(str(self._clusters.target))
        return self._run_job_flow(step, token)

    def state(self, job: JobState) -> JobState:
        with self._aws.asking(f"Asking EMR for step {job.job_id} of cluster {job.cluster_id}"):
            return job_state(job.cluster_id, self._describe(job))

    def cancel(self, job: JobState, force: bool = False) -> None:
        """
        Ask EMR to cancel the step, and do not wait until it has ended. A step that has ended does not change.

        The request is sent once: the caller knows how long it may ask again.

        :param force: kill the step's process (``TERMINATE_PROCESS``) instead of asking it to stop.
        """
        option = "TERMINATE_PROCESS" if force else "SEND_INTERRUPT"
        with self._aws.asking(f"Cancelling {job}"):
            answer = self._aws.client_asking_once("emr").cancel_steps(
                ClusterId=job.cluster_id, StepIds=[job.job_id], StepCancellationOption=option
            )
        for step in answer["CancelStepsInfoList"]:
            logger.info("Asked EMR to cancel %s: %s %s", job, step["Status"], step.get("Reason", ""))

    def driver_log(self, job: JobState, lines: int) -> DriverLog:
        """
        Return the end of the driver's stdout and stderr, as far as they are on S3.

        EMR copies logs to S3 every few minutes, and once more after the step has ended.

        :param lines: of each log file.
        """
        with self._aws.asking(f"Looking for the log of {job}"):
            step = self._describe(job)
            log_uri = step.get("LogUri") or self._clusters.describe(job.cluster_id).get("LogUri")
            if not log_uri:
                return DriverLog(None)
            folder = f"{log_uri.rstrip('/')}/{job.cluster_id}/steps/{job.job_id}/"
            urls = [f"{folder}stderr.gz", f"{folder}stdout.gz", *log_files(step)]
            return DriverLog(folder, read_tails(self._aws.client("s3"), urls, lines))

    def usage(self, job: JobState) -> dict[str, Any]:
        """Return the normalized instance hours of the whole cluster since its start: EMR does not count by step."""
        with self._aws.asking(f"Asking EMR for the usage of cluster {job.cluster_id}"):
            return {
                "cluster_normalized_instance_hours": self._clusters.describe(job.cluster_id).get(
                    "NormalizedInstanceHours"
                )
            }

    def why_cluster_ended(self, job: JobState) -> str | None:
        """Return why the job's cluster ended, as a sentence; None if it lives, or ended because its steps were done."""
        with self._aws.asking(f"Asking EMR for cluster {job.cluster_id}"):
            return cluster_end(self._clusters.describe(job.cluster_id))

    def console_url(self, job: JobState) -> str:
        """Return the URL of the cluster's page in the AWS console."""
        with self._aws.asking("Naming the page of the job's cluster"):
            console, region = console_of(self._aws.client("emr"))
        return f"{console}/emr/home?region={region}#/clusterDetails/{job.cluster_id}"

    # clusters

    @property
    def _own_cluster(self) -> bool:
        return self._clusters.target.create is not None and not self._clusters.target.keep

    def _least_busy(self) -> tuple[str, int] | None:
        with self._aws.asking(f"Looking for an EMR cluster with {self._clusters.target}"):
            return self._clusters.least_busy()

    def _run_job_flow(self, step: dict[str, Any], token: str) -> JobState:
        request = cluster_request(self._clusters.target, step, token)
        with self._aws.asking(f"Creating EMR cluster {self._clusters.target.name!r}"):
            cluster_id = self._aws.client_asking_once("emr").run_job_flow(**request)["JobFlowId"]
        end = "when it is idle for too long" if self._clusters.target.keep else "after this step"
        logger.info("Created EMR cluster %s (%s), which ends %s", cluster_id, self._clusters.target.name, end)
        if self._clusters.target.execution_role_arn:
            self._share_the_older_cluster(cluster_id)
            return self._add_step(cluster_id, 0, step, token)
        with self._aws.asking(f"Asking EMR for the steps of new cluster {cluster_id}"):
            jobs = list(self._jobs(cluster_id))
        for job in jobs:
            if job.token == token:
                self._share_the_older_cluster(cluster_id, job)
                logger.info("Submitted %s, which runs once the cluster has started", job)
                return job
        raise BackendUnavailable(f"Submitting a step to new EMR cluster {cluster_id}", "it does not list the step yet")

    def _share_the_older_cluster(self, new: str, job: JobState | None = None) -> None:
        """
        Give up a new cluster if another run created one of the same name at the same time.

        :param job: the job that it was created with.
        :raises BackendUnavailable: the job is cancelled and the new cluster ends: submit to the other one.
        """
        target = self._clusters.target
        if not target.keep:
            return
        with self._aws.asking(f"Looking for other new EMR clusters with {target}"):
            other = self._clusters.oldest()
            active = len(list(self._jobs(new, states=ACTIVE_STEPS)))
        if other in (None, new) or active > (job is not None) + len((target.create or {}).get("Steps", [])):
            return  # the older one stays; and so does one that has been given a step of another run
        if job is not None:
            self.cancel(job)
        self._clusters.end(new)
        raise BackendUnavailable(
            f"Creating EMR cluster {target.name!r}",
            f"another run created {other} at the same time: {new} ends, and both runs share {other}",
        )

    def failed_start(self, job: JobState) -> str | None:
        """Return why the cluster of a job ended before it was ready, if a new one may do better; otherwise None."""
        if self._clusters.target.create is None:
            return None
        with self._aws.asking(f"Asking EMR for cluster {job.cluster_id}"):
            cluster = self._clusters.describe(job.cluster_id)
        return cluster_end(cluster) if never_started(cluster) else None

    # steps

    def _add_step(self, cluster_id: str, active: int, step: dict[str, Any], token: str) -> JobState:
        try:
            with self._aws.asking(f"Submitting a step to EMR cluster {cluster_id}"):
                emr = self._aws.client_asking_once("emr")
                role = self._clusters.target.execution_role_arn
                more = {"ExecutionRoleArn": role} if role else {}
                step_id = emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=[step], **more)["StepIds"][0]
        except BackendRefused as error:
            with self._aws.asking(f"Asking EMR for cluster {cluster_id}"):
                ending = self._clusters.describe(cluster_id)["Status"]["State"] not in ACCEPTING
            if (
                ending and not self._clusters.target.cluster_id
            ):  # its idle timeout ended it meanwhile: take another cluster
                raise BackendUnavailable(error.request, error.answer) from error
            raise
        job = JobState(cluster_id, step_id, token=token)
        logger.info("Submitted %s; active steps ahead of it: %s", job, active)
        return job

    def _jobs(self, cluster_id: str, since: datetime | None = None, states: Collection[str] = ()) -> Iterator[JobState]:
        return (job_state(cluster_id, step) for step in self._clusters.steps(cluster_id, since, states))

    def _describe(self, job: JobState) -> dict[str, Any]:
        emr = self._aws.client("emr")
        step: dict[str, Any] = emr.describe_step(ClusterId=job.cluster_id, StepId=job.job_id)["Step"]
        return step
