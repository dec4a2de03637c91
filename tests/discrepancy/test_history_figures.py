from __future__ import annotations

import pytest

from airflow_agari_provider.discrepancy.history_figures import (
    bad_windows,
    check_figures,
    first_bad_step,
    standing,
    worst_keys,
)
from airflow_agari_provider.discrepancy.history_reading import CheckRun
from airflow_agari_provider.discrepancy.stored_run import Difference
from tests.discrepancy.recorded_runs import a_few_days, bad_run, lost, stored_run


def of_check(task, runs):
    return [CheckRun("d", task, run) for run in sorted(runs, key=lambda run: run.run_at, reverse=True)]


def test_checks_that_need_a_look_come_first():
    repaired = [bad_run(1, window="w", checked_at=1.0), stored_run(2, window="w", checked_at=2.0)]
    found = check_figures(
        [
            *of_check("fine", [stored_run(1), stored_run(2)]),
            *of_check("repaired", repaired),
            *of_check("warned", [stored_run(1), stored_run(2, verdict="warning")]),
            *of_check("bad", [bad_run(1), stored_run(2)]),
        ]
    )
    assert [(each.task, each.bad, each.warned, each.bad_windows, each.is_problem) for each in found] == [
        ("bad", 1, 0, 1, True),
        ("warned", 0, 1, 0, True),
        ("fine", 0, 0, 0, False),
        ("repaired", 1, 0, 0, False),
    ]
    assert found[0].last.verdict == "ok"
    assert found[0].verdicts == ["high discrepancies", "ok"]


def test_what_a_person_has_accepted_is_not_bad_any_more():
    accepted = bad_run(1, accepted=True)
    (found,) = check_figures(of_check("c", [accepted, stored_run(2, verdict="warning", accepted=True)]))
    assert (found.bad, found.warned, found.bad_windows, found.is_problem) == (0, 0, 0, False)
    assert found.verdicts == ["accepted", "accepted"]
    assert standing(stored_run(1, accepted=True)) == "ok"
    assert bad_windows([accepted, bad_run(2)]) == [bad_run(2).window]


def test_a_window_is_as_its_last_check_left_it_whatever_the_order_of_its_runs():
    cleared = [bad_run(1, window="w", checked_at=9.0), stored_run(2, window="w", checked_at=8.0)]
    assert bad_windows(cleared) == ["w"]
    assert bad_windows([cleared[0], stored_run(2, window="w", checked_at=10.0)]) == []
    assert bad_windows([]) == []


def step(good, bad, severity="alarm"):
    return Difference("k", "c", 1, 1, severity, "", good, bad)


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([step("Agg", "DB"), step("Collector", "Agg")], ("Collector", "Agg")),
        ([step("Collector", "Agg", "warn"), step("Agg", "DB")], ("Agg", "DB")),
        ([step("Collector", "Agg", "warn")], ("Collector", "Agg")),
        ([step("Collector", "Agg", "recovered")], ("", "")),
        ([step("", "")], ("", "")),
        ([step("x", "a stage of another version"), step("Agg", "DB")], ("Agg", "DB")),
        ([], ("", "")),
    ],
    ids=["earliest", "alarms decide", "only a warning", "recovered", "an older version", "unknown stage", "none"],
)
def test_the_first_bad_stage_is_the_earliest_that_alarms(differences, expected):
    assert first_bad_step(stored_run(1, differences=differences)) == expected


def test_the_keys_that_were_wrong_most_often_come_first_and_then_the_largest():
    found = worst_keys(a_few_days())
    assert found == [("5", 2), ("16", 1), ("1", 1), ("7", 1), ("56", 0), ("14", 0)]
    assert worst_keys([stored_run(1, differences=[lost("a", 3, 9, "recovered")])]) == [("a", 0)]
