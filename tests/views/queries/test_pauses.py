"""The events in Airflow's log of when tries left their workers and came back. Times are seconds after ``EPOCH``."""

from __future__ import annotations

import pytest

from airflow_agari_provider.charts.rows import TryRow
from airflow_agari_provider.views.queries.pauses import ended_by_triggers, logged, pauses
from airflow_agari_provider.views.queries.tables import LOGS_DEFERRALS
from tests.views.metadata_rows import EPOCH


def found(metadata, dag_id, runs=("r",), tasks=("load",)):
    """(run, index, try) -> slices, their sum, the first one, pauses, their sum, the first one; from ``EPOCH``."""
    return {
        (row.run_id, row.map_index, row.try_number): (
            row.slices,
            round(float(row.slices_sum) - int(row.slices) * EPOCH),
            round(row.first_slice - EPOCH),
            row.pauses,
            round(float(row.paused_sum) - int(row.pauses) * EPOCH),
            None if row.first_pause is None else round(row.first_pause - EPOCH),
        )
        for row in pauses(metadata.session, dag_id, list(runs), list(tasks))
    }


def test_events_are_summed_up_by_try_and_index(metadata, dag_id):
    for when in (10, 80, 100):
        metadata.event(dag_id, "r", "load", 1, "running", when)
    for name, when in (("deferred", 30), ("up_for_reschedule", 90)):
        metadata.event(dag_id, "r", "load", 1, name, when)
    metadata.event(dag_id, "r", "load", 2, "running", 200)
    metadata.event(dag_id, "r", "load", 1, "running", 5, map_index=3)
    assert found(metadata, dag_id) == {
        ("r", -1, 1): (3, 190, 10, 2, 120, 30),
        ("r", -1, 2): (1, 200, 200, 0, 0, None),
        ("r", 3, 1): (1, 5, 5, 0, 0, None),
    }


def test_other_events_other_tasks_and_other_runs_do_not_count(metadata, dag_id):
    metadata.event(dag_id, "r", "load", 1, "running", 10)
    for name in ("success", "queued", "cli_task_run", "RUNNING!"):
        metadata.event(dag_id, "r", "load", 1, name, 20)
    metadata.event(dag_id, "r", "loa", 1, "running", 20)
    metadata.event(dag_id, "r2", "load", 1, "running", 20)
    metadata.event(f"{dag_id}_2", "r", "load", 1, "running", 20)
    assert found(metadata, dag_id) == {("r", -1, 1): (1, 10, 10, 0, 0, None)}


def test_a_try_that_only_left_is_unknown_because_its_begin_was_purged(metadata_on_sqlite, dag_id):
    metadata_on_sqlite.event(dag_id, "r", "load", 1, "deferred", 10)
    assert found(metadata_on_sqlite, dag_id) == {}
    metadata_on_sqlite.session.rollback()


@pytest.mark.parametrize(("runs", "tasks"), [((), ("load",)), (("r",), ())], ids=["no run", "no task"])
def test_nothing_asked_is_nothing_found(metadata_on_sqlite, dag_id, runs, tasks):
    metadata_on_sqlite.event(dag_id, "r", "load", 1, "running", 10)
    assert found(metadata_on_sqlite, dag_id, runs, tasks) == {}
    metadata_on_sqlite.session.rollback()


def test_the_oldest_event_of_the_whole_log_says_since_when_it_knows(metadata_on_sqlite, dag_id):
    metadata_on_sqlite.event(f"{dag_id}_other", "r", "x", 1, "cli", -9_000_000)
    metadata_on_sqlite.event(dag_id, "r", "load", 1, "running", 10)
    waits = logged(metadata_on_sqlite.session, dag_id, ["r"], ["load"], {"load"}, {"x"})
    assert (round(waits.since - EPOCH), waits.reschedules, waits.in_triggers) == (-9_000_000, {"load"}, {"x"})
    assert list(waits.pauses) == [("r", "load", -1, 1)]
    metadata_on_sqlite.session.rollback()


ROW = tuple(TryRow("r", "load", 1, "failed", True, -1, 1, 0.0, 0.0, 9.0, 0.0, 9.0, None, 2, False, None))
NEWEST, DONE = (*ROW[:4], False, *ROW[5:]), (*ROW[:3], "success", *ROW[4:])


@pytest.mark.parametrize(
    ("rows", "expected"),
    [([ROW], {"load"} if LOGS_DEFERRALS else set()), ([NEWEST], set()), ([DONE], set()), ([], set())],
    ids=["failed and retried", "the newest", "done", "none"],
)
def test_only_an_old_failed_try_may_have_ended_in_a_trigger(metadata_on_sqlite, dag_id, rows, expected):
    metadata_on_sqlite.event(dag_id, "r", "load", 1, "deferred", 5)
    metadata_on_sqlite.event(dag_id, "r", "other", 1, "deferred", 5)
    assert ended_by_triggers(metadata_on_sqlite.session, dag_id, rows) == expected
    metadata_on_sqlite.session.rollback()
