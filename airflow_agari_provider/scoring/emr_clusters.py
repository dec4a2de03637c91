"""The EMR clusters of one target: which of them may hold a job, and which one takes the next."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.scoring.aws_requests import AwsRequests
from airflow_agari_provider.scoring.driver_memory import DRIVER_MEMORY, drivers_too_large, runs_beside_others
from airflow_agari_provider.scoring.emr_cluster import ClusterMissing, EmrCluster
from airflow_agari_provider.scoring.jobs import BackendError, SparkJob

logger = logging.getLogger(__name__)

_warned: set[str] = set()  # clusters whose drivers are too large

ACTIVE_STEP_LIMIT = 256  # steps that wait or run on one cluster; EMR API reference, AddJobFlowSteps
ENDED_CLUSTERS_SEARCHED = 50  # with keep=False each run has a cluster, so a search of all would never end
STEPS_SEARCHED = 1000  # of each cluster: the newest

ACCEPTING = ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING")
ACTIVE_STEPS = ("PENDING", "CANCEL_PENDING", "RUNNING")


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


class EmrClusters:
    """
    The clusters of one target. Each method may raise what boto3 raises: call it inside of ``AwsRequests.asking``.

    :param given: needed for all but requests about a known cluster.
    """

    def __init__(self, aws: AwsRequests, given: EmrCluster | None) -> None:
        self._aws = aws
        self._given = given

    @property
    def target(self) -> EmrCluster:
        assert self._given is not None
        if not (self._given.name or self._given.cluster_id):
            raise ClusterMissing("an empty name: check what the template in EmrCluster's name renders to")
        return self._given

    def live(self) -> list[str]:
        """Return the ids of the clusters that may still run steps, the newest first; without a target, of all."""
        if self._given is not None and self.target.cluster_id:
            return [self.target.cluster_id]
        return _newest_first(self._named(ClusterStates=[*ACCEPTING, "TERMINATING"]), "CreationDateTime")

    def ended(self, since: datetime) -> list[str]:
        """
        Return the ids of the clusters that ended at this time or later, however old they are; those that ended last
        first, and no more than ``ENDED_CLUSTERS_SEARCHED``.

        EMR forgets a cluster two months after its end. A cluster in a state that this version does not know is one of
        them. Clusters that are live may be among them.
        """
        if self.target.cluster_id:
            return []
        ended = [cluster for cluster in self._named() if _time(cluster, "EndDateTime") >= since]
        if len(ended) > ENDED_CLUSTERS_SEARCHED:
            logger.info(
                "%s EMR clusters with %s lived since %s: only the %s that ended last are searched for a finished job",
                len(ended),
                self.target,
                since,
                ENDED_CLUSTERS_SEARCHED,
            )
        return _newest_first(ended, "EndDateTime")[:ENDED_CLUSTERS_SEARCHED]

    def least_busy(self) -> tuple[str, int] | None:
        """
        Return the id of the cluster to use and the number of its active steps; None if no cluster is live.

        Of clusters that are equally busy it is the oldest, so that runs which ask at once agree on one.

        :raises ClusterFull: every live cluster has as many active steps as EMR allows.
        """
        places = []
        for cluster in filter(self._accepts, map(self.describe, self._accepting())):
            active = len(list(self.steps(cluster["Id"], states=ACTIVE_STEPS)))
            busy = active >= cluster.get("StepConcurrencyLevel", 1)
            places.append((busy, active, _time(cluster, "CreationDateTime"), cluster["Id"]))
        if places and min(places)[1] >= ACTIVE_STEP_LIMIT:
            raise ClusterFull(tuple(cluster_id for *_, cluster_id in places))
        return (min(places)[3], min(places)[1]) if places else None

    def oldest(self) -> str | None:
        """Return the id of the live cluster that was created first, of those that stay; None if there is none."""
        lasting = filter(self._accepts, map(self.describe, self._accepting()))
        found = sorted((_time(cluster, "CreationDateTime"), str(cluster["Id"])) for cluster in lasting)
        return found[0][1] if found else None

    def end(self, cluster_id: str) -> None:
        """End a cluster, or only log that this is not possible: then its idle timeout ends it."""
        try:
            with self._aws.asking(f"Ending EMR cluster {cluster_id}"):
                self._aws.client_asking_once("emr").terminate_job_flows(JobFlowIds=[cluster_id])
        except BackendError as error:
            logger.warning("A cluster that nobody needs goes on until it was idle for long enough. %s", error)

    def warn_of_large_drivers(self, cluster_id: str, job: SparkJob) -> None:
        """
        Log once for each cluster if its primary node has no room for the drivers of all steps that it runs at once.

        Only of a job that says how much its driver needs: EMR does not tell its own setting.
        """
        if cluster_id in _warned or DRIVER_MEMORY not in job.spark_conf:
            return
        try:
            with self._aws.asking(f"Asking EMR for the primary node of cluster {cluster_id}"):
                cluster = self.describe(cluster_id)
                if not runs_beside_others(job, cluster):
                    return
                instance_type = self._primary_type(cluster_id)
                told = instance_type and drivers_too_large(job, cluster, instance_type, self._memory_of(instance_type))
        except Exception as error:  # noqa: BLE001 - a warning that cannot be given fails no job that runs
            logger.debug("It is not known whether the drivers fit into the primary node: %s", error)
            return
        if told:
            _warned.add(cluster_id)
            logger.warning("%s", told)

    def _primary_type(self, cluster_id: str) -> str | None:
        """Return the type of the primary node; None for instance fleets, where it is one of several."""
        groups = self._aws.client("emr").list_instance_groups(ClusterId=cluster_id)["InstanceGroups"]
        return next((str(group["InstanceType"]) for group in groups if group["InstanceGroupType"] == "MASTER"), None)

    def _memory_of(self, instance_type: str) -> float:
        found = self._aws.client("ec2").describe_instance_types(InstanceTypes=[instance_type])["InstanceTypes"]
        return float(found[0]["MemoryInfo"]["SizeInMiB"])

    def describe(self, cluster_id: str) -> dict[str, Any]:
        cluster: dict[str, Any] = self._aws.client("emr").describe_cluster(ClusterId=cluster_id)["Cluster"]
        return cluster

    def steps(
        self, cluster_id: str, since: datetime | None = None, states: Collection[str] = ()
    ) -> Iterator[dict[str, Any]]:
        """Yield the steps of a cluster that are not older than ``since``; the newest first, unless states are given."""
        conditions = {"StepStates": list(states)} if states else {}
        seen = 0
        for page in self._aws.client("emr").get_paginator("list_steps").paginate(ClusterId=cluster_id, **conditions):
            for step in page["Steps"]:
                if seen >= STEPS_SEARCHED or (since is not None and _time(step, "CreationDateTime") < since):
                    return
                seen += 1
                yield step

    def _accepting(self) -> list[str]:
        if self.target.cluster_id:
            return [self.target.cluster_id]
        return [cluster["Id"] for cluster in self._named(ClusterStates=list(ACCEPTING))]

    def _accepts(self, cluster: Mapping[str, Any]) -> bool:
        """Whether a cluster is live and stays so after its last step; a target's own ``cluster_id`` need not stay."""
        lasting = bool(self.target.cluster_id) or not cluster.get("AutoTerminate")
        return lasting and cluster["Status"]["State"] in ACCEPTING

    def _named(self, **conditions: Any) -> list[dict[str, Any]]:
        pages = self._aws.client("emr").get_paginator("list_clusters").paginate(**conditions)
        found = [item for page in pages for item in page["Clusters"]]
        return found if self._given is None else [item for item in found if item["Name"] == self.target.name]


def _newest_first(clusters: Collection[Mapping[str, Any]], time: str) -> list[str]:
    return [cluster["Id"] for cluster in sorted(clusters, key=lambda item: _time(item, time), reverse=True)]


def _time(item: Mapping[str, Any], name: str) -> datetime:
    """Return a time of a cluster or step; what EMR does not tell is as late as can be."""
    moment: datetime | None = item.get("Status", {}).get("Timeline", {}).get(name)
    return moment or datetime.max.replace(tzinfo=UTC)
