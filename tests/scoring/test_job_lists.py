from __future__ import annotations

from itertools import count

import pytest

from airflow_agari_provider.scoring.job_lists import RUNS_SEARCHED, JobLists, read_token
from airflow_agari_provider.scoring.jobs import JobState

NOW, BEFORE = "a" * 32, "b" * 32


def job(job_id, phase="RUNNING", token=NOW, at=0.0):
    return JobState("place", job_id, phase, token, submitted_at=at)


def ids(found):
    return [one.job_id for one in found]


@pytest.mark.parametrize("text", ["0123456789abcdef" * 2, "f" * 32])
def test_a_token_is_32_hexadecimal_digits(text):
    assert read_token(text) == text


@pytest.mark.parametrize(
    "text", ["", "a" * 31, "a" * 33, "A" * 32, "g" * 32, "a" * 31 + "\n", "²" * 32, "٣" * 32, " " * 32]
)
def test_anything_else_is_no_token(text):
    assert read_token(text) == ""


def test_live_jobs_are_found_in_the_order_in_which_they_were_submitted():
    live = [job("3", at=9.0), job("x", token=""), job("1", at=None), job("2", token=BEFORE), job("y", token="c" * 32)]
    assert ids(JobLists().find([NOW, BEFORE], live, [], live_only=False)) == ["1", "2", "3"]


def never():
    raise AssertionError("the list of all jobs was asked for")
    yield


def test_all_jobs_are_looked_through_only_for_a_finished_job_of_this_try():
    assert ids(JobLists().find([NOW], [job("1")], never(), live_only=False)) == ["1"]
    assert ids(JobLists().find([NOW], [], never(), live_only=True)) == []
    every = [job("9", "SUCCEEDED"), job("8", "FAILED", token="")]
    assert ids(JobLists().find([NOW, BEFORE], [job("2", token=BEFORE)], every, live_only=False)) == ["2", "9"]


def test_a_job_that_ended_between_the_two_lists_is_one_job_with_its_end():
    (found,) = JobLists().find([NOW], [job("1", token=BEFORE)], [job("1", "SUCCEEDED")], live_only=False)
    assert found.phase == "SUCCEEDED"


def test_a_list_without_end_is_searched_as_far_as_it_may_be():
    number = count()
    every = (job(str(next(number)), token="") for _ in count())
    assert JobLists().find([NOW], [], every, live_only=False) == []
    assert next(number) == RUNS_SEARCHED


def test_failed_and_cancelled_jobs_of_a_token_are_counted_and_never_forgotten():
    lists = JobLists()
    assert lists.failed(NOW) == 0
    every = [job("3", "SUCCEEDED"), job("2", "CANCELLED"), job("1", "FAILED"), job("0", "FAILED", BEFORE)]
    lists.find([NOW, BEFORE], [], every, live_only=False)
    assert (lists.failed(NOW), lists.failed(BEFORE), lists.failed("c" * 32)) == (2, 1, 0)
    lists.find([NOW], [job("4")], [], live_only=False)
    assert lists.failed(NOW) == 2
