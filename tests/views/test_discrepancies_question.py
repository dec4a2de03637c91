"""The parameters of the discrepancies' API."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_agari_provider.exceptions import BadQuestion
from airflow_agari_provider.views.discrepancies_question import ChecksQuestion, checks_question, runs_question
from airflow_agari_provider.views.parameters import LATEST

NOW = datetime(2026, 11, 30, 12, 34, 56, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("parse", "arguments", "question"),
    [
        (checks_question, [], ChecksQuestion(30, None, False, ())),
        (
            checks_question,
            [("days", "7"), ("until", "1795168000"), ("problems", "true"), ("dag_id", "a"), ("dag_id", "b")],
            ChecksQuestion(7, 1795168000.0, True, ("a", "b")),
        ),
        (runs_question, [("dag_id", "a"), ("task_id", "t[3]")], ChecksQuestion(30, None, False, ("a",), "t[3]")),
    ],
)
def test_the_parameters(parse, arguments, question):
    assert parse(arguments) == question


@pytest.mark.parametrize(
    ("parse", "arguments"),
    [
        (checks_question, [("days", "0")]),
        (checks_question, [("days", "367")]),
        (checks_question, [("until", "nan")]),
        (checks_question, [("until", "-1")]),
        (checks_question, [("problems", "yes")]),
        (checks_question, [("task_id", "t")]),
        (runs_question, [("dag_id", ""), ("task_id", "t")]),
        (runs_question, [("task_id", ""), ("dag_id", "d")]),
    ],
)
def test_a_wrong_parameter_is_named(parse, arguments):
    with pytest.raises(BadQuestion, match=arguments[0][0]):
        parse(arguments)


@pytest.mark.parametrize(
    ("parse", "arguments"),
    [
        (checks_question, [("until", "inf")]),
        (checks_question, [("days", "9" * 5000)]),
        (runs_question, [("dag_id", "d")]),
        (runs_question, []),
    ],
    ids=["infinite", "thousands of digits", "no task", "nothing"],
)
def test_so_is_an_odd_one(parse, arguments):
    with pytest.raises(BadQuestion):
        parse(arguments)


def test_ids_may_have_any_text():
    found = runs_question([("dag_id", "żółw"), ("task_id", "a\nb'; DROP")])
    assert (found.dag_ids, found.task) == (("żółw",), "a\nb'; DROP")


@pytest.mark.parametrize(
    ("days", "until", "window"),
    [
        (2, None, (datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp(), LATEST)),
        (1, NOW - 86400, (datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp(), NOW - 86400)),
        (1, 0.0, (-86400.0, 0.0)),
    ],
    ids=["until now", "until yesterday", "the first of all days"],
)
def test_days_begin_at_a_full_hour_and_now_has_no_end(days, until, window):
    assert ChecksQuestion(days, until, False, ()).window(NOW) == window
