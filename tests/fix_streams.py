"""An embedded Kinesis with a stream of two shards, ``nrt``."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from tests.fix_aws import REGION
from tests.streams.producing import Producer


@pytest.fixture
def kinesis(aws: str) -> Any:
    from airflow_agari_provider.local.moto_repairs import repair_kinesis

    repair_kinesis()
    return boto3.client("kinesis", endpoint_url=aws, region_name=REGION)


@pytest.fixture
def producer(kinesis: Any) -> Producer:
    kinesis.create_stream(StreamName="nrt", ShardCount=2)
    return Producer(kinesis, "nrt")
