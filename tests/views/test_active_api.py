"""What is under way now, on real databases. Times are seconds after ``EPOCH``."""

from __future__ import annotations

import pytest

from airflow_agari_provider.views import active_api
from airflow_agari_provider.views.queries import active
from airflow_agari_provider.views.queries.tables import TRIES_HAVE_SCHEDULED
from tests.views.metadata_rows import EPOCH
from tests.views.queries.histories import NOW, Rows


def ask(metadata, *dag_ids):
    now = EPOCH + NOW
    return active_api.permitted_part(active_api.under_way(metadata.session, now), dag_ids, now)


def shown(answer, *names):
    return list(zip(*(answer["tasks"][name] for name in names), strict=True))


def test_each_kind_of_waiting_has_its_own_beginning(metadata, dag_id):
    metadata.dag(dag_id)
    metadata.run(dag_id, "r", 0, "running")
    rows = Rows(metadata, dag_id)
    pool = {"pool": "spark", "pool_slots": 2, "queue": "heavy"}
    rows.now("runs", 1, "running", scheduled=1, queued=2, start=100, **pool)
    rows.now("deferred", 1, "deferred", scheduled=1, queued=2, start=200, **pool)
    rows.now("queued", 2, "queued", scheduled=290, queued=300, start=3, end=4, **pool)
    rows.now("scheduled", 2, "scheduled", scheduled=400, queued=2, start=3, end=4, **pool)
    rows.now("retries", 1, "up_for_retry", scheduled=1, queued=2, start=3, end=500, **pool)
    rows.now("done", 1, "success", start=1, end=2, **pool)
    rows.now("idle", 0, None, **pool)
    answer = ask(metadata, dag_id)
    scheduled = EPOCH + 400 if TRIES_HAVE_SCHEDULED else None
    expected = [
        ("runs", "running", EPOCH + 100),
        ("deferred", "deferred", EPOCH + 200),
        ("queued", "queued", EPOCH + 300),
        ("scheduled", "scheduled", scheduled),
        ("retries", "up_for_retry", EPOCH + 500),
    ]
    assert sorted(shown(answer, "task_id", "state", "since")) == sorted(expected)
    assert answer["total"] == 5
    at = answer["pools"]["pool"].index("spark")
    found = {name: column[at] for name, column in answer["pools"].items()}
    assert found == {"pool": "spark", "slots": None, "slots_taken": 4, "queued": 1, "scheduled": 1}
    assert set(shown(answer, "pool", "queue", "executor")) == {("spark", "heavy", None)}
    assert ask(metadata)["total"] == 0


def test_a_task_that_runs_longer_than_usual_comes_first(metadata, dag_id):
    metadata.dag(dag_id)
    rows = Rows(metadata, dag_id)
    for number in range(6):
        metadata.run(dag_id, f"r{number}", number)
        for task, seconds in (("slow", 60), ("quick", 10)):
            end = number + seconds + number
            metadata.instance(dag_id, f"r{number}", task, 1, "success", start=number, end=end)
    metadata.run(dag_id, "r", 100, "running")
    rows.now("slow", 1, "running", start=NOW - 50)
    rows.now("quick", 1, "running", start=NOW - 40)
    rows.now("new", 1, "running", start=NOW - 4000)
    answer = ask(metadata, dag_id)
    assert shown(answer, "task_id", "longer_than_usual", "median_seconds", "p95_seconds") == [
        ("quick", True, 12.5, 14.75),
        ("new", None, None, None),
        ("slow", False, 62.5, 64.75),
    ]
    assert shown(answer, "expected_end")[2] == (pytest.approx(EPOCH + NOW + 12.5, abs=0.01),)


def test_only_so_many_are_read_and_the_answer_says_that_there_are_more(metadata, dag_id, monkeypatch):
    monkeypatch.setattr(active, "MOST_ACTIVE", 2)
    metadata.dag(dag_id)
    metadata.run(dag_id, "r", 0, "running")
    for number in range(3):
        Rows(metadata, dag_id).now(f"task_{number}", 1, "running", start=1)
    answer = ask(metadata, dag_id)
    assert (answer["total"], answer["more"]) == (2, True)
