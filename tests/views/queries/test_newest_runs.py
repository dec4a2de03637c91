"""How the tasks of each DAG's newest run stand. Times are seconds after ``EPOCH``."""

from __future__ import annotations

import pytest

from airflow_agari_provider.airflow_compat import AIRFLOW_3
from airflow_agari_provider.charts.outcomes import STANDS
from airflow_agari_provider.views.queries.newest_runs import newest_tasks
from tests.views.metadata_rows import EPOCH


def stands(metadata, dag_id, since=EPOCH):
    found = newest_tasks(metadata.session, since).get(dag_id)
    return found and {name: count for name, count in found.items() if count}


def test_of_runs_that_were_due_at_one_moment_the_last_one_made_is_the_newest(metadata, dag_id):
    same = 60 if AIRFLOW_3 else 59  # 2.11 has no two runs of one moment
    for run_id, due in (("z", same), ("a", 60), ("old", 0)):
        metadata.run(dag_id, run_id, due, logical_date=None)
        metadata.instance(dag_id, run_id, f"task_{run_id}", 1, "success" if run_id == "a" else "failed")
    assert stands(metadata, dag_id) == {"success": 1}


@pytest.mark.parametrize(
    ("state", "standing"),
    [
        ("success", "success"),
        ("restarting", "running"),
        ("up_for_reschedule", "deferred"),
        ("awaiting_input", "deferred"),
        ("scheduled", "queued"),
        ("removed", "skipped"),
        (None, "waiting"),
        ("a_new_state", "waiting"),
    ],
)
def test_a_state_stands_for_one_that_is_shown(metadata_on_sqlite, dag_id, state, standing):
    metadata_on_sqlite.run(dag_id, "r", 0)
    metadata_on_sqlite.instance(dag_id, "r", "load", 1, state)
    assert stands(metadata_on_sqlite, dag_id) == {standing: 1}
    metadata_on_sqlite.session.rollback()


def test_states_that_are_shown_as_one_are_added_up(metadata, dag_id):
    metadata.run(dag_id, "r", 0)
    for number, state in enumerate(("deferred", "up_for_reschedule", "running", "restarting", None)):
        metadata.instance(dag_id, "r", f"task_{number}", 1, state)
    metadata.instance(dag_id, "r", "mapped", 1, "running", map_index=0)
    metadata.instance(dag_id, "r", "mapped", 1, "running", map_index=1)
    assert stands(metadata, dag_id) == {"deferred": 2, "running": 4, "waiting": 1}
    assert list(newest_tasks(metadata.session, EPOCH)[dag_id]) == list(STANDS)


def test_a_dag_without_a_run_since_then_and_a_run_without_tasks_are_left_out(metadata_on_sqlite, dag_id):
    metadata_on_sqlite.run(dag_id, "r", 0)
    assert stands(metadata_on_sqlite, dag_id) is None
    metadata_on_sqlite.instance(dag_id, "r", "load", 1, "success")
    assert stands(metadata_on_sqlite, dag_id, EPOCH + 1) is None
    assert stands(metadata_on_sqlite, dag_id, EPOCH) == {"success": 1}
    metadata_on_sqlite.session.rollback()
