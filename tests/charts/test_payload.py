"""The charts' answer, made from tries that a test states."""

from __future__ import annotations

import pytest

from airflow_agari_provider.charts.payload import DagTries, answer, change_in_words, figures_before
from airflow_agari_provider.charts.rows import RunRow, TaskFacts
from airflow_agari_provider.charts.shifts import Shift
from airflow_agari_provider.charts.tries import Try
from airflow_agari_provider.charts.window import RunWindow

DAY = 86400


def run_of(number, due=None, run_type="scheduled", state="success"):
    due = number * DAY if due is None else due
    return RunRow(number, f"r{number}", run_type, state, due, due, None, due, due + 60)


def one(run_id, task_id, start, seconds, outcome="success", number=1):
    end = start + seconds
    return Try(run_id, task_id, number, outcome, start, end, seconds, 0.0, 2.0, 0.0, 1, -1, True, False)


def answered(runs, tries, **values):
    """The answer for a window of all runs. :param values: what differs from a DAG of which nothing else is known."""
    usual = {"repeated": {}, "operators": {}, "facts": {}, "deadlines": {}, "before": None}
    return answer(DagTries("dag", RunWindow(runs, len(runs), 0, None), tries, **{**usual, **values}))


def test_tasks_stand_in_the_order_in_which_they_usually_start():
    runs = [run_of(number) for number in range(3)]
    tries = [one(f"r{number}", "load", number * DAY + 10, 5) for number in range(3)]
    tries += [one(f"r{number}", "extract", number * DAY + (1 if number else 500), 5) for number in range(3)]
    assert answered(runs, tries)["tasks"]["task_id"] == ["extract", "load"]


def test_tries_refer_to_runs_tasks_and_outcomes_by_index():
    tries = [
        one("r1", "load", DAY + 7, 4, number=2),
        one("r1", "load", DAY + 1, 5, "failed_first"),
        one("r0", "score", 3, 6),
    ]
    found = answered([run_of(0), run_of(1)], tries)
    named = [
        (found["runs"]["run_id"][run], found["tasks"]["task_id"][task], found["outcomes"][outcome])
        for run, task, outcome in zip(*(found["tries"][name] for name in ("run", "task", "outcome")), strict=True)
    ]
    assert named == [("r0", "score", "success"), ("r1", "load", "success"), ("r1", "load", "failed_first")]


def test_what_is_known_of_a_task_or_a_run_stands_at_its_place():
    found = answered(
        [run_of(0), run_of(1)],
        [one("r0", "load", 1, 5), one("r0", "score", 9, 5)],
        operators={"score": "PythonOperator"},
        facts={"load": TaskFacts(60.0, reschedules=False, mapped=False, downstream=("score",))},
        repeated={"score": {}},
        deadlines={1: (90000.0, True)},
    )
    assert found["tasks"] == {
        "task_id": ["load", "score"],
        "display_name": ["load", "score"],
        "operator": [None, "PythonOperator"],
        "mapped": [False, True],
        "sla": [60.0, None],
        "downstream": [[1], []],
    }
    assert (found["runs"]["deadline"], found["runs"]["deadline_missed"]) == ([None, 90000.0], [False, True])


def test_times_are_told_to_the_millisecond():
    tries = answered([run_of(0)], [one("r0", "load", 1.23456, 5.00049)])["tries"]
    assert (tries["start"], tries["run_seconds"]) == ([1.235], [5.0])


def test_a_page_is_found_again_by_a_moment_and_the_id_of_a_run():
    window = answered([run_of(7, due=1786492800.5), run_of(8, due=1786492900)], [])["window"]
    assert (window["before"], window["after"]) == ("1786492800.5-7", "1786492900-8")


def test_a_window_without_runs_has_empty_columns():
    found = answered([], [])
    assert (found["runs"]["run_id"], found["tries"]["run"], found["tasks"]["task_id"]) == ([], [], [])
    assert (found["window"]["before"], found["window"]["after"], found["figures"]["before"]) == (None, None, None)


def test_backfills_count_neither_in_a_trend_nor_in_a_shift():
    seconds = [100 + number % 3 for number in range(48)]
    slow = [number >= 24 for number in range(48)]
    tries = [one(f"r{number}", "load", number * DAY, seconds[number] * (1 + 4 * slow[number])) for number in range(48)]
    kinds = ["backfill" if late else "scheduled" for late in slow]
    without = answered([run_of(number, run_type=kinds[number]) for number in range(48)], tries)
    assert (without["task_figures"][0]["trend_percent"], without["shifts"]) == (0, [])
    counted = answered([run_of(number) for number in range(48)], tries)
    assert counted["task_figures"][0]["trend_percent"] == 400
    assert [(shift["kind"], shift["run"], shift["text"]) for shift in counted["shifts"]] == [
        ("duration", 24, "load changed around 1970-01-25 00:00: median 1.7 to 8.4 min")
    ]


def test_earlier_figures_are_those_of_finished_runs():
    runs = [run_of(0), run_of(1), run_of(2, state="running")]
    tries = [one("r0", "load", 1, 10), one("r1", "load", 1, 30), one("r2", "load", 1, 500)]
    found = figures_before(tries, runs, {})
    assert (found.total, found.usual) == (540, 20)


@pytest.mark.parametrize(
    ("kind", "shift", "words"),
    [
        ("duration", Shift(0, 246, 420), "median 4.1 to 7.0 min"),
        ("duration", Shift(0, 20, 35), "median 20.0 to 35.0 s"),
        ("duration", Shift(0, 5400, 9000), "median 1.5 to 2.5 h"),
        ("tries", Shift(0, 1.05, 1.61), "mean 1.1 to 1.6 tries"),
    ],
)
def test_a_change_in_words(kind, shift, words):
    assert change_in_words(kind, shift) == words
