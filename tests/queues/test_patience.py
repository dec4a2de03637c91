from __future__ import annotations

from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import botocore.stub
import pytest

from airflow_agari_provider.queues.depth import DepthUnknown
from airflow_agari_provider.queues.lease import patiently

FAILURES = [
    pytest.param({"service_error_code": "InternalError", "http_status_code": 500}, id="500"),
    *(
        pytest.param({"service_error_code": code, "http_status_code": 400}, id=code)
        for code in ("ThrottlingException", "RequestLimitExceeded", "SlowDown", "TooManyRequests", "ExpiredToken")
    ),
]


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_of_sqs_is_tried_again(sqs, queue_url, failure):
    waits: list[float] = []
    with botocore.stub.Stubber(sqs) as stub:
        for _ in range(3):
            stub.add_client_error("receive_message", **failure)
        stub.add_response("receive_message", {"Messages": []})
        assert patiently(lambda: sqs.receive_message(QueueUrl=queue_url), waits.append) == {"Messages": []}
    assert waits == [1, 2, 4]


def test_sqs_out_of_reach_is_tried_for_half_a_minute():
    once = botocore.config.Config(retries={"total_max_attempts": 1}, connect_timeout=1)
    sqs = boto3.client("sqs", endpoint_url="http://127.0.0.1:1", region_name="us-east-1", config=once)
    waits: list[float] = []
    with pytest.raises(botocore.exceptions.EndpointConnectionError):
        patiently(lambda: sqs.receive_message(QueueUrl="http://127.0.0.1:1/q"), waits.append)
    assert waits == [1, 2, 4, 8, 16]


def test_a_mistake_is_not_tried_again(sqs):
    waits: list[float] = []
    with pytest.raises(botocore.exceptions.ClientError):
        patiently(lambda: sqs.receive_message(QueueUrl="https://sqs.us-east-1.amazonaws.com/1/nowhere"), waits.append)
    assert waits == []


def test_a_queue_that_does_not_answer_is_asked_again():
    answers: list[Any] = [DepthUnknown("https://sqs/q", "no attributes"), "settings"]

    def ask() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    waits: list[float] = []
    assert patiently(ask, waits.append) == "settings"
    assert waits == [1]
