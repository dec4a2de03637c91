"""The Spark jobs on EMR that an Airflow connection reaches."""

from __future__ import annotations

from functools import partial

from airflow_agari_provider.hooks.aws_clients import aws_session
from airflow_agari_provider.scoring.emr_cluster import EmrCluster
from airflow_agari_provider.scoring.emr_cluster_jobs import EmrClusterJobs


def emr_jobs(aws_conn_id: str | None, region_name: str | None, target: EmrCluster | None = None) -> EmrClusterJobs:
    """
    Return the jobs on EMR clusters that an Airflow connection reaches.

    :param target: needed to find and to submit jobs, but not for requests about a known job.
    """
    return EmrClusterJobs(partial(aws_session, aws_conn_id, region_name), target)
