"""
The parts of the EMR Serverless API that moto lacks: jobs that wait, client tokens, and cancelling by steps.

moto says that a job has succeeded as soon as it is submitted. After ``patch_emr_serverless``, every job waits as
SUBMITTED until somebody moves it, and the same client token gives the same job.
"""

from __future__ import annotations

from typing import Any

from moto.core.utils import utcnow
from moto.emrserverless.models import EMRServerlessBackend, JobRun

ENDED = frozenset({"SUCCESS", "FAILED", "CANCELLED"})

_moto_job_init = JobRun.__init__
_moto_start = EMRServerlessBackend.start_job_run
_moto_list = EMRServerlessBackend.list_job_runs
_moto_get = EMRServerlessBackend.get_job_run


def _job_init(self: Any, *arguments: Any, **named: Any) -> None:
    _moto_job_init(self, *arguments, **named)
    self.state, self.client_token = "SUBMITTED", named["client_token"]
    self.created_at = self.updated_at = utcnow()
    self.started_at = self.ended_at = None


def _start(self: Any, application_id: str, client_token: str, **named: Any) -> Any:
    for job in self.job_runs.get(application_id, []):
        if job.client_token == client_token:
            return job
    return _moto_start(self, application_id=application_id, client_token=client_token, **named)


def _list(self: Any, application_id: str, **conditions: Any) -> list[Any]:
    self.get_application(application_id)
    self.job_runs.setdefault(application_id, [])
    return list(reversed(_moto_list(self, application_id=application_id, **conditions)))


def _cancel(self: Any, application_id: str, job_run_id: str) -> tuple[str, str]:
    job = _moto_get(self, application_id, job_run_id)
    if job.state == "RUNNING":
        job.state = "CANCELLING"
    elif job.state not in ENDED and job.state != "CANCELLING":
        end_job(job, "CANCELLED")
    return application_id, job_run_id


def end_job(job: Any, state: str, details: str | None = None) -> None:
    job.state, job.state_details = state, details
    job.ended_at = job.updated_at = utcnow()


def patch_emr_serverless() -> None:
    """Add the missing parts to moto's EMR Serverless in this process; further calls change nothing."""
    JobRun.__init__ = _job_init
    EMRServerlessBackend.start_job_run = _start
    EMRServerlessBackend.list_job_runs = _list
    EMRServerlessBackend.cancel_job_run = _cancel
