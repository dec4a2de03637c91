"""The Livy server that a job runs on, and the batch that it is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from airflow_agari_provider.scoring.job_lists import read_token
from airflow_agari_provider.scoring.job_owner import OWNER_PROPERTY
from airflow_agari_provider.scoring.jobs import SparkJob
from airflow_agari_provider.scoring.spark_options import jars_of, properties_of


@dataclass
class LivySpark:
    """
    Where a job runs: whatever Spark a Livy server submits to. Needs Livy 0.7 or later.

    :param livy_conn_id: connection to Livy, with host, port and schema (``http`` or ``https``), and login and password
        if it asks for them.
    :param options: further fields of ``POST /batches``, such as ``queue``, ``driverMemory`` or ``proxyUser``.
    :raises ValueError: there is no connection, or an option is one of the fields that the job has.
    """

    kind: ClassVar[str] = "livy_connection"
    template_fields: ClassVar[tuple[str, ...]] = ("livy_conn_id", "options")

    livy_conn_id: str = "livy_default"
    options: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if not self.livy_conn_id:
            raise ValueError("LivySpark needs livy_conn_id")
        own = sorted({"args", "className", "conf", "file", "jars", "name", "pyFiles"} & set(self.options or {}))
        if own:
            raise ValueError(f"LivySpark(options=...) cannot have {', '.join(own)}: the operator's arguments say these")

    def __str__(self) -> str:
        return f"id {self.livy_conn_id!r}"

    def serialize(self) -> dict[str, Any]:
        """Return the target as a dictionary: Airflow's web pages then mask the values whose keys look like secrets."""
        return asdict(self)


def batch_name(job: SparkJob, token: str, failed: int) -> str:
    """
    Return the name of a batch: run token, number of failed jobs with this token, and the address of its task.

    Livy has one batch of a name at a time, so a submission that is repeated is refused. It tells nothing else of what
    it was given, so the address has to be in it.
    """
    return f"{token}-{failed} {job.spark_conf.get(OWNER_PROPERTY, '')}".strip()


def token_and_owner(name: str) -> tuple[str, str]:
    """Return the run token and the task's address in a name; empty texts for a batch that is not ours."""
    first, _, owner = name.partition(" ")
    token = read_token(first.partition("-")[0])
    return (token, owner) if token else ("", "")


def batch_request(target: LivySpark, job: SparkJob, token: str, failed: int) -> Mapping[str, Any]:
    """Return the body of ``POST /batches``."""
    fields = {
        "file": job.script,
        "className": job.main_class,
        "args": list(job.arguments),
        "jars": jars_of(job, None),
        "pyFiles": list(job.py_files),
        "conf": properties_of(job, token),
    }
    given = {name: value for name, value in fields.items() if value}
    return {**(target.options or {}), **given, "name": batch_name(job, token, failed)}
