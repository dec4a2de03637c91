"""
EMR's rules about which step may start, and what follows when a step ends. They use moto's state of EMR (the "books").

A runner (``runner``) asks over HTTP. ``orders`` tells it which steps to start and which to stop; ``finish`` reports the
end of a step together with its output. A step is given to one node only, and only once, even if the node dies. In one
request, the output becomes visible in S3 and the step becomes COMPLETED: so a runner that dies leaves all of its output
or none.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from moto.core.utils import utcnow
from moto.emr.models import emr_backends
from moto.s3.models import s3_backends
from moto.utilities.utils import get_partition

from airflow_agari_provider.local.emr import job_runs
from airflow_agari_provider.local.emr.api import LIVE, TERMINATED, end_step, idle_timeout


def orders(node: str, running: list[str], free: int) -> dict[str, Any]:
    """
    Return what a node has to do now: ``{"start": [step...], "stop": [step id...], "kill": [step id...]}``.

    A step to stop gets a signal that it may ignore, as on EMR. Job runs of EMR Serverless and EMR on EKS are given like
    steps.

    :param node: name of the node; it is the same after the node died and was started again.
    :param running: ids of the steps that the node runs.
    :param free: how many more steps it can take.
    """
    now = utcnow()
    start: list[dict[str, Any]] = []
    for cluster in _clusters():
        settle(cluster, now)
        for step in _startable(cluster)[: free - len(start)]:
            step.state, step.start_date_time, step.owner = "RUNNING", now, node
            start.append(_order(cluster, step))
    start += job_runs.start(node, free - len(start))
    states = {step.id: (step.state, step.killed) for _, step in _steps()} | job_runs.states()
    ending = {step_id: states.get(step_id, ("", True)) for step_id in running}
    stop = [step_id for step_id, state in ending.items() if state == ("CANCEL_PENDING", False)]
    kill = [step_id for step_id, (state, _) in ending.items() if state != "RUNNING" and step_id not in stop]
    return {"start": start, "stop": stop, "kill": kill}


def held(node: str) -> list[dict[str, Any]]:
    """Return the steps that this node runs according to the books. A node that has just started died during them."""
    steps = [_order(cluster, step) for cluster, step in _steps() if step.state in LIVE and step.owner == node]
    return steps + job_runs.held(node)


def finish(
    node: str,
    cluster_id: str,
    step_id: str,
    state: str,
    reason: str | None = None,
    failure_details: dict[str, str] | None = None,
    uploads: list[dict[str, str]] | None = None,
    deletions: list[dict[str, str]] | None = None,
) -> bool:
    """
    End a step.

    :param uploads: multipart uploads of one part each, ``{"bucket", "key", "upload_id", "etag"}``; the objects become
        visible in this order.
    :param deletions: ``{"bucket", "key"}`` of objects that the job deleted.
    :return: False if the step does not belong to this node (any more); then nothing was changed.
    """
    details = (failure_details or {}).get("Message") or reason
    if (backend := job_runs.finish(node, step_id, state, details)) is not None:
        _publish(backend, uploads or [], deletions or [])
        return True
    found = [(c, s) for c, s in _steps() if (c.id, s.id) == (cluster_id, step_id)]
    if not found or found[0][1].state not in LIVE or found[0][1].owner != node:
        return False
    cluster, step = found[0]
    _publish(cluster.emr_backend, uploads or [], deletions or [])
    end_step(step, state, reason)
    step.failure_details = failure_details
    if state == "FAILED":
        _act_on_failure(cluster, step)
    settle(cluster, utcnow())
    return True


def settle(cluster: Any, now: datetime) -> None:
    """
    Set a cluster's state according to its steps.

    End the cluster if all its steps have ended and it should not wait for more, or if it was idle for too long.
    """
    if cluster.state in TERMINATED:
        return
    if any(step.state == "PENDING" or step.state in LIVE for step in cluster.steps):
        cluster.state = "RUNNING"
        return
    cluster.state = "WAITING"
    if cluster.auto_terminate and cluster.steps:
        _terminate(cluster, "Steps completed")
    elif (seconds := idle_timeout(cluster)) is not None and now - _idle_since(cluster) >= timedelta(seconds=seconds):
        _terminate(cluster, f"Idle for {seconds} seconds")


def _clusters() -> Iterator[Any]:
    for regions in list(emr_backends.values()):
        for backend in list(regions.values()):
            yield from list(backend.clusters.values())


def _steps() -> Iterator[tuple[Any, Any]]:
    return ((cluster, step) for cluster in _clusters() for step in cluster.steps)


def _startable(cluster: Any) -> list[Any]:
    if cluster.state in TERMINATED:
        return []
    slots = (cluster.step_concurrency_level or 1) - sum(step.state in LIVE for step in cluster.steps)
    return [step for step in cluster.steps if step.state == "PENDING"][: max(0, slots)]


def _order(cluster: Any, step: Any) -> dict[str, Any]:
    return {
        "cluster_id": cluster.id,
        "step_id": step.id,
        "log_uri": cluster.log_uri,
        "jar": step.jar,
        "arguments": list(step.args),
    }


def _publish(backend: Any, uploads: list[dict[str, str]], deletions: list[dict[str, str]]) -> None:
    s3 = s3_backends[backend.account_id][get_partition(backend.region_name)]
    for gone in deletions:
        s3.delete_object(gone["bucket"], gone["key"])
    for upload in uploads:
        s3.complete_multipart_upload(upload["bucket"], upload["upload_id"], [(1, upload["etag"])])


def _act_on_failure(cluster: Any, failed: Any) -> None:
    if failed.action_on_failure == "CONTINUE":
        return
    for step in cluster.steps:
        if step.state == "PENDING":
            end_step(step, "CANCELLED", f"Step {failed.id} failed")
    if failed.action_on_failure in ("TERMINATE_CLUSTER", "TERMINATE_JOB_FLOW"):
        _terminate(cluster, "Shut down as step failed", "TERMINATED_WITH_ERRORS")


def _terminate(cluster: Any, reason: str, state: str = "TERMINATED") -> None:
    cluster.terminate()
    cluster.state, cluster.last_state_change_reason = state, reason


def _idle_since(cluster: Any) -> datetime:
    ends = [step.end_date_time for step in cluster.steps if step.end_date_time]
    latest: datetime = max([cluster.ready_datetime, *ends])
    return latest
