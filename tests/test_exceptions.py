from __future__ import annotations

import pickle
from datetime import timedelta

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    ReadTimeoutError,
)

from airflow_agari_provider.exceptions import (
    BadQuestion,
    limit,
    may_pass,
    number,
    one_of_text,
    require_durations,
    retrying,
    seconds,
    whole_number,
)


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
    for failures in range(3):
        assert patiently(attempts(Passing(str(failures)), failures)) == failures
    assert [failed for failed, _, _ in told] == [1, 1, 1]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        (5, 5),
        ("5", 5),
        (" 5\n", 5),
        (5.0, 5),
        ("1e3", 1000),
        (2**63 + 1, 2**63 + 1),
        (str(2**63 + 1), 2**63 + 1),
    ],
)
def test_a_whole_number_may_be_the_text_of_a_template(value, expected):
    found = whole_number("expected_messages", value)
    assert (found, type(found)) == (expected, int)


NO_NUMBERS = (
    -1,
    "-1",
    float("nan"),
    "nan",
    float("inf"),
    "-inf",
    10**5000,
    "9" * 5000,
    True,
    "x",
    "1,000",
    [],
    {},
    b"5",
)


@pytest.mark.parametrize("value", NO_NUMBERS, ids=range(len(NO_NUMBERS)))
def test_what_is_no_number_is_named_and_refused(value):
    for read in (whole_number, number, seconds):
        with pytest.raises(ValueError, match=r"^quiet_period is .*: give a (whole )?number, 0 or more\.$") as caught:
            read("quiet_period", value)
        assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [None, "", " ", "None"])
def test_a_value_that_is_missing_is_not_zero(value):
    with pytest.raises(ValueError, match="it is not known, which does not mean 0"):
        whole_number("expected_messages", value)


def test_a_number_has_a_smallest_value_and_a_whole_one_no_part():
    assert number("max_seconds", "0.5") == 0.5
    for value, least in ((0, 1), (2.5, 0), ("2.5", 0)):
        with pytest.raises(ValueError, match=f"give a whole number, {least} or more"):
            whole_number("shares", value, least)


def test_a_limit_may_be_none():
    assert (limit("max_records", None), limit("max_records", "7")) == (None, 7)
    with pytest.raises(ValueError, match="max_records is -7"):
        limit("max_records", -7)


def test_durations_that_are_no_templates_are_checked_at_once():
    require_durations(quiet_period="{{ params.quiet }}", stall_timeout=None, max_lag=timedelta(0))
    assert [seconds("quiet_period", one) for one in (90, 90.0, "90", timedelta(seconds=90))] == [90] * 4
    for duration in (-5, timedelta(seconds=-5), float("nan")):
        with pytest.raises(ValueError, match="quiet_period is"):
            require_durations(quiet_period=duration)
