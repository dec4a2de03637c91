from __future__ import annotations

import json

import pytest

from airflow_agari_provider.hooks.emr_jobs import aws_session


@pytest.fixture
def connection(monkeypatch):
    """An AWS connection with a region, an endpoint of S3 and botocore settings of its own."""
    extra = {
        "region_name": "eu-west-1",
        "config_kwargs": {"read_timeout": 7, "connect_timeout": 3},
        "service_config": {"s3": {"endpoint_url": "http://127.0.0.1:9000"}},
    }
    value = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SCORING_AWS", json.dumps(value))
    return "scoring_aws"


@pytest.mark.parametrize(
    ("region", "expected"), [(None, "eu-west-1"), ("us-west-2", "us-west-2")], ids=["the connection's", "given"]
)
def test_the_region_is_the_given_one_or_the_connection_s(region, expected, connection):
    assert aws_session(connection, region)("emr").meta.region_name == expected


def test_the_connection_s_endpoint_is_for_its_service_alone(connection):
    client = aws_session(connection, None)
    assert client("s3").meta.endpoint_url == "http://127.0.0.1:9000"
    assert client("emr").meta.endpoint_url == "https://elasticmapreduce.eu-west-1.amazonaws.com"


def test_settings_of_the_caller_take_precedence_over_the_connection_s(connection):
    config = aws_session(connection, None)("emr", read_timeout=60).meta.config
    assert (config.read_timeout, config.connect_timeout) == (60, 3)
