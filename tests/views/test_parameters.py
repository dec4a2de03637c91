from __future__ import annotations

import pytest

from airflow_agari_provider.charts.rows import Position
from airflow_agari_provider.exceptions import BadQuestion
from airflow_agari_provider.views.parameters import OverviewQuestion, TriesQuestion, overview_question, tries_question

POSITION = "epoch seconds, or what an answer has as window.before or window.after"


def test_a_bare_question_is_for_the_last_hundred_runs_compared_with_those_before():
    assert tries_question([]) == TriesQuestion(100, None, None, (), (), (), "sum", True)
    assert overview_question([]) == OverviewQuestion(30)


def test_every_parameter_is_understood():
    asked = [
        ("runs", "1000"),
        ("before", "1795168000.5"),
        ("task_id", "load"),
        ("task_id", "score"),
        ("run_type", "manual"),
        ("run_state", "failed"),
        ("mapped", "longest"),
    ]
    assert tries_question(asked) == TriesQuestion(
        1000, Position(1795168000.5), None, ("load", "score"), ("manual",), ("failed",), "longest", False
    )
    assert tries_question([*asked, ("compare", "true")]).compare


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("runs", "0", "runs is an integer from 1 to 1000, not '0'."),
        ("runs", "1001", "runs is an integer from 1 to 1000, not '1001'."),
        ("runs", "many", "runs is an integer from 1 to 1000, not 'many'."),
        ("before", "-1", f"before is {POSITION}, not '-1'."),
        ("before", "nan", f"before is {POSITION}, not 'nan'."),
        ("after", "253402300800", f"after is {POSITION}, not '253402300800'."),
        ("after", "1795168000-", f"after is {POSITION}, not '1795168000-'."),
        ("after", "1795168000-r1", f"after is {POSITION}, not '1795168000-r1'."),
        ("mapped", "all", "mapped is one of sum, longest, not 'all'."),
        ("run_state", "lost", "run_state is one of success, failed, running, queued, not 'lost'."),
    ],
)
def test_what_is_out_of_bounds_is_refused_in_a_sentence(name, value, sentence):
    with pytest.raises(BadQuestion) as refused:
        tries_question([(name, value)])
    assert str(refused.value) == sentence


def test_a_position_may_name_the_run_that_it_is_next_to():
    assert tries_question([("after", "1795168000.123-42")]).after == Position(1795168000.123, 42)
    assert tries_question([("before", "1795168000.1234567")]).before == Position(
        1795168000.1234567
    )  # as clocks tell it


def test_before_and_after_together_are_refused():
    with pytest.raises(BadQuestion, match=r"^Give before or after, not both\.$"):
        tries_question([("before", "5"), ("after", "1")])


def test_a_parameter_that_does_not_exist_is_refused_rather_than_ignored():
    with pytest.raises(BadQuestion, match=r"^There is no parameter day; the parameters are days\.$"):
        overview_question([("day", "3")])


def test_a_parameter_cannot_be_repeated_without_end():
    with pytest.raises(BadQuestion, match=r"^Give task_id at most 500 times, not 501 times\.$"):
        tries_question([("task_id", "load")] * 501)


def test_a_long_value_or_name_is_cut_in_the_text():
    with pytest.raises(BadQuestion, match=r"^mapped is one of sum, longest, not 'x{73}… \(cut\)'\.$"):
        tries_question([("mapped", "x" * 1000)])
    with pytest.raises(BadQuestion, match=r"^There is no parameter x{73}… \(cut\); the parameters are days\.$"):
        overview_question([("x" * 1000, "1")])
