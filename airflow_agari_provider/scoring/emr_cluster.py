"""The EMR cluster that a job runs on: which one to use, or how to create it."""

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
    There is no cluster to submit to, and no new one may be created.

    :param wanted: what was looked for, as text.
    """

    def __init__(self, wanted: str) -> None:
        super().__init__(wanted)
        self.wanted = wanted

    def __str__(self) -> str:
        return (
            f"There is no live EMR cluster with {self.wanted} (a cluster that ends after its last step does not "
            "count). Start the cluster, or pass EmrCluster(create={...}) so that it is created when needed."
        )


@dataclass
class EmrCluster:
    """
    Where a job runs: a live cluster with this name or id, or a new one.

    If several live clusters have the name, a cluster that can start the step at once comes before one that cannot.
    Among these, the cluster with the fewest active steps takes the job.

    :param name: name of the cluster. Needed unless ``cluster_id`` is given.
    :param cluster_id: ``j-...``, in place of a name.
    :param create: arguments of ``run_job_flow``. If no live cluster has this name, a cluster is created with them. This
        class adds the name, the job's step and whether the cluster stays alive.
    :param keep: False: each run creates a cluster of its own, which ends with the job, even if Airflow dies.
    :param idle_timeout: idle time after which a kept cluster ends itself, 1 minute to 7 days; EMR 5.30, 6.1 or later.
        ``AutoTerminationPolicy`` in ``create`` takes precedence over it.
    :param execution_role_arn: runtime role as which the step reads and writes; its cluster needs a security
        configuration that allows it. Not with ``keep=False``: EMR takes a role only for a step on an existing cluster.
    :raises ValueError: the arguments do not say which cluster is meant, or do not go together.
    """

    kind: ClassVar[str] = "cluster"
    template_fields: ClassVar[tuple[str, ...]] = ("name", "cluster_id", "create", "execution_role_arn")

    name: str | None = None
    cluster_id: str | None = None
    create: dict[str, Any] | None = None
    keep: bool = True
    idle_timeout: timedelta = timedelta(hours=1)
    execution_role_arn: str | None = None

    def __post_init__(self) -> None:
        if bool(self.name) == bool(self.cluster_id):
            raise ValueError("EmrCluster needs either name or cluster_id")
        if self.create is not None and self.cluster_id:
            raise ValueError("EmrCluster(create=...) goes with a name: a new cluster gets its id from EMR")
        if not self.keep and self.create is None:
            raise ValueError("EmrCluster(keep=False) needs create: it means a cluster of the job's own")
        if not self.keep and self.execution_role_arn:
            raise ValueError("EmrCluster(execution_role_arn=...) does not go with keep=False")
        if not IDLE_LIMITS[0] <= self.idle_timeout.total_seconds() <= IDLE_LIMITS[1]:
            raise ValueError("EmrCluster(idle_timeout=...) must be between 1 minute and 7 days")

    def __str__(self) -> str:
        return f"name {self.name!r}" if self.name else f"id {self.cluster_id!r}"

    def serialize(self) -> dict[str, Any]:
        """Return the target as a dictionary: Airflow's web pages then mask the values whose keys look like secrets."""
        given = {**asdict(self), "idle_timeout": self.idle_timeout.total_seconds()}
        return given if self.execution_role_arn else {key: given[key] for key in given if key != "execution_role_arn"}


def cluster_request(target: EmrCluster, step: Mapping[str, Any], token: str) -> dict[str, Any]:
    """
    Return the arguments of ``run_job_flow``.

    The one request contains both the step and the rule for the cluster's end, so that no cluster can be left running
    when a later request fails. A step with a runtime role is not in it, because EMR takes none there.
    """
    create = target.create or {}
    request = {
        **create,
        "Name": target.name,
        "Instances": {**create.get("Instances", {}), "KeepJobFlowAliveWhenNoSteps": target.keep},
        "Steps": [*create.get("Steps", []), *([] if target.execution_role_arn else [step])],
        "Tags": [*create.get("Tags", []), {"Key": RUN_TAG, "Value": token}],
    }
    if target.keep:
        request.setdefault("AutoTerminationPolicy", {"IdleTimeout": int(target.idle_timeout.total_seconds())})
    return request


def never_started(cluster: Mapping[str, Any]) -> bool:
    """
    Whether a cluster ended with errors before it was ready, so that another one may start: EC2 had no such instances,
    for instance. A request that EMR calls invalid would fail again.

    :param cluster: EMR's ``Cluster``.
    """
    status = cluster["Status"]
    ready = status.get("Timeline", {}).get("ReadyDateTime")
    code = (status.get("StateChangeReason") or {}).get("Code")
    ended = status["State"] in ("TERMINATING", "TERMINATED_WITH_ERRORS")
    return ended and ready is None and code not in ("USER_REQUEST", "VALIDATION_ERROR")


def cluster_end(cluster: Mapping[str, Any]) -> str | None:
    """
    Return why a cluster ended or is ending, as a sentence; None if it lives, or ended because its steps were done.

    A step only says "Job terminated" when its cluster ended under it.

    :param cluster: EMR's ``Cluster``.
    """
    status = cluster["Status"]
    reason = status.get("StateChangeReason") or {}
    code, message = reason.get("Code") or "", reason.get("Message") or ""
    if not status["State"].startswith("TERMINAT") or code == "ALL_STEPS_COMPLETED" or message == "Steps completed":
        return None
    who = {
        "USER_REQUEST": "was ended by a person or a program",
        "STEP_FAILURE": "was ended because a step failed",
    }.get(code, "ended with errors" if status["State"] == "TERMINATED_WITH_ERRORS" else "was ended")
    told = f"{message} ({code})" if message and code else message or code or "no reason given"
    return f"Its cluster {cluster['Id']} {who}. EMR says: {told}"
