"""The Spark jobs that an Airflow connection to AWS reaches."""

from __future__ import annotations

from collections.abc import Callable

from airflow_agari_provider.hooks.aws_clients import shared_clients
from airflow_agari_provider.scoring.aws_requests import AwsRequests
from airflow_agari_provider.scoring.emr_cluster import EmrCluster
from airflow_agari_provider.scoring.emr_cluster_jobs import EmrClusterJobs
from airflow_agari_provider.scoring.emr_serverless import EmrServerless
from airflow_agari_provider.scoring.emr_serverless_jobs import EmrServerlessJobs
from airflow_agari_provider.scoring.run_watch import SparkBackend

_BACKENDS: dict[str, Callable[..., SparkBackend]] = {
    EmrCluster.kind: EmrClusterJobs,
    EmrServerless.kind: EmrServerlessJobs,
}


def aws_requests(aws_conn_id: str | None, region_name: str | None) -> AwsRequests:
    """Return requests to AWS by the clients that the process shares. No request lasts longer than 30 seconds."""
    return AwsRequests(lambda: shared_clients(aws_conn_id, region_name).client)


def spark_jobs(
    aws_conn_id: str | None, region_name: str | None, kind: str, target: EmrCluster | EmrServerless | None = None
) -> SparkBackend:
    """
    Return the jobs on one service.

    :param kind: what jobs run on there, see ``JobState``.
    :param target: needed to find and to submit jobs, but not for requests about a known job.
    """
    return _BACKENDS[kind](aws_requests(aws_conn_id, region_name), target)
