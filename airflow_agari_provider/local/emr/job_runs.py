"""
The job runs of EMR Serverless and of EMR on EKS, which a runner runs like steps: the same orders, the same end.

They use moto's state of both services (the "books"), as ``books`` uses that of EMR.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from moto.core.utils import utcnow
from moto.emrcontainers.models import emrcontainers_backends
from moto.emrserverless.models import emrserverless_backends

from airflow_agari_provider.local.emr import eks_api, serverless_api


@dataclass(frozen=True)
class Service:
    """
    What one of the services calls things.

    :param runs: yields (backend, job run) of all accounts and regions, in the order of submission.
    :param place: attribute of a job run: the id of what it runs on.
    :param driver: key of the job driver for spark-submit.
    :param logs: folder of the driver's logs below the place for logs, with ``{place}`` and ``{job}``.
    """

    runs: Callable[[], Iterator[tuple[Any, Any]]]
    place: str
    driver: str
    logs: str
    cancelling: str
    succeeded: str
    end: Callable[[Any, str, str | None], None]

    def order(self, job: Any) -> dict[str, Any]:
        """Return the order of ``books.orders`` for a job run."""
        driver = job.job_driver[self.driver]
        options = shlex.split(driver.get("sparkSubmitParameters") or "")
        place = getattr(job, self.place)
        monitoring = (job.configuration_overrides or {}).get("monitoringConfiguration") or {}
        return {
            "cluster_id": place,
            "step_id": job.id,
            "log_uri": (monitoring.get("s3MonitoringConfiguration") or {}).get("logUri"),
            "jar": "command-runner.jar",
            "arguments": ["spark-submit", *options, driver["entryPoint"], *(driver.get("entryPointArguments") or [])],
            "logs": self.logs.format(place=place, job=job.id),
        }


def _serverless_runs() -> Iterator[tuple[Any, Any]]:
    for regions in list(emrserverless_backends.values()):
        for backend in list(regions.values()):
            for of_one in list(backend.job_runs.values()):
                yield from ((backend, job) for job in list(of_one))


def _eks_runs() -> Iterator[tuple[Any, Any]]:
    for regions in list(emrcontainers_backends.values()):
        for backend in list(regions.values()):
            yield from ((backend, job) for job in list(backend.job_runs.values()))


SERVICES = (
    Service(
        _serverless_runs,
        "application_id",
        "sparkSubmit",
        "applications/{place}/jobs/{job}/SPARK_DRIVER",
        "CANCELLING",
        "SUCCESS",
        serverless_api.end_job,
    ),
    Service(
        _eks_runs,
        "virtual_cluster_id",
        "sparkSubmitJobDriver",
        "{place}/jobs/{job}/containers/spark-{job}/spark-{job}-driver",
        "CANCEL_PENDING",
        "COMPLETED",
        eks_api.end_job,
    ),
)


def start(node: str, free: int) -> list[dict[str, Any]]:
    """Give waiting job runs to a node, no more than it has places for; return their orders."""
    orders: list[dict[str, Any]] = []
    for service in SERVICES:
        waiting = [job for _, job in service.runs() if job.state == "SUBMITTED"]
        for job in waiting[: max(0, free - len(orders))]:
            job.state, job.started_at, job.owner = "RUNNING", utcnow(), node
            orders.append(service.order(job))
    return orders


def states() -> dict[str, tuple[str, bool]]:
    """Return the state of each job run, in the words of steps, and whether to kill it: both services do that."""
    return {
        job.id: ("CANCEL_PENDING" if job.state == service.cancelling else job.state, True)
        for service in SERVICES
        for _, job in service.runs()
    }


def held(node: str) -> list[dict[str, Any]]:
    """As ``books.held``."""
    return [service.order(job) for service, _, job in _running(node)]


def finish(node: str, job_id: str, state: str, details: str | None) -> Any | None:
    """
    End a job run.

    :param state: of a step: ``COMPLETED``, ``FAILED`` or ``CANCELLED``.
    :return: its backend; None if the job run is none of this node's.
    """
    for service, backend, job in _running(node):
        if job.id == job_id:
            service.end(job, service.succeeded if state == "COMPLETED" else state, details)
            return backend
    return None


def _running(node: str) -> Iterator[tuple[Service, Any, Any]]:
    for service in SERVICES:
        for backend, job in service.runs():
            if job.state in ("RUNNING", service.cancelling) and getattr(job, "owner", None) == node:
                yield service, backend, job
