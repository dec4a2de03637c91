"""
Spark jobs of a Livy server. A job is a batch; its name begins with the run token, which identifies it later.

Livy's REST API: https://livy.apache.org/docs/latest/rest-api.html
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.scoring.driver_log import DriverLog, tail_of
from airflow_agari_provider.scoring.job_lists import JobLists
from airflow_agari_provider.scoring.jobs import (
    LIVE,
    BackendRefused,
    BackendUnavailable,
    JobState,
    Phase,
    SparkJob,
    phase_of,
)
from airflow_agari_provider.scoring.livy import LivySpark, batch_request, token_and_owner
from airflow_agari_provider.scoring.rest_requests import RestAddress, RestRequests

logger = logging.getLogger(__name__)

PAGE = 200  # batches of one answer
OVERLAP = 20  # of two pages: Livy may forget as many old batches between them, and the others move up
PAGES = 200  # so many at most

# Source: Livy's SessionState. A batch is ``recovering`` after Livy has restarted.
_PHASES: Mapping[str, Phase] = {
    "not_started": "PENDING",
    "starting": "PENDING",
    "recovering": "PENDING",
    "idle": "RUNNING",
    "running": "RUNNING",
    "busy": "RUNNING",
    "shutting_down": "CANCELLING",
    "error": "FAILED",
    "dead": "FAILED",
    "killed": "CANCELLED",
    "success": "SUCCEEDED",
}


class LivyTooOld(AgariError):
    """
    A Livy that does not tell the names of its batches, so a retry would not find its job.

    :param url: its address.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url

    def __str__(self) -> str:
        return (
            f"Livy at {self.url} does not tell the names of its batches, so a retry would run the job a second time: "
            "the batch was cancelled. LivySpark needs Livy 0.7 or later."
        )


class LivyJobs:
    """
    The jobs of one Livy server.

    :param connect: returns the address of a connection; it is called with the connection's id.
    :param target: needed to find and to submit jobs, but not for requests about a known job.
    """

    def __init__(self, connect: Callable[[str], RestAddress], target: LivySpark | None = None) -> None:
        self._connect = connect
        self._given = target
        self._lists = JobLists()
        self._servers: dict[str, RestRequests] = {}
        self._deleted: set[str] = set()

    def find(self, tokens: Sequence[str], since: datetime, live_only: bool = False) -> list[JobState]:
        """As ``EmrClusterJobs.find``. Livy forgets a finished batch, by default ten minutes after its end."""
        batches = list(self._batches())
        live = (job for job in batches if job.live)
        return self._lists.find(tokens, live, reversed(batches), live_only)

    def live_jobs(self) -> list[JobState]:
        """Return every live job with a run token."""
        return [job for job in self._batches() if job.live and job.token]

    def submit(self, job: SparkJob, token: str) -> JobState:
        """
        Start a batch. Livy refuses a second one of the same name.

        :raises BackendUnavailable: there is one already: look for it.
        :raises LivyTooOld: a retry would not find it.
        """
        conn_id = self._target.livy_conn_id
        request, server = f"Submitting a job to Livy with {self._target}", self._server(conn_id)
        body = batch_request(self._target, job, token, self._lists.failed(token))
        try:
            batch = server.post(request, "/batches", body)
        except BackendRefused as error:
            if "duplicate session name" in error.answer.lower():
                raise BackendUnavailable(error.request, error.answer) from error
            raise
        if batch.get("name") != body["name"]:
            server.delete(f"Cancelling batch {batch['id']}", f"/batches/{batch['id']}")
            raise LivyTooOld(server.url)
        submitted = _job_state(conn_id, batch, time.time())
        logger.info("Submitted %s", submitted)
        return submitted

    def state(self, job: JobState) -> JobState:
        """
        Return the state of a job. Livy gives no times: the end is the moment in which it was seen.

        :raises BackendRefused: Livy does not know the job any more, and it was not this object that cancelled it.
        """
        batch = self._batch(job)
        if batch is not None:
            return batch
        if job.job_id in self._deleted or job.phase == "CANCELLING":
            return replace(job, phase="CANCELLED", reason="It was cancelled", ended_at=time.time())
        raise BackendRefused(
            f"Asking Livy for {job}",
            "Livy does not know it any more: somebody deleted it, it ended long ago "
            "(livy.server.session.state-retain.sec), or Livy restarted without livy.server.recovery.mode=recovery",
        )

    def cancel(self, job: JobState, force: bool = False) -> None:
        """Delete the batch, which kills its application. One that has ended stays. ``force`` repeats the request."""
        batch = self._batch(job)
        if batch is None or not batch.live:
            return
        self._server(job.cluster_id).delete(f"Cancelling {job}", f"/batches/{job.job_id}")
        self._deleted.add(job.job_id)
        logger.info("Asked Livy to cancel %s", job)

    def driver_log(self, job: JobState, lines: int) -> DriverLog:
        """Return the end of the log of spark-submit, which is the driver's if the driver runs beside Livy."""
        server, path = self._server(job.cluster_id), f"/batches/{job.job_id}/log"
        answer = server.get(f"Looking for the log of {job}", f"{path}?size={2 * lines}")
        if answer is None:
            return DriverLog(None, no_logs="Livy has its log no more.")
        url = server.url + path
        return DriverLog(url, (tail_of(url, map(str, answer.get("log", [])), 2 * lines, datetime.now(UTC)),))

    def usage(self, job: JobState) -> dict[str, Any]:
        """Return nothing: Livy does not tell what a job used."""
        return {}

    def why_cluster_ended(self, job: JobState) -> None:
        """Livy does not tell."""

    def failed_start(self, job: JobState) -> None:
        """As ``why_cluster_ended``."""

    def console_url(self, job: JobState) -> str:
        """Return the URL of the batch's page in Livy."""
        return f"{self._server(job.cluster_id).url}/ui/batch/{job.job_id}/log"

    # parts

    @property
    def _target(self) -> LivySpark:
        assert self._given is not None
        return self._given

    def _server(self, conn_id: str) -> RestRequests:
        if conn_id not in self._servers:
            self._servers[conn_id] = RestRequests(lambda: self._connect(conn_id))
        return self._servers[conn_id]

    def _batch(self, job: JobState) -> JobState | None:
        """Return the job as Livy has it; None if it has none. After a restart, Livy may give its id to another one."""
        found = self._server(job.cluster_id).get(f"Asking Livy for {job}", f"/batches/{job.job_id}")
        if found is None:
            return None
        state = _job_state(job.cluster_id, found, job.submitted_at)
        return state if not job.token or state.token == job.token else None

    def _batches(self) -> Iterator[JobState]:
        """Yield every batch once, in the order of their ids."""
        conn_id, start = self._target.livy_conn_id, 0
        seen: set[int] = set()
        request = f"Looking for batches of Livy with {self._target}"
        for _ in range(PAGES):
            answer = self._server(conn_id).get(request, f"/batches?from={start}&size={PAGE}")
            if answer is None:
                raise BackendRefused(request, "there is no /batches; is the connection's host Livy's?")
            for batch in answer["sessions"]:
                if batch["id"] not in seen:
                    seen.add(batch["id"])
                    yield _job_state(conn_id, batch)
            if start + len(answer["sessions"]) >= answer["total"] or not answer["sessions"]:
                return
            start += PAGE - OVERLAP
        raise BackendRefused(request, f"it has more than {start} batches")


def _job_state(conn_id: str, batch: Mapping[str, Any], submitted_at: float | None = None) -> JobState:
    phase = phase_of(batch.get("state"), _PHASES, "Livy")
    token, owner = token_and_owner(batch.get("name") or "")
    return JobState(
        conn_id,
        str(batch["id"]),
        phase,
        token=token,
        submitted_at=submitted_at,
        ended_at=None if phase in LIVE else time.time(),
        owner=owner,
        kind=LivySpark.kind,
    )
