"""
Spark jobs of a stand-alone cluster. A job is a driver; a note on S3 says whose it is.

The REST API of Spark's master: https://spark.apache.org/docs/latest/spark-standalone.html#rest-api
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from airflow_agari_provider.scoring.aws_requests import AwsRequests
from airflow_agari_provider.scoring.driver_log import DriverLog
from airflow_agari_provider.scoring.job_lists import JobLists
from airflow_agari_provider.scoring.job_notes import JobNotes, Note
from airflow_agari_provider.scoring.job_owner import OWNER_PROPERTY
from airflow_agari_provider.scoring.jobs import (
    LIVE,
    BackendRefused,
    BackendUnavailable,
    JobState,
    Phase,
    SparkJob,
    phase_of,
)
from airflow_agari_provider.scoring.rest_requests import RestAddress, RestRequests
from airflow_agari_provider.scoring.standalone import StandaloneSpark, submission_request

logger = logging.getLogger(__name__)

# Seconds after its note for which a submission may be on its way: a request to the master ends after 15. After that,
# what can come of it is on the master's page.
ON_ITS_WAY = 20.0
CLOCK_SLACK = 5.0  # seconds: S3's clock and the master's differ

FORGOTTEN = (
    "the master does not know it any more: it keeps few ended drivers (spark.deploy.retainedDrivers), or was started "
    "anew without spark.deploy.recoveryMode"
)

# Source: Spark's DriverState
_PHASES: Mapping[str, Phase] = {
    "SUBMITTED": "PENDING",
    "RELAUNCHING": "PENDING",
    "RUNNING": "RUNNING",
    "FINISHED": "SUCCEEDED",
    "KILLED": "CANCELLED",
    "FAILED": "FAILED",
    "ERROR": "FAILED",
}


class StandaloneJobs:
    """
    The jobs of one stand-alone cluster.

    :param aws: requests to AWS, for the notes.
    :param target: needed to find and to submit jobs, but not for requests about a known job.
    """

    def __init__(self, aws: AwsRequests, target: StandaloneSpark | None = None) -> None:
        self._aws = aws
        self._given = target
        self._lists = JobLists()
        self._void: set[tuple[str, int]] = set()  # notes of submissions that have come to nothing

    def find(self, tokens: Sequence[str], since: datetime, live_only: bool = False) -> list[JobState]:
        """
        As ``EmrClusterJobs.find``, however many jobs there are.

        :raises BackendUnavailable: an attempt has died while it submitted, and a driver that is there may be its job.
        """
        noted = [self._noted(note) for token in tokens for note in self._notes.of(token)]
        found = self._lists.find(tokens, noted, (), live_only)
        return [job for job in found if job.live] if live_only else found

    def live_jobs(self) -> list[JobState]:
        """Return every live job with a note."""
        notes = {note.job_id: note for note in self._notes.all() if note.job_id}
        live = [notes[driver["id"]] for driver in self._page()["activedrivers"] if driver["id"] in notes]
        jobs = [replace(self._job(note), owner=self._notes.owner_of(note)) for note in live]
        return [job for job in jobs if job.live]

    def submit(self, job: SparkJob, token: str) -> JobState:
        """
        Submit a driver.

        :raises BackendUnavailable: the master may have accepted it, or another attempt submits at this moment.
        """
        request = f"Submitting a job to the Spark master with {self._target}"
        number = self._lists.failed(token)
        self._notes.take(token, number, str(job.spark_conf.get(OWNER_PROPERTY, "")))
        body = submission_request(self._target, job, token)
        answer = self._master(self._target.base).post(request, "/v1/submissions/create", body)
        if not answer.get("success"):
            raise BackendRefused(request, str(answer.get("message") or answer))
        job_id = str(answer["submissionId"])
        self._notes.add_id(token, number, job_id)
        place, kind = self._target.base, StandaloneSpark.kind
        submitted = JobState(place, job_id, token=token, submitted_at=time.time(), kind=kind)
        logger.info("Submitted %s", submitted)
        return submitted

    def state(self, job: JobState) -> JobState:
        """
        Return the state of a job. The master gives no times: the end is the moment in which it was seen.

        :raises BackendRefused: the master does not know the job any more.
        """
        answer = self._status(job)
        if answer is None:
            raise BackendRefused(f"Asking the Spark master for {job}", FORGOTTEN)
        return _job_state(job, answer)

    def cancel(self, job: JobState, force: bool = False) -> None:
        """Ask the master to kill the driver. One that has ended stays. ``force`` repeats the request."""
        request = f"Cancelling {job}"
        answer = self._master(job.cluster_id).post(request, f"/v1/submissions/kill/{job.job_id}")
        if not answer.get("success") and self.state(job).live:
            raise BackendRefused(request, str(answer.get("message") or answer))
        logger.info("Asked the Spark master to kill %s", job)

    def driver_log(self, job: JobState, lines: int) -> DriverLog:
        """Return where the log is: on the worker that ran the driver."""
        worker = (self._status(job) or {}).get("workerHostPort") or "its worker"
        return DriverLog(None, no_logs=f"Its log is on {worker}, in Spark's folder work/{job.job_id}/.")

    def usage(self, job: JobState) -> dict[str, Any]:
        """Return nothing: the master does not tell what a job used."""
        return {}

    def why_cluster_ended(self, job: JobState) -> None:
        """The master does not tell."""

    def failed_start(self, job: JobState) -> None:
        """As ``why_cluster_ended``."""

    def console_url(self, job: JobState) -> str:
        """Return the URL of the master's page."""
        return self._target.web

    # parts

    @property
    def _target(self) -> StandaloneSpark:
        assert self._given is not None
        return self._given

    @property
    def _notes(self) -> JobNotes:
        return JobNotes(self._aws, self._target.notes)

    def _master(self, url: str) -> RestRequests:
        return RestRequests(lambda: RestAddress(url))

    def _status(self, job: JobState) -> dict[str, Any] | None:
        """Return what the master says about a driver; None if it does not know it."""
        request = f"Asking the Spark master for {job}"
        answer: dict[str, Any] | None
        answer = self._master(job.cluster_id).get(request, f"/v1/submissions/status/{job.job_id}")
        return answer if answer and answer.get("success") else None

    def _page(self) -> dict[str, Any]:
        """Return the master's page: its drivers and applications, those that run and those that have ended."""
        request = f"Asking the Spark master at {self._target.web} for its drivers"
        answer: dict[str, Any] | None = self._master(self._target.web).get(request, "/json/")
        if answer is None or "activedrivers" not in answer:
            raise BackendRefused(request, "this is no master's page; give StandaloneSpark(ui_url=...)")
        return answer

    def _noted(self, note: Note) -> JobState:
        """Return the job of a note; for a submission that has come to nothing, one that has failed."""
        if not note.job_id and (note.token, note.number) not in self._void:
            note.job_id = self._unnamed(note)
        if note.job_id:
            return self._job(note)
        self._void.add((note.token, note.number))
        nothing, kind = f"submission {note.number} of {note.token}", StandaloneSpark.kind
        return JobState(self._target.base, nothing, "FAILED", note.token, "Nothing was submitted", kind=kind)

    def _job(self, note: Note) -> JobState:
        """Return the job of a note. One that the master has forgotten has ended, nobody knows how: as if it failed."""
        place, kind = self._target.base, StandaloneSpark.kind
        job = JobState(place, note.job_id, token=note.token, submitted_at=note.noted_at, kind=kind)
        answer = self._status(job)
        return replace(job, phase="FAILED", reason=FORGOTTEN) if answer is None else _job_state(job, answer)

    def _unnamed(self, note: Note) -> str:
        """
        Return the id of the driver that came of a submission without one; empty if nothing came of it.

        :raises BackendUnavailable: it may be on its way, or live drivers that nobody has noted may be its job.
        """
        request = f"Looking for the job that an attempt submitted to the Spark master with {self._target}"
        if time.time() - note.noted_at < ON_ITS_WAY:
            raise BackendUnavailable(request, "that attempt died, or is not ready yet; it is waited for")
        named, page = {other.job_id for other in self._notes.all()}, self._page()

        def unnamed(drivers: Iterable[Mapping[str, Any]]) -> list[str]:
            young = (driver for driver in drivers if _submitted_at(driver) >= note.noted_at - CLOCK_SLACK)
            return [str(driver["id"]) for driver in young if driver["id"] not in named]

        live = unnamed(page["activedrivers"])
        every = [*live, *unnamed(page.get("completeddrivers", ()))]
        applications = [*page.get("activeapps", ()), *page.get("completedapps", ())]
        if len(every) == 1 and any(str(app.get("name", "")).startswith(note.token) for app in applications):
            self._notes.add_id(note.token, note.number, every[0])
            return every[0]
        if live:
            raise BackendUnavailable(request, f"it may be {', '.join(live)}: no other is submitted before they end")
        return ""


def _job_state(job: JobState, answer: Mapping[str, Any]) -> JobState:
    phase = phase_of(answer.get("driverState"), _PHASES, "The Spark master")
    if phase in LIVE:
        return replace(job, phase=phase)
    reason = str(answer.get("message") or f"driver {answer.get('driverState')}")
    return replace(job, phase=phase, reason=reason, ended_at=time.time())


def _submitted_at(driver: Mapping[str, Any]) -> float:
    """Return when the master got a driver, in seconds since 1970; what it does not tell is as late as can be."""
    try:
        return float(driver["starttime"]) / 1000
    except (KeyError, TypeError, ValueError):
        return float("inf")
