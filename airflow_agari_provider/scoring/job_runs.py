"""What EMR Serverless and EMR on EKS have in common: jobs are job runs, with a client token, and are only cancelled."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from airflow_agari_provider.scoring.aws_requests import AwsRequests
from airflow_agari_provider.scoring.job_lists import JobLists
from airflow_agari_provider.scoring.jobs import BackendRefused, JobState, Phase

logger = logging.getLogger(__name__)

Target = TypeVar("Target")


class JobRuns(Generic[Target]):
    """
    The job runs of one application, or of one virtual cluster.

    :cvar service: of boto3.
    :cvar title: of the service, for people.
    :cvar place: what a job runs on, for people.
    :cvar live_states: the service's names of the states of live jobs.
    :param aws: requests to AWS.
    :param target: needed to find and to submit jobs, but not for requests about a known job.
    """

    service: ClassVar[str]
    title: ClassVar[str]
    place: ClassVar[str]
    live_states: ClassVar[list[str]]

    def __init__(self, aws: AwsRequests, target: Target | None = None) -> None:
        self._aws = aws
        self._given = target
        self._lists = JobLists()

    # what each service does in its own way

    def _runs(self, **conditions: Any) -> Iterator[JobState]:
        """Yield the target's jobs, the newest first; they tell less than ``_state``."""
        raise NotImplementedError

    def _runs_of(self, token: str, since: datetime) -> Iterator[JobState]:
        """Yield the jobs among which those of one token are; none is older than ``since``."""
        raise NotImplementedError

    def _describe(self, job: JobState) -> dict[str, Any]:
        raise NotImplementedError

    def _job_state(self, run: Mapping[str, Any]) -> JobState:
        raise NotImplementedError

    def _request_cancel(self, client: Any, job: JobState) -> None:
        raise NotImplementedError

    # what is the same

    def find(self, tokens: Sequence[str], since: datetime, live_only: bool = False) -> list[JobState]:
        """As ``EmrClusterJobs.find``. A finished job is looked for among ``job_lists.RUNS_SEARCHED`` job runs."""
        with self._aws.asking(f"Looking for jobs on the {self.place} with {self._target}"):
            live, every = self._runs(states=self.live_states), self._runs_of(tokens[0], since)
            return self._lists.find(tokens, live, every, live_only)

    def live_jobs(self) -> list[JobState]:
        """Return every live job of the target with a run token."""
        with self._aws.asking(f"Looking for live jobs on the {self.place} with {self._target}"):
            return [self._state(job) for job in self._runs(states=self.live_states) if job.token]

    def state(self, job: JobState) -> JobState:
        with self._aws.asking(f"Asking {self.title} for {job}"):
            return self._state(job)

    def cancel(self, job: JobState, force: bool = False) -> None:
        """
        Ask the service to cancel the job. It has no harder way to do so: ``force`` repeats the request.

        A job that has ended, or is being cancelled, does not change; a service may refuse the request then.
        """
        try:
            with self._aws.asking(f"Cancelling {job}"):
                self._request_cancel(self._aws.client_asking_once(self.service), job)
        except BackendRefused:
            if self.state(job).phase in ("PENDING", "RUNNING", "UNKNOWN"):
                raise
        else:
            logger.info("Asked %s to cancel %s", self.title, job)

    def why_cluster_ended(self, job: JobState) -> None:
        """There is no cluster of the job's own that could end."""

    def failed_start(self, job: JobState) -> None:
        """As ``why_cluster_ended``."""

    @property
    def _client(self) -> Any:
        return self._aws.client(self.service)

    @property
    def _target(self) -> Target:
        assert self._given is not None
        return self._given

    def _state(self, job: JobState) -> JobState:
        return self._job_state(self._describe(job))


def states_of(phases: Mapping[str, Phase], live: frozenset[Phase]) -> list[str]:
    """Return a service's names of the states of live jobs."""
    return [state for state, phase in phases.items() if phase in live]


def with_logs(overrides: Mapping[str, Any] | None, log_uri: str | None) -> dict[str, Any]:
    """Return ``configurationOverrides`` with the place for logs, unless they name one."""
    merged = dict(overrides or {})
    if log_uri:
        monitoring = dict(merged.get("monitoringConfiguration") or {})
        monitoring.setdefault("s3MonitoringConfiguration", {"logUri": log_uri})
        merged["monitoringConfiguration"] = monitoring
    return merged


def log_uri_of(run: Mapping[str, Any]) -> str:
    """Return where a job run keeps its logs on S3, without a slash at the end; empty if it keeps none."""
    monitoring = (run.get("configurationOverrides") or {}).get("monitoringConfiguration") or {}
    return str((monitoring.get("s3MonitoringConfiguration") or {}).get("logUri") or "").rstrip("/")
