"""Spark jobs on an EMR cluster. A job is a step; the run token among its arguments identifies it later."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.scoring.aws_requests import AwsRequests, Connect
from airflow_agari_provider.scoring.driver_log import DriverLog, read_tail
from airflow_agari_provider.scoring.emr_cluster import ClusterMissing, EmrCluster, cluster_request
from airflow_agari_provider.scoring.emr_steps import job_state, log_files, step_of
from airflow_agari_provider.scoring.jobs import BackendRefused, BackendUnavailable, JobState, SparkJob

logger = logging.getLogger(__name__)

ACTIVE_STEP_LIMIT = 256  # steps that wait or run on one cluster; EMR API reference, AddJobFlowSteps

_CONSOLES = {"aws": "aws.amazon.com", "aws-cn": "amazonaws.cn", "aws-us-gov": "amazonaws-us-gov.com"}
_ACCEPTING = ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING")
_ENDED = ("TERMINATED", "TERMINATED_WITH_ERRORS")
_ACTIVE = ("PENDING", "CANCEL_PENDING", "RUNNING")


class ClusterFull(AgariError):
    """
    Every matching cluster has as many active steps as EMR allows.

    :param cluster_ids: ids of the clusters that were looked at.
    """

    def __init__(self, cluster_ids: tuple[str, ...]) -> None:
        super().__init__(cluster_ids)
        self.cluster_ids = cluster_ids

    def __str__(self) -> str:
        return (
            f"EMR allows {ACTIVE_STEP_LIMIT} pending or running steps in each cluster, and this limit is reached in "
            f"{', '.join(self.cluster_ids)}: nothing was submitted. Look for steps that hang, or add a cluster of the "
            "same name."
        )


class EmrClusterJobs:
    """
    The jobs of one target.

    :param connect: opens a boto3 session, see ``AwsRequests``.
    :param target: needed to find and to submit jobs, but not for requests about a known job.
    """

    def __init__(self, connect: Connect, target: EmrCluster | None = None) -> None:
        self._aws = AwsRequests(connect)
        self._target = target

    def find(self, tokens: Collection[str], since: datetime) -> list[JobState]:
        """
        Return every job that carries one of the tokens, the oldest first.

        :param since: the search stops at older steps: none of these jobs was submitted before this time.
        """
        with self._aws.asking(f"Looking for steps on EMR clusters with {self._target}"):
            jobs = [
                job_state(cluster_id, step)
                for cluster_id in self._clusters_since(since)
                for step in self._steps(cluster_id, since)
            ]
        return sorted((job for job in jobs if job.token in tokens), key=lambda job: (job.submitted_at or 0, job.job_id))

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
            return self._add_step(*cluster, step, token)
        if self.target.create is None:
            raise ClusterMissing(str(self.target))
        return self._run_job_flow(step, token)

    def state(self, job: JobState) -> JobState:
        with self._aws.asking(f"Asking EMR for step {job.job_id} of cluster {job.cluster_id}"):
            return job_state(job.cluster_id, self._describe(job))

    def cancel(self, job: JobState) -> None:
        """Ask EMR to cancel the step, and do not wait until it has ended. A step that has ended does not change."""
        with self._aws.asking(f"Cancelling {job}"):
            answer = self._aws.client("emr").cancel_steps(ClusterId=job.cluster_id, StepIds=[job.job_id])
        for step in answer["CancelStepsInfoList"]:
            logger.info("Asked EMR to cancel %s: %s %s", job, step["Status"], step.get("Reason", ""))

    def driver_log(
        self,
        job: JobState,
        lines: int,
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> DriverLog:
        """
        Return the end of the driver's stdout and stderr.

        EMR copies logs to S3 every few minutes, and once more after the step has ended. This method waits until the
        copy was made after the end or contains the script's exception, but never longer than the timeout.

        :param lines: of each log file.
        :param timeout: seconds.
        """
        with self._aws.asking(f"Looking for the log of {job}"):
            step = self._describe(job)
            log_uri = step.get("LogUri") or self._cluster(job.cluster_id).get("LogUri")
            if not log_uri:
                return DriverLog(None)
            folder = f"{log_uri.rstrip('/')}/{job.cluster_id}/steps/{job.job_id}/"
            urls = [f"{folder}stderr.gz", f"{folder}stdout.gz", *log_files(step)]
            until = clock() + timeout
            while True:
                found = [read_tail(self._aws.client("s3"), url, lines) for url in dict.fromkeys(urls)]
                driver_log = DriverLog(folder, tuple(tail for tail in found if tail is not None))
                if clock() >= until or driver_log.script_exception or driver_log.written_after(job.ended_at or 0):
                    return driver_log
                sleep(min(10, max(until - clock(), 0)))

    def usage(self, job: JobState) -> dict[str, Any]:
        """Return the normalized instance hours of the whole cluster since its start: EMR does not count by step."""
        with self._aws.asking(f"Asking EMR for the usage of cluster {job.cluster_id}"):
            return {"cluster_normalized_instance_hours": self._cluster(job.cluster_id).get("NormalizedInstanceHours")}

    def why_cluster_ended(self, job: JobState) -> str | None:
        """Return why the job's cluster ended with errors; None if it did not."""
        with self._aws.asking(f"Asking EMR for cluster {job.cluster_id}"):
            status = self._cluster(job.cluster_id)["Status"]
        if status["State"] != "TERMINATED_WITH_ERRORS":
            return None
        return str(status.get("StateChangeReason", {}).get("Message") or "no reason given")

    def console_url(self, job: JobState) -> str:
        """Return the URL of the cluster's page in the AWS console."""
        meta = self._aws.client("emr").meta
        domain = _CONSOLES.get(meta.partition, _CONSOLES["aws"])
        return f"https://console.{domain}/emr/home?region={meta.region_name}#/clusterDetails/{job.cluster_id}"

    # clusters

    @property
    def target(self) -> EmrCluster:
        assert self._target is not None
        if not (self._target.name or self._target.cluster_id):
            raise ClusterMissing("an empty name: check what the template in EmrCluster's name renders to")
        return self._target

    @property
    def _own_cluster(self) -> bool:
        return self.target.create is not None and not self.target.keep

    def _clusters_since(self, since: datetime) -> list[str]:
        if self.target.cluster_id:
            return [self.target.cluster_id]
        live = self._named(ClusterStates=[*_ACCEPTING, "TERMINATING"])
        return live + self._named(ClusterStates=list(_ENDED), CreatedAfter=since)

    def _named(self, **conditions: Any) -> list[str]:
        pages = self._aws.client("emr").get_paginator("list_clusters").paginate(**conditions)
        return [item["Id"] for page in pages for item in page["Clusters"] if item["Name"] == self.target.name]

    def _least_busy(self) -> tuple[str, int] | None:
        """Return the id of the cluster to use and the number of its active steps; None if no cluster is live."""
        with self._aws.asking(f"Looking for an EMR cluster with {self.target}"):
            ids = [self.target.cluster_id] if self.target.cluster_id else self._named(ClusterStates=list(_ACCEPTING))
            places = []
            for cluster in filter(self._accepts, map(self._cluster, ids)):
                active = len(list(self._steps(cluster["Id"], states=_ACTIVE)))
                places.append((active >= cluster.get("StepConcurrencyLevel", 1), active, cluster["Id"]))
        if places and min(places)[1] >= ACTIVE_STEP_LIMIT:
            raise ClusterFull(tuple(cluster_id for _, _, cluster_id in places))
        return (min(places)[2], min(places)[1]) if places else None

    def _accepts(self, cluster: Mapping[str, Any]) -> bool:
        """Whether a cluster is live and stays so after its last step; a target's own ``cluster_id`` need not stay."""
        lasting = bool(self.target.cluster_id) or not cluster.get("AutoTerminate")
        return lasting and cluster["Status"]["State"] in _ACCEPTING

    def _cluster(self, cluster_id: str) -> dict[str, Any]:
        cluster: dict[str, Any] = self._aws.client("emr").describe_cluster(ClusterId=cluster_id)["Cluster"]
        return cluster

    def _run_job_flow(self, step: dict[str, Any], token: str) -> JobState:
        request = cluster_request(self.target, step, token)
        with self._aws.asking(f"Creating EMR cluster {self.target.name!r}"):
            cluster_id = self._aws.client_asking_once("emr").run_job_flow(**request)["JobFlowId"]
        end = "when it is idle for too long" if self.target.keep else "after this step"
        logger.info("Created EMR cluster %s (%s), which ends %s", cluster_id, self.target.name, end)
        with self._aws.asking(f"Asking EMR for the steps of new cluster {cluster_id}"):
            jobs = [job_state(cluster_id, found) for found in self._steps(cluster_id)]
        for job in jobs:
            if job.token == token:
                logger.info("Submitted %s, which runs once the cluster has started", job)
                return job
        raise BackendUnavailable(f"Submitting a step to new EMR cluster {cluster_id}", "it does not list the step yet")

    # steps

    def _add_step(self, cluster_id: str, active: int, step: dict[str, Any], token: str) -> JobState:
        try:
            with self._aws.asking(f"Submitting a step to EMR cluster {cluster_id}"):
                emr = self._aws.client_asking_once("emr")
                step_id = emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=[step])["StepIds"][0]
        except BackendRefused as error:
            with self._aws.asking(f"Asking EMR for cluster {cluster_id}"):
                ending = self._cluster(cluster_id)["Status"]["State"] not in _ACCEPTING
            if ending and not self.target.cluster_id:  # its idle timeout ended it meanwhile: take another cluster
                raise BackendUnavailable(error.request, error.answer) from error
            raise
        job = JobState(cluster_id, step_id, token=token)
        logger.info("Submitted %s; active steps ahead of it: %s", job, active)
        return job

    def _steps(
        self, cluster_id: str, since: datetime | None = None, states: Collection[str] = ()
    ) -> Iterator[dict[str, Any]]:
        conditions = {"StepStates": list(states)} if states else {}
        for page in self._aws.client("emr").get_paginator("list_steps").paginate(ClusterId=cluster_id, **conditions):
            for step in page["Steps"]:  # EMR lists the newest first, unless states are given
                if since is not None and step["Status"]["Timeline"]["CreationDateTime"] < since:
                    return
                yield step

    def _describe(self, job: JobState) -> dict[str, Any]:
        emr = self._aws.client("emr")
        step: dict[str, Any] = emr.describe_step(ClusterId=job.cluster_id, StepId=job.job_id)["Step"]
        return step
