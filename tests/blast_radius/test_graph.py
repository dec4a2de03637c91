"""What runs and answers say of themselves."""

from __future__ import annotations

from airflow_agari_provider.blast_radius.graph import HOW, UNKNOWN, BlastRadius, Reached, Run, RunKey, Unknown

KEY = RunKey("scoring", "r")


def test_the_window_of_a_run_is_its_logical_date_or_else_when_it_was_due():
    assert Run(KEY, "scheduled", "success", due=20.0, logical=10.0).window == 10.0
    assert Run(KEY, "scheduled", "success", due=20.0, logical=0.0).window == 0.0
    assert Run(KEY, "asset_triggered", "success", due=20.0).window == 20.0


def test_a_run_of_which_all_is_spoiled_covers_each_task():
    run = Run(KEY, "scheduled", "success", due=20.0)
    assert Reached(run, None, None).covers("load")
    assert [Reached(run, frozenset({"load"}), None).covers(task) for task in ("load", "score", None)] == [
        True,
        False,
        False,
    ]


def test_an_answer_is_complete_only_if_nothing_is_unknown():
    answer = BlastRadius((KEY,), {}, {}, (), (), {})
    assert answer.complete
    assert not BlastRadius((KEY,), {}, {}, (), (Unknown("purged", "gone"),), {}).complete


def test_each_kind_says_what_it_means():
    assert all(text.strip() for text in [*HOW.values(), *UNKNOWN.values()])
