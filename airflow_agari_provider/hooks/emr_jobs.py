"""The Spark jobs on EMR that an Airflow connection reaches."""

from __future__ import annotations

from airflow_agari_provider.hooks.aws_clients import shared_clients
from airflow_agari_provider.scoring.aws_requests import AwsRequests
from airflow_agari_provider.scoring.emr_cluster import EmrCluster
from airflow_agari_provider.scoring.emr_cluster_jobs import EmrClusterJobs


def aws_requests(aws_conn_id: str | None, region_name: str | None) -> AwsRequests:
    """Return requests to AWS by the clients that the process shares. No request lasts longer than 30 seconds."""
    return AwsRequests(lambda: shared_clients(aws_conn_id, region_name).client)


def emr_jobs(aws_conn_id: str | None, region_name: str | None, target: EmrCluster | None = None) -> EmrClusterJobs:
    """
    Return the jobs on EMR clusters that an Airflow connection reaches.

    :param target: needed to find and to submit jobs, but not for requests about a known job.
    """
    return EmrClusterJobs(aws_requests(aws_conn_id, region_name), target)
