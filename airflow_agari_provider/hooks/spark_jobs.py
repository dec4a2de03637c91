"""The Spark jobs that an Airflow connection to AWS, or to Livy, reaches."""

from __future__ import annotations

from collections.abc import Callable

from airflow_agari_provider.airflow_compat import BaseHook
from airflow_agari_provider.hooks.aws_clients import shared_clients
from airflow_agari_provider.scoring.aws_requests import AwsRequests
from airflow_agari_provider.scoring.emr_cluster import EmrCluster
from airflow_agari_provider.scoring.emr_cluster_jobs import EmrClusterJobs
from airflow_agari_provider.scoring.emr_on_eks import EmrOnEks
from airflow_agari_provider.scoring.emr_on_eks_jobs import EmrOnEksJobs
from airflow_agari_provider.scoring.emr_serverless import EmrServerless
from airflow_agari_provider.scoring.emr_serverless_jobs import EmrServerlessJobs
from airflow_agari_provider.scoring.job_owner import JobOwner
from airflow_agari_provider.scoring.livy import LivySpark
from airflow_agari_provider.scoring.livy_jobs import LivyJobs
from airflow_agari_provider.scoring.rest_requests import RestAddress
from airflow_agari_provider.scoring.run_watch import SparkBackend
from airflow_agari_provider.scoring.standalone import StandaloneSpark
from airflow_agari_provider.scoring.standalone_jobs import StandaloneJobs
from airflow_agari_provider.scoring.sweep import Sweep, sweep
from airflow_agari_provider.scoring.targets import SparkTarget

_ON_AWS: dict[str, Callable[..., SparkBackend]] = {
    EmrCluster.kind: EmrClusterJobs,
    EmrServerless.kind: EmrServerlessJobs,
    EmrOnEks.kind: EmrOnEksJobs,
    StandaloneSpark.kind: StandaloneJobs,  # its notes are on S3
}


def aws_requests(aws_conn_id: str | None, region_name: str | None) -> AwsRequests:
    """Return requests to AWS by the clients that the process shares. No request lasts longer than 30 seconds."""
    return AwsRequests(lambda: shared_clients(aws_conn_id, region_name).client)


def livy_address(livy_conn_id: str) -> RestAddress:
    """
    Return the address of a connection to Livy; blocks.

    The connection has the form of Airflow's own Livy provider: host, port, schema, login, password, and ``headers`` in
    its extra fields.
    """
    connection = BaseHook.get_connection(livy_conn_id)
    host = connection.host or "localhost"
    base = host if "://" in host else f"{connection.schema or 'http'}://{host}"
    port = f":{connection.port}" if connection.port else ""
    headers = {"X-Requested-By": "airflow"}  # Livy asks for it where livy.server.csrf-protection.enabled
    extra = connection.extra_dejson.get("headers") or {}
    return RestAddress(base.rstrip("/") + port, connection.login or "", connection.password or "", {**headers, **extra})


def spark_jobs(
    aws_conn_id: str | None, region_name: str | None, kind: str, target: SparkTarget | None = None
) -> SparkBackend:
    """
    Return the jobs on one service.

    :param kind: what jobs run on there, see ``JobState``.
    :param target: needed to find and to submit jobs, but not for requests about a known job.
    """
    if kind == LivySpark.kind:
        assert target is None or isinstance(target, LivySpark)
        return LivyJobs(livy_address, target)
    return _ON_AWS[kind](aws_requests(aws_conn_id, region_name), target)


def swept(
    aws_conn_id: str | None,
    region_name: str | None,
    target: SparkTarget | None,
    state_of: Callable[[JobOwner], str | None],
    only_report: bool,
) -> Sweep:
    """
    Look for live jobs whose task instance has ended, and cancel them.

    :param target: None: every live EMR cluster of the account and region.
    :param state_of: see :func:`~airflow_agari_provider.scoring.sweep.sweep`; so is ``only_report``.
    :raises BackendError: the service does not list its jobs.
    """
    backend = spark_jobs(aws_conn_id, region_name, target.kind if target else EmrCluster.kind, target)
    return sweep(backend.live_jobs(), state_of, backend.cancel, only_report)
