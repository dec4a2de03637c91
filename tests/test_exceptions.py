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

from airflow_agari_provider.exceptions import BadQuestion, may_pass, one_of_text, retrying


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


class Passing(Exception):
    """Passes after some tries."""


def attempts(*answers):
    """A request that raises or returns one answer after the other."""
    waiting = iter(answers)

    def request():
        answer = next(waiting)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return request


@pytest.fixture
def told():
    """What was told: number of failed tries, error, seconds until the next."""
    return []


def again(told, **limits):
    return retrying(
        passes=lambda error: isinstance(error, Passing),
        wait=lambda failed, error: 2.0 ** (failed - 1),
        tell=lambda failed, error, wait: told.append((failed, str(error), wait)),
        **limits,
    )


def test_a_request_is_sent_again_while_its_error_may_pass(told):
    waits = []
    request = attempts(Passing("one"), Passing("two"), "answer")
    assert again(told, tries=3, sleep=waits.append)(request) == "answer"
    assert told == [(1, "one", 1.0), (2, "two", 2.0)]
    assert waits == [1.0, 2.0]


def test_the_last_error_is_raised_as_it_is_after_the_last_try(told):
    waits = []
    with pytest.raises(Passing, match="three"):
        again(told, tries=3, sleep=waits.append)(attempts(*map(Passing, ("one", "two", "three"))))
    assert waits == [1.0, 2.0]


def test_an_error_that_does_not_pass_is_raised_at_once(told):
    with pytest.raises(ValueError, match="wrong"):
        again(told, tries=3, sleep=told.append)(attempts(ValueError("wrong")))
    assert told == []


@pytest.mark.parametrize("seconds", [0, 0.5])
def test_there_is_no_try_after_the_time_is_over(told, seconds):
    with pytest.raises(Passing, match="one"):
        again(told, seconds=seconds, sleep=told.append)(attempts(Passing("one"), "answer"))
    assert told == []


def test_it_can_be_used_again_and_counts_from_one(told):
    patiently = again(told, tries=2, sleep=lambda seconds: None)
    for number in range(3):
        assert patiently(attempts(Passing(str(number)), number)) == number
    assert [failed for failed, _, _ in told] == [1, 1, 1]
