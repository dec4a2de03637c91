"""The Spark jobs on EMR that an Airflow connection reaches."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from airflow_agari_provider.scoring.emr_cluster import EmrCluster
from airflow_agari_provider.scoring.emr_cluster_jobs import EmrClusterJobs


def aws_session(aws_conn_id: str | None, region_name: str | None) -> Callable[..., Any]:
    """
    Open a boto3 session of an Airflow connection; return what makes its clients: ``aws_session(...)("s3", **config)``.

    ``config`` takes precedence over the connection's own botocore settings.
    """
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
    from botocore.config import Config

    hook: Any = AwsBaseHook(aws_conn_id=aws_conn_id, region_name=region_name, client_type="emr")
    session = hook.get_session(region_name=hook.region_name)

    def client(service: str, **config: Any) -> Any:
        endpoint_url = hook.conn_config.get_service_endpoint_url(service_name=service)
        merged = hook.config.merge(Config(**config))
        return session.client(service, endpoint_url=endpoint_url, config=merged, verify=hook.verify)

    return client


def emr_jobs(aws_conn_id: str | None, region_name: str | None, target: EmrCluster | None = None) -> EmrClusterJobs:
    """
    Return the jobs on EMR clusters that an Airflow connection reaches.

    :param target: needed to find and to submit jobs, but not for requests about a known job.
    """
    return EmrClusterJobs(partial(aws_session, aws_conn_id, region_name), target)
