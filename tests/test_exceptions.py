from __future__ import annotations

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    ReadTimeoutError,
)

from airflow_agari_provider.exceptions import may_pass


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("Throttling", 400, True),
        ("ThrottlingException", 400, True),
        ("ThrottledException", 400, True),
        ("RequestThrottled", 403, True),
        ("RequestLimitExceeded", 400, True),
        ("SlowDown", 503, True),
        ("SlowDown", 400, True),
        ("TooManyRequests", 429, True),
        ("TooManyRequestsException", 429, True),
        ("ExpiredToken", 403, True),
        ("ExpiredTokenException", 400, True),
        ("RequestTimeout", 400, True),
        ("InternalFailure", 500, True),
        ("AccessDenied", 403, False),
        ("AWS.SimpleQueueService.NonExistentQueue", 400, False),
        ("ValidationException", 400, False),
    ],
)
def test_an_answer_that_asks_for_patience_may_pass(code, status, expected):
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    assert may_pass(ClientError(answer, "DescribeStep")) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), True),
        (ReadTimeoutError(endpoint_url="http://127.0.0.1:1"), True),
        (NoCredentialsError(), True),
        (NoRegionError(), False),
        (ParamValidationError(report="no such argument"), False),
    ],
)
def test_a_request_without_an_answer_may_pass_unless_it_was_never_one(error, expected):
    assert may_pass(error) is expected
