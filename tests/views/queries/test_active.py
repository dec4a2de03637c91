"""Slots of pools, and how long tasks took lately; ``test_active_api.py`` has what is under way. Times are seconds."""

from __future__ import annotations

import pytest

from airflow_agari_provider.views.queries import active as queries
from airflow_agari_provider.views.queries.active import slots, usual
from airflow_agari_provider.views.queries.tables import POOL


@pytest.fixture
def took(metadata_on_sqlite, dag_id):
    """Writes runs of a task that took so many seconds, the oldest first; and asks how long it usually takes."""
    metadata, number = metadata_on_sqlite, iter(range(1000))

    def took(*seconds, state="success", task="load", **values):
        for each in seconds:
            at = next(number)
            metadata.run(dag_id, f"r{at}", at)
            metadata.instance(dag_id, f"r{at}", task, 1, state, start=at, end=at + each, **values)
        return usual(metadata.session, {(dag_id, "load")}).get((dag_id, "load"))

    yield took
    metadata.session.rollback()


def test_what_has_ended_well_says_how_long_a_task_takes(took):
    assert took(10, 20, 30, 40) is None
    assert took(50).median == pytest.approx(30, abs=0.01)


@pytest.mark.parametrize("state", ["failed", "running", "skipped", None])
def test_anything_else_says_nothing(took, state):
    assert took(*[10] * 9, state=state) is None


def test_a_task_of_another_name_or_without_an_end_says_nothing(took, metadata_on_sqlite, dag_id):
    assert took(*[10] * 9, task="loads") is None
    for number in range(9):
        metadata_on_sqlite.run(dag_id, f"x{number}", 2000 + number)
        metadata_on_sqlite.instance(dag_id, f"x{number}", "load", 1, "success", start=1)
    assert took() is None


def test_only_the_newest_runs_count(took, monkeypatch):
    monkeypatch.setattr(queries, "LATEST_RUNS", 5)
    assert took(*[1000] * 5, *[10] * 5).median == pytest.approx(10, abs=0.01)


def test_only_so_many_tasks_are_looked_up(took, metadata_on_sqlite, dag_id, monkeypatch):
    took(*[10] * 5)
    monkeypatch.setattr(queries, "MOST_TASKS", 1)
    tasks = {(dag_id, "a"), (dag_id, "load")}
    assert usual(metadata_on_sqlite.session, tasks) == {}
    assert usual(metadata_on_sqlite.session, set()) == {}


def test_pools_have_their_slots_also_none_and_without_end(metadata, dag_id):
    for name, count in ((f"{dag_id} ü", 3), (f"{dag_id}_none", 0), (f"{dag_id}_all", -1)):
        metadata.add(POOL, pool=name, slots=count, include_deferred=False)
    found = slots(metadata.session)
    assert [found[name] for name in (f"{dag_id} ü", f"{dag_id}_none", f"{dag_id}_all")] == [3, 0, -1]
