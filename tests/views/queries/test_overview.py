"""What the page of all DAGs counts for each DAG, on real databases. Times are seconds after ``EPOCH``."""

from __future__ import annotations

import pytest

from airflow_agari_provider.views import charts_api
from airflow_agari_provider.views.parameters import overview_question
from airflow_agari_provider.views.queries.overview import first_run
from airflow_agari_provider.views.queries.tables import BUNDLE_TEAM, TAG
from tests.views.metadata_rows import EPOCH
from tests.views.queries.histories import NOW, Rows, failed_deferred_tasks


def test_the_overview_counts_runs_failures_and_what_they_cost(metadata, dag_id):
    metadata.dag(dag_id, is_paused=True, owners="ada, bob")
    for tag in ("scoring", "late"):
        metadata.add(TAG, dag_id=dag_id, name=tag)
    if BUNDLE_TEAM is not None:
        metadata.add(BUNDLE_TEAM, dag_bundle_name="files", team_name="data")
    metadata.dag(f"{dag_id}_gone", is_stale=True, is_active=False)
    metadata.dag(f"{dag_id}_hidden")
    old = -40 * 86400
    metadata.run(dag_id, "old", old)
    metadata.run(dag_id, "won", 0)
    metadata.run(dag_id, "lost", 1, "failed")
    metadata.run(dag_id, "going", 2, "running")
    metadata.run(f"{dag_id}_hidden", "r", 3)
    metadata.old_try(dag_id, "old", "load", 1, "failed", start=old, end=old + 500)
    metadata.instance(dag_id, "old", "load", 2, "success", start=old + 600, end=old + 700)
    metadata.old_try(dag_id, "won", "load", 1, "failed", start=0, end=30)
    metadata.instance(dag_id, "won", "load", 2, "success", start=60, end=100)
    for number in (1, 2):
        metadata.old_try(dag_id, "lost", "load", number, "failed", start=100 * number, end=100 * number + 10)
    metadata.instance(dag_id, "lost", "load", 3, "failed", start=300, end=310)
    metadata.instance(dag_id, "lost", "after", 0, "upstream_failed", start=311, end=311)
    metadata.instance(dag_id, "going", "load", 1, "running", start=NOW - 50)
    permitted = {dag_id, f"{dag_id}_gone"}
    everything = charts_api.all_dags(metadata.session, overview_question([]), EPOCH + NOW)
    assert f"{dag_id}_hidden" in everything["dags"]["dag_id"]
    answer = charts_api.permitted_part(everything, permitted)
    assert (answer["days"], first_run(metadata.session, permitted)) == (30, EPOCH + old)
    assert answer["dags"] == {
        "dag_id": [dag_id],
        "display_name": [dag_id],
        "paused": [True],
        "owners": [["ada", "bob"]],
        "tags": [["late", "scoring"]],
        "team": [None if BUNDLE_TEAM is None else "data"],
        "last_run": [EPOCH + 2],
        "last_state": ["running"],
        "ever": {"success": [2], "failed": [1], "running": [1], "queued": [0]},
        "window": {"success": [1], "failed": [1], "running": [1], "queued": [0]},
        "failed_tries": [4],
        "lost_seconds": [60],
        "failures": [1],
        "oldest_failed_try": [EPOCH],
        "active": [1],
    }
    everything = charts_api.all_task_time(metadata.session, overview_question([]), EPOCH + NOW)
    slow = charts_api.permitted_part(everything, permitted)
    newest_run = slow["dags"].pop("newest_run")
    assert slow["dags"] == {"dag_id": [dag_id], "started": [3], "retried": [2], "total_seconds": [150]}
    assert {state: count for state, count in newest_run.items() if count != [0]} == {"running": [1]}


def test_the_tasks_of_the_newest_run_are_counted_by_state_and_each_of_them_once(metadata, dag_id):
    metadata.dag(dag_id)
    metadata.dag(f"{dag_id}_idle")
    metadata.run(dag_id, "older", 0)
    metadata.instance(dag_id, "older", "load", 1, "failed", start=1, end=2)
    metadata.run(dag_id, "newest", 3600, "running")
    for number, state in enumerate(
        ["success", "success", "failed", "upstream_failed", "up_for_retry", "restarting", "up_for_reschedule"]
    ):
        metadata.instance(dag_id, "newest", f"task_{number}", 1, state, start=3601, end=3602)
    for number, state in enumerate(["scheduled", "queued", "removed", "skipped", None, "of a coming Airflow"]):
        metadata.instance(dag_id, "newest", f"other_{number}", 0, state)
    for index in range(3):
        metadata.instance(dag_id, "newest", "mapped", 1, "success", start=3601, end=3602, map_index=index)
    answer = charts_api.all_task_time(metadata.session, overview_question([]), EPOCH + NOW)["dags"]
    assert f"{dag_id}_idle" not in answer["dag_id"]
    found = {state: counts[answer["dag_id"].index(dag_id)] for state, counts in answer["newest_run"].items()}
    assert found == {
        "success": 5,
        "failed": 1,
        "upstream_failed": 1,
        "up_for_retry": 1,
        "running": 1,
        "deferred": 1,
        "queued": 2,
        "skipped": 2,
        "waiting": 2,
    }


def test_a_dag_with_too_many_waits_to_read_each_counts_them_from_start_to_end(metadata, dag_id, monkeypatch):
    monkeypatch.setattr("airflow_agari_provider.views.queries.overview.MOST_PAUSED", 1)
    metadata.dag(dag_id)
    metadata.run(dag_id, "r", 0)
    failed_deferred_tasks(Rows(metadata, dag_id))
    answer = charts_api.all_dags(metadata.session, overview_question([]), EPOCH + NOW)["dags"]
    assert answer["lost_seconds"][answer["dag_id"].index(dag_id)] == pytest.approx(2610, abs=0.01)


def test_the_overview_says_since_when_old_tries_are_there(metadata, dag_id):
    metadata.dag(dag_id)
    for number in range(3):
        metadata.run(dag_id, f"r{number}", number * 1000)
        metadata.instance(dag_id, f"r{number}", "load", 2, "success", start=number * 1000 + 50, end=number * 1000 + 60)
        if number:
            metadata.old_try(dag_id, f"r{number}", "load", 1, "failed", start=number * 1000 + 3, end=number * 1000 + 9)
    metadata.dag(f"{dag_id}_without")
    answer = charts_api.all_dags(metadata.session, overview_question([]), EPOCH + NOW)["dags"]
    oldest = dict(zip(answer["dag_id"], answer["oldest_failed_try"], strict=True))
    assert (oldest[dag_id], oldest[f"{dag_id}_without"]) == (EPOCH + 1003, None)
