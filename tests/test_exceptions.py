from __future__ import annotations

import pickle

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    ReadTimeoutError,
)

from airflow_agari_provider.exceptions import BadQuestion, may_pass, one_of_text


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


def test_a_value_that_is_none_of_the_choices_is_told_in_a_clause():
    assert one_of_text("its codec", ("null", "xz"), "lzma") == "its codec is one of null, xz, not 'lzma'"


def test_a_bad_question_is_its_sentence_and_survives_the_way_between_processes():
    error = pickle.loads(pickle.dumps(BadQuestion("runs", "0", "runs is an integer from 1 to 1000, not '0'.")))
    assert (error.name, error.value, error.problem) == ("runs", "0", "runs is an integer from 1 to 1000, not '0'.")
    assert str(error) == "runs is an integer from 1 to 1000, not '0'."
