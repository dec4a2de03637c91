"""
The parts of the EMR on EKS API that moto lacks: jobs that wait, client tokens, times, and cancelling by steps.

moto says that a job runs as soon as it is submitted, and for ever. After ``patch_emr_on_eks``, every job waits as
SUBMITTED until somebody moves it, and the same client token gives the same job.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from moto.config.exceptions import ValidationException
from moto.core.utils import utcnow
from moto.emrcontainers.exceptions import ResourceNotFoundException
from moto.emrcontainers.models import EMRContainersBackend, JobRun

ENDED = frozenset({"COMPLETED", "FAILED", "CANCELLED"})

_moto_job_init = JobRun.__init__
_moto_start = EMRContainersBackend.start_job_run


def _job_init(self: Any, *arguments: Any, **named: Any) -> None:
    _moto_job_init(self, *arguments, **named)
    self.state, self.created_at = "SUBMITTED", utcnow()


def _start(self: Any, virtual_cluster_id: str, client_token: str, **named: Any) -> Any:
    for job in self.job_runs.values():
        if (job.virtual_cluster_id, job.client_token) == (virtual_cluster_id, client_token):
            return job
    return _moto_start(self, virtual_cluster_id=virtual_cluster_id, client_token=client_token, **named)


def _list(
    self: Any, virtual_cluster_id: str, created_before: Any, created_after: Any, name: str, states: list[str] | None
) -> list[Any]:
    if virtual_cluster_id not in self.virtual_clusters:
        raise ResourceNotFoundException(f"Virtual cluster {virtual_cluster_id} doesn't exist.")
    return [
        job
        for job in reversed(self.job_runs.values())
        if job.virtual_cluster_id == virtual_cluster_id
        and (not states or job.state in states)
        and (not name or job.name == name)
        and (not created_after or _utc(job.created_at).timestamp() >= _seconds(created_after))
        and (not created_before or _utc(job.created_at).timestamp() <= _seconds(created_before))
    ]


def _seconds(time: Any) -> float:
    return _utc(datetime.fromisoformat(str(time))).timestamp()


def _utc(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)  # moto's own times have no zone


def _cancel(self: Any, job_run_id: str, virtual_cluster_id: str) -> Any:
    job = self.describe_job_run(job_run_id, virtual_cluster_id)
    if job.state in ENDED or job.state == "CANCEL_PENDING":
        raise ValidationException(f"Job run {job_run_id} is not in a cancellable state")
    if job.state == "RUNNING":
        job.state = "CANCEL_PENDING"
    else:
        end_job(job, "CANCELLED")
    return job


def end_job(job: Any, state: str, details: str | None = None) -> None:
    job.state, job.state_details, job.finished_at = state, details, utcnow()


def patch_emr_on_eks() -> None:
    """Add the missing parts to moto's EMR on EKS in this process; further calls change nothing."""
    JobRun.__init__ = _job_init
    EMRContainersBackend.start_job_run = _start
    EMRContainersBackend.list_job_runs = _list
    EMRContainersBackend.cancel_job_run = _cancel
