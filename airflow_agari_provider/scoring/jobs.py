"""A Spark job on somebody's cluster: what to run, how it fares, and what can go wrong on the way there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from airflow_agari_provider.exceptions import AgariError

Phase = Literal["PENDING", "RUNNING", "CANCELLING", "SUCCEEDED", "FAILED", "CANCELLED"]
"""What every service's states come down to. CANCELLING still runs, but will not for long."""

LIVE: frozenset[Phase] = frozenset({"PENDING", "RUNNING", "CANCELLING"})


@dataclass(frozen=True)
class SparkJob:
    """
    What to run.

    :param name: for people; a service cuts it to its limit.
    :param script: ``s3://`` URL of a Python script.
    :param spark_conf: Spark properties; values are text, numbers or booleans.
    :param jars: URLs, as ``spark-submit --jars`` takes them.
    :param py_files: URLs, as ``spark-submit --py-files`` takes them.
    :param avro: whether the job uses ``format("avro")``: a service adds the jar its Spark needs for it, or the one
        given here as a URL.
    """

    name: str
    script: str
    arguments: tuple[str, ...] = ()
    spark_conf: Mapping[str, Any] = field(default_factory=dict)
    jars: tuple[str, ...] = ()
    py_files: tuple[str, ...] = ()
    avro: bool | str = True


@dataclass(frozen=True)
class JobState:
    """
    How a job fares: one answer of its service. ``dataclasses.asdict`` of it is JSON.

    :param cluster_id: where it runs.
    :param token: the run token it carries.
    :param reason: the service's words on why it ended so; empty while it runs.
    :param submitted_at: seconds since 1970, by the service's clock; so are ``started_at`` and ``ended_at``.
    """

    cluster_id: str
    job_id: str
    phase: Phase = "PENDING"
    token: str = ""
    reason: str = ""
    submitted_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None

    def __str__(self) -> str:
        return f"Spark job {self.job_id} on cluster {self.cluster_id}"

    @property
    def live(self) -> bool:
        return self.phase in LIVE

    @property
    def seconds(self) -> float | None:
        """From submission to the end; None where the service does not tell both."""
        if self.submitted_at is None or self.ended_at is None:
            return None
        return round(self.ended_at - self.submitted_at, 3)


class BackendError(AgariError):
    """The service did not do what it was asked; values: what was asked, and its answer."""

    def __init__(self, request: str, answer: str) -> None:
        super().__init__(request, answer)
        self.request = request
        self.answer = answer

    def __str__(self) -> str:
        return f"{self.request} failed: {self.answer}"


class BackendUnavailable(BackendError):
    """Nobody answered, or only "later": the same request may succeed in a moment. It may even have been carried out."""


class BackendRefused(BackendError):
    """The service understood the request and will not do it, however often it is asked."""
