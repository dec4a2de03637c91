"""A Spark job on a service's cluster: what to run, its state, and the errors of requests to the service."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from airflow_agari_provider.exceptions import AgariError

logger = logging.getLogger(__name__)

Phase = Literal["PENDING", "RUNNING", "UNKNOWN", "CANCELLING", "SUCCEEDED", "FAILED", "CANCELLED"]
"""
The phase that each state of a service corresponds to. A job that is CANCELLING still runs, but ends soon. A state that
this version does not know is UNKNOWN, and counts as live: to take a running job for ended would start a second one.
"""

LIVE: frozenset[Phase] = frozenset({"PENDING", "RUNNING", "UNKNOWN", "CANCELLING"})

_told_states: set[str] = set()


def phase_of(state: str | None, phases: Mapping[str, Phase], service: str) -> Phase:
    """
    Return the phase of a service's state. A state that is not among the phases is logged once.

    :param service: as people name it, for the log.
    """
    phase = phases.get(state or "")
    if phase is not None:
        return phase
    told = f"{service} {state}"
    if told not in _told_states:
        _told_states.add(told)
        logger.warning(
            "%s says that a job is in the state %r, which this version does not know: it counts as live until it is in "
            "a known state",
            service,
            state,
        )
    return "UNKNOWN"


@dataclass(frozen=True)
class SparkJob:
    """
    What to run.

    :param name: a name for people to read; a service cuts it to its limit.
    :param script: ``s3://`` URL of a Python script, or of a jar.
    :param spark_conf: Spark properties; values are text, numbers or booleans.
    :param jars: URLs, as ``spark-submit --jars`` takes them.
    :param py_files: URLs, as ``spark-submit --py-files`` takes them.
    :param avro: whether the job uses ``format("avro")``. True: the service adds the jar that its Spark needs for it. A
        URL: the service adds this jar.
    :param main_class: class to run, if the script is a jar; empty for a Python script, or a jar that names its own.
    """

    name: str
    script: str
    arguments: tuple[str, ...] = ()
    spark_conf: Mapping[str, Any] = field(default_factory=dict)
    jars: tuple[str, ...] = ()
    py_files: tuple[str, ...] = ()
    avro: bool | str = True
    main_class: str = ""


@dataclass(frozen=True)
class JobState:
    """
    The state of a job: one answer of its service. ``dataclasses.asdict`` of it fits into JSON.

    :param cluster_id: where it runs: the cluster's id, or the application's; the connection's of Livy.
    :param token: the run token that it carries.
    :param reason: the service's explanation of how it ended; empty while it is live.
    :param submitted_at: seconds since 1970, by the service's clock; so are ``started_at`` and ``ended_at``.
    :param owner: address of its task instance, see ``job_owner``.
    :param kind: what it runs on: the ``kind`` of its target.
    """

    cluster_id: str
    job_id: str
    phase: Phase = "PENDING"
    token: str = ""
    reason: str = ""
    submitted_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    owner: str = ""
    kind: str = "cluster"

    def __str__(self) -> str:
        return f"Spark job {self.job_id} on {self.kind.replace('_', ' ')} {self.cluster_id}"

    @property
    def live(self) -> bool:
        return self.phase in LIVE

    @property
    def seconds(self) -> float | None:
        """Seconds from submission to the end; None if the service does not give both times."""
        if self.submitted_at is None or self.ended_at is None:
            return None
        return round(self.ended_at - self.submitted_at, 3)


class BackendError(AgariError):
    """
    The service did not carry out a request.

    :param request: what was asked.
    :param answer: what the service answered.
    """

    def __init__(self, request: str, answer: str) -> None:
        super().__init__(request, answer)
        self.request = request
        self.answer = answer

    def __str__(self) -> str:
        return f"{self.request} failed: {self.answer}"


class BackendUnavailable(BackendError):
    """
    The service gave no answer, or asked to try again later.

    The same request may succeed in a moment. It may even have been carried out.
    """


class BackendRefused(BackendError):
    """The service understood the request and refuses it. A retry would be refused too."""
