"""SQS as a connection reaches it: in each queue's region, and without a request before one is needed."""

from __future__ import annotations

import json

import pytest

from airflow_agari_provider.queues.addresses import NoSuchQueue
from airflow_agari_provider.triggers.sqs_connection import consumer_of, sqs_of


@pytest.fixture
def connection(monkeypatch):
    value = {"conn_type": "aws", "login": "key", "password": "secret", "extra": {"region_name": "eu-west-1"}}
    monkeypatch.setenv("AIRFLOW_CONN_QUEUES", json.dumps(value))
    return "queues"


@pytest.mark.parametrize(
    ("queue", "region_name", "region"),
    [
        ("importer", None, "eu-west-1"),
        ("importer", "us-west-2", "us-west-2"),
        ("https://sqs.ap-south-1.amazonaws.com/123456789012/importer", "us-west-2", "ap-south-1"),
        ("arn:aws:sqs:ap-south-1:123456789012:importer", None, "ap-south-1"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/importer", None, "cn-north-1"),
    ],
    ids=["a name", "a name and a region", "a URL", "an ARN", "China"],
)
def test_a_queue_is_asked_in_its_own_region_or_else_in_the_connection_s(connection, queue, region_name, region):
    assert sqs_of(connection, region_name).at(queue).meta.region_name == region


def test_a_consumer_has_time_for_a_long_poll_and_a_url_is_not_looked_up(connection):
    url = "https://sqs.ap-south-1.amazonaws.com/123456789012/importer"
    client, found = consumer_of(connection, None, url)
    assert (found, client.meta.region_name) == (url, "ap-south-1")
    assert client.meta.config.read_timeout == 60


def test_a_name_is_looked_up_and_one_that_there_is_not_is_told(sqs, queue_url):
    assert consumer_of(None, "us-east-1", "importer")[1] == queue_url
    for name in ("importer-2", "a b", "ü"):
        with pytest.raises(NoSuchQueue, match=name):
            consumer_of(None, "us-east-1", name)
