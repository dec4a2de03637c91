"""An AWS over HTTP: one moto server a session, emptied before each test that asks for it."""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

REGION = "us-east-1"


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Address of an empty AWS; boto3 and Airflow's AWS hooks (``aws_conn_id=None``) use it without being told."""
    urllib.request.urlopen(urllib.request.Request(f"{moto_endpoint}/moto-api/reset", method="POST")).close()
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_endpoint)
    if shared := sys.modules.get("airflow_agari_provider.hooks.aws_clients"):
        shared._shared.clear()  # an earlier test may have had no AWS, or another one
    return moto_endpoint


@pytest.fixture
def s3(aws: str) -> Any:
    return boto3.client("s3", endpoint_url=aws, region_name=REGION)


@pytest.fixture
def sqs(aws: str) -> Any:
    return boto3.client("sqs", endpoint_url=aws, region_name=REGION)


@pytest.fixture
def sns(aws: str) -> Any:
    return boto3.client("sns", endpoint_url=aws, region_name=REGION)


@pytest.fixture
def emr(aws: str) -> Any:
    return boto3.client("emr", endpoint_url=aws, region_name=REGION)


@pytest.fixture
def bucket(s3: Any) -> str:
    s3.create_bucket(Bucket="agari")
    return "agari"


@pytest.fixture
def queue_url(sqs: Any) -> str:
    return str(sqs.create_queue(QueueName="importer")["QueueUrl"])
