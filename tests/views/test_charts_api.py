"""
The charts' answers on real databases: which runs they show, what they compare, and what was purged.

All times are seconds after ``EPOCH``.
"""

from __future__ import annotations

import pytest

from airflow_agari_provider.views.queries.tables import DEADLINE
from tests.views.asked_charts import ask
from tests.views.metadata_rows import EPOCH, at


def test_a_run_without_a_logical_date_stands_where_it_was_due(metadata, dag_id):
    metadata.dag(dag_id)
    without = {} if DEADLINE is None else {"logical_date": None}  # Airflow 2 gives every run a logical date
    run_type = "asset_triggered" if without else "dataset_triggered"
    metadata.run(dag_id, "late", 7200, run_type=run_type, **without)
    metadata.run(dag_id, "early", 3600)
    answer = ask(metadata, dag_id)
    assert answer["runs"]["run_id"] == ["early", "late"]
    assert answer["runs"]["logical_date"] == [EPOCH + 3600, None if without else EPOCH + 7200]


def test_a_backfill_says_nothing_of_the_trend(metadata, dag_id):
    metadata.dag(dag_id)
    for number in range(24):
        metadata.run(dag_id, f"r{number}", number * 3600)
        metadata.instance(dag_id, f"r{number}", "load", 1, "success", start=number * 3600, end=number * 3600 + 100)
    for number in range(12):
        due = (24 + number) * 3600
        metadata.run(dag_id, f"b{number}", due, run_type="backfill")
        metadata.instance(dag_id, f"b{number}", "load", 1, "success", start=due, end=due + 500)
    figures = ask(metadata, dag_id)["task_figures"][0]
    assert (figures["runs"], figures["trend_percent"]) == (36, 0)


def test_the_window_says_what_it_leaves_out(metadata, dag_id):
    metadata.dag(dag_id)
    ids = [metadata.run(dag_id, f"r{number}", number * 86400) for number in range(5)]
    newest = ask(metadata, dag_id, ("runs", "2"))
    assert newest["runs"]["run_id"] == ["r3", "r4"]
    assert newest["window"] == {
        "shown": 2,
        "total": 5,
        "first": EPOCH + 3 * 86400,
        "last": EPOCH + 4 * 86400,
        "older": True,
        "newer": False,
        "before": f"{EPOCH + 3 * 86400}-{ids[3]}",
        "after": f"{EPOCH + 4 * 86400}-{ids[4]}",
        "purged_before": None,
        "text": "last 2 of 5 runs, 2026-05-31 to 2026-06-01 (UTC)",
    }
    back = ask(metadata, dag_id, ("runs", "2"), ("before", str(newest["window"]["first"])))
    assert back["runs"]["run_id"] == ["r1", "r2"]
    assert back["window"]["text"] == "runs 2 to 3 of 5, 2026-05-29 to 2026-05-30 (UTC)"
    assert (back["window"]["older"], back["window"]["newer"]) == (True, True)


def test_runs_and_tasks_are_chosen(metadata, dag_id):
    metadata.dag(dag_id)
    for number, (kind, state) in enumerate((("manual", "failed"), ("scheduled", "failed"), ("manual", "success"))):
        metadata.run(dag_id, f"r{number}", number, state, run_type=kind)
        for task in ("load", "score"):
            metadata.instance(dag_id, f"r{number}", task, 1, "success", start=number, end=number + 1)
    answer = ask(metadata, dag_id, ("run_type", "manual"), ("run_state", "failed"), ("task_id", "score"))
    assert (answer["runs"]["run_id"], answer["tasks"]["task_id"]) == (["r0"], ["score"])
    assert answer["window"]["total"] == 1


def test_the_window_before_is_there_to_compare_with(metadata, dag_id):
    metadata.dag(dag_id)
    for number, seconds in enumerate((10, 20, 30, 40)):
        metadata.run(dag_id, f"r{number}", number * 3600)
        metadata.instance(dag_id, f"r{number}", "load", 1, "success", start=number * 3600, end=number * 3600 + seconds)
    figures = ask(metadata, dag_id, ("runs", "2"))["figures"]
    assert (figures["total_seconds"], figures["median_seconds"]) == (70, 35)
    assert (figures["before"]["total_seconds"], figures["before"]["median_seconds"]) == (30, 15)
    assert ask(metadata, dag_id, ("runs", "3"))["figures"]["before"] is None
    assert ask(metadata, dag_id, ("runs", "2"), ("compare", "false"))["figures"]["before"] is None


def test_tries_that_were_purged_are_said_to_be(metadata, dag_id):
    metadata.dag(dag_id)
    for number in range(3):
        due = number * 3600
        metadata.run(dag_id, f"r{number}", due)
        metadata.instance(dag_id, f"r{number}", "load", 2, "success", start=due + 100, end=due + 200)
    metadata.old_try(dag_id, "r2", "load", 1, "failed", start=7200, end=7300)
    assert ask(metadata, dag_id)["window"]["purged_before"] == EPOCH + 3600


@pytest.mark.parametrize("tasks", [None, [{"task_id": "load"}]], ids=["grouped", "row-by-row"])
def test_purged_tries_of_mapped_indexes_are_missed_too(metadata, dag_id, tasks):
    """The first run lost all old tries, the second those of one of two indexes, the third no tries."""
    metadata.dag(dag_id, tasks)
    for number in range(3):
        due = number * 3600
        metadata.run(dag_id, f"r{number}", due)
        for index in range(3):
            tries = 1 if index == 2 else 2  # the last succeeded at once
            metadata.instance(
                dag_id, f"r{number}", "load", tries, "success", map_index=index, start=due + 9, end=due + 20
            )
            if tries == 2 and number + index > 1:
                metadata.old_try(
                    dag_id, f"r{number}", "load", 1, "failed", map_index=index, start=due + 10, end=due + 15
                )
    assert ask(metadata, dag_id)["window"]["purged_before"] == EPOCH + 3600
    assert ask(metadata, dag_id, ("runs", "1"))["window"]["purged_before"] is None


def test_runs_whose_task_instances_were_purged_are_said_to_be(metadata, dag_id):
    """A newer run without task instances has another cause, and so has a run that has not ended."""
    metadata.dag(dag_id, [{"task_id": "load"}])
    for number in range(5):
        metadata.run(dag_id, f"r{number}", number * 3600)
    metadata.run(dag_id, "new", 5 * 3600, state="queued")
    assert ask(metadata, dag_id)["window"]["purged_before"] == EPOCH + 4 * 3600
    metadata.instance(dag_id, "r3", "skipped", 0, "skipped", end=4 * 3600)
    assert ask(metadata, dag_id)["window"]["purged_before"] == EPOCH + 2 * 3600
    assert ask(metadata, dag_id, ("runs", "3"))["window"]["purged_before"] is None


def test_a_dag_without_tasks_was_not_purged(metadata, dag_id):
    metadata.dag(dag_id, [])
    metadata.run(dag_id, "r", 0)
    assert ask(metadata, dag_id)["window"]["purged_before"] is None


def test_when_a_run_was_queued_is_known_where_airflow_knows(metadata, dag_id):
    metadata.dag(dag_id)
    metadata.run(dag_id, "r1", 0, queued_at=at(2.5))
    metadata.run(dag_id, "r2", 3600, queued_at=None)
    assert ask(metadata, dag_id)["runs"]["queued_at"] == [EPOCH + 2.5, None]


def test_a_dag_without_runs_has_an_answer(metadata, dag_id):
    metadata.dag(dag_id, [])
    answer = ask(metadata, dag_id)
    assert answer["window"]["text"] == "no run"
    assert (answer["runs"]["run_id"], answer["tries"]["run"], answer["figures"]["retry_rate"]) == ([], [], None)
