"""The stand-alone Spark cluster that a job runs on, and the submission that it is there."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar
from urllib.parse import urlsplit

from airflow_agari_provider.s3.urls import split_url
from airflow_agari_provider.scoring.jobs import SparkJob
from airflow_agari_provider.scoring.spark_options import jars_of, properties_of

# What runs a Python script on a cluster's worker: Spark's own documentation of the REST API does so
SPARK_SUBMIT = "org.apache.spark.deploy.SparkSubmit"


@dataclass
class StandaloneSpark:
    """
    Where a job runs: a stand-alone Spark cluster, by the REST API of its master (``spark.master.rest.enabled=true``).

    :param rest_url: address of the REST API, such as ``http://spark-master:6066``.
    :param notes_url: ``s3://`` prefix for a few small objects of each job. The master does not tell to whom a driver
        belongs, so this is where a retry finds its job.
    :param ui_url: address of the master's web page; None: the same host, port 8080.
    :param master: address for the drivers; None: ``spark://`` with the same host, port 7077.
    :raises ValueError: one of the first two is missing, or is no such address.
    """

    kind: ClassVar[str] = "spark_master"
    template_fields: ClassVar[tuple[str, ...]] = ("rest_url", "notes_url", "ui_url", "master")

    rest_url: str = ""
    notes_url: str = ""
    ui_url: str | None = None
    master: str | None = None

    def __post_init__(self) -> None:
        for name in ("rest_url", "notes_url"):
            if not getattr(self, name):
                raise ValueError(f"StandaloneSpark needs {name}")

    def __str__(self) -> str:
        return f"address {self.rest_url!r}"

    def serialize(self) -> dict[str, Any]:
        """Return the target as a dictionary: Airflow's web pages then mask the values whose keys look like secrets."""
        return asdict(self)

    # Of rendered templates; so not in ``__post_init__``

    @property
    def base(self) -> str:
        return self.rest_url.rstrip("/")

    @property
    def web(self) -> str:
        return (self.ui_url or f"{urlsplit(self.base).scheme}://{self._host}:8080").rstrip("/")

    @property
    def driver_master(self) -> str:
        return self.master or f"spark://{self._host}:7077"

    @property
    def _host(self) -> str:
        """Host of the REST API, as addresses have it: one of IPv6 in brackets."""
        host = urlsplit(self.base).hostname or ""
        return f"[{host}]" if ":" in host else host

    @property
    def notes(self) -> tuple[str, str]:
        """Bucket, and prefix with a slash at its end."""
        bucket, prefix = split_url(self.notes_url)
        return bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else ""


def submission_request(target: StandaloneSpark, job: SparkJob, token: str) -> dict[str, Any]:
    """
    Return the body of ``POST /v1/submissions/create``.

    Source: Spark Standalone Mode, "REST API".
    """
    master = target.driver_master
    name = f"{token} {job.name}"  # by which the master's page shows that this driver has registered
    properties = {
        "spark.app.name": name,
        "spark.driver.supervise": "false",  # a driver that Spark starts again would be a second job
        "spark.submit.deployMode": "cluster",
        "spark.master": master,
        **properties_of(job, token),
    }
    jars = jars_of(job, None)
    if jars:
        properties["spark.jars"] = ",".join(jars)
    if job.main_class:
        resource, main_class, arguments = job.script, job.main_class, list(job.arguments)
        properties["spark.jars"] = ",".join([job.script, *jars])
    else:
        options = [word for name, value in properties_of(job, token).items() for word in ("--conf", f"{name}={value}")]
        files = ["--py-files", ",".join(job.py_files)] if job.py_files else []
        given = ["--jars", ",".join(jars)] if jars else []
        resource, main_class = "", SPARK_SUBMIT
        arguments = ["--master", master, "--deploy-mode", "client", "--name", name, *options, *given, *files]
        arguments += [job.script, *job.arguments]
    return {
        "action": "CreateSubmissionRequest",
        "clientSparkVersion": "4.0.0",
        "appResource": resource,
        "mainClass": main_class,
        "appArgs": arguments,
        "environmentVariables": {},
        "sparkProperties": properties,
    }
