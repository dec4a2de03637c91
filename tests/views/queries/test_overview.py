"""What the page of all DAGs counts for each DAG, on real databases. Times are seconds after ``EPOCH``."""

from __future__ import annotations

import pytest

from airflow_agari_provider.views import charts_api
from airflow_agari_provider.views.parameters import overview_question
from airflow_agari_provider.views.queries.overview import first_run
from tests.views.metadata_rows import EPOCH
from tests.views.queries.histories import NOW, Rows, failed_deferred_tasks


def test_the_overview_counts_runs_failures_and_what_they_cost(metadata, dag_id):
    metadata.dag(dag_id, is_paused=True)
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
        "last_run": [EPOCH + 2],
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
    assert slow["dags"] == {"dag_id": [dag_id], "started": [3], "retried": [2], "total_seconds": [150]}


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
