"""SQS as an Airflow connection reaches it: for the triggers, and for the sensors and operators above them."""

from __future__ import annotations

from functools import partial
from typing import Any

from airflow_agari_provider.hooks.aws_clients import client_in
from airflow_agari_provider.queues.addresses import RegionalSqs, queue_url_of
from airflow_agari_provider.queues.patience import patiently

# Of a client whose receives wait for up to 20 seconds, and whose requests are part of a long work.
CONSUMER = {"read_timeout": 60, "retries": {"total_max_attempts": 5}}


def sqs_of(aws_conn_id: str | None, region_name: str | None, **config: Any) -> RegionalSqs:
    """
    Return SQS in every region; the clients are those that all of this process shares. Nothing is asked yet.

    :param aws_conn_id: Airflow connection to AWS; None for boto3's own credentials.
    :param region_name: AWS region of queues that are given by name; None: that of the connection.
    :param config: botocore settings that take precedence over the connection's, and over the short timeouts of polls.
    """
    return RegionalSqs(
        client_in(aws_conn_id, region_name, "sqs", **config), client_in(aws_conn_id, region_name, "sns", **config)
    )


def consumer_of(aws_conn_id: str | None, region_name: str | None, queue: str) -> tuple[Any, str]:
    """
    Return one boto3 client for a consumer of a queue, in the queue's region, and the queue's URL.

    The client may be used in threads that must not ask Airflow for connections.

    :param queue: URL, ARN or name.
    :raises NoSuchQueue: there is no queue of that name or ARN.
    """
    sqs = sqs_of(aws_conn_id, region_name, **CONSUMER)
    return sqs.at(queue), patiently(partial(queue_url_of, sqs, queue))
