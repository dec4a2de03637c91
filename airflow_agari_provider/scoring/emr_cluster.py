"""The EMR cluster that a job is to run on: which one, or how to create it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, ClassVar

from airflow_agari_provider.exceptions import AgariError

RUN_TAG = "agari:run_token"
IDLE_LIMITS = (60, 604_800)  # seconds; EMR API reference, AutoTerminationPolicy


class ClusterMissing(AgariError):
    """
    There is no cluster to submit to, and none may be created.

    :param wanted: what was looked for, in words.
    """

    def __init__(self, wanted: str) -> None:
        super().__init__(wanted)
        self.wanted = wanted

    def __str__(self) -> str:
        return (
            f"There is no live EMR cluster with {self.wanted} (one that ends with its last step does not count). "
            "Start it, or pass EmrCluster(create={...}) so that it is created when needed."
        )


@dataclass
class EmrCluster:
    """
    Where a job runs: a live cluster of this name or id, or a new one.

    Of several clusters of one name the one with the fewest active steps takes the job, those with a free place first.

    :param name: name of the cluster. Needed unless ``cluster_id`` is given.
    :param cluster_id: ``j-...``, in place of a name.
    :param create: arguments of ``run_job_flow`` for a cluster that is created where no live one has this name; its
        name, its steps and whether it stays alive are set here.
    :param keep: False: each run creates a cluster of its own, which ends with the job whatever happens to Airflow.
    :param idle_timeout: idle time after which a kept cluster ends itself, 1 minute to 7 days; EMR 5.30, 6.1 or later.
        ``AutoTerminationPolicy`` in ``create`` goes before it.
    :raises ValueError: if the arguments leave open which cluster is meant.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("name", "cluster_id", "create")

    name: str | None = None
    cluster_id: str | None = None
    create: dict[str, Any] | None = None
    keep: bool = True
    idle_timeout: timedelta = timedelta(hours=1)

    def __post_init__(self) -> None:
        if bool(self.name) == bool(self.cluster_id):
            raise ValueError("EmrCluster needs either name or cluster_id")
        if self.create is not None and self.cluster_id:
            raise ValueError("EmrCluster(create=...) goes with a name: a new cluster gets its id from EMR")
        if not self.keep and self.create is None:
            raise ValueError("EmrCluster(keep=False) needs create: it means a cluster of the job's own")
        if not IDLE_LIMITS[0] <= self.idle_timeout.total_seconds() <= IDLE_LIMITS[1]:
            raise ValueError("EmrCluster(idle_timeout=...) must be between 1 minute and 7 days")

    def __str__(self) -> str:
        return f"name {self.name!r}" if self.name else f"id {self.cluster_id!r}"

    def serialize(self) -> dict[str, Any]:
        """As a dictionary, in which Airflow's web pages mask what its keys call secret."""
        return {**asdict(self), "idle_timeout": self.idle_timeout.total_seconds()}


def cluster_request(target: EmrCluster, step: Mapping[str, Any], token: str) -> dict[str, Any]:
    """Arguments of ``run_job_flow``: the step is in it, and the end of the cluster too, so that nothing can leak."""
    create = target.create or {}
    request = {
        **create,
        "Name": target.name,
        "Instances": {**create.get("Instances", {}), "KeepJobFlowAliveWhenNoSteps": target.keep},
        "Steps": [*create.get("Steps", []), step],
        "Tags": [*create.get("Tags", []), {"Key": RUN_TAG, "Value": token}],
    }
    if target.keep:
        request.setdefault("AutoTerminationPolicy", {"IdleTimeout": int(target.idle_timeout.total_seconds())})
    return request
