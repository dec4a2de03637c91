"""How late tasks and runs stand, and the runs that could be late, on real databases."""

from __future__ import annotations

import pytest

from airflow_agari_provider.alerts.recorded_miss import Standing
from airflow_agari_provider.views.queries import standings as asked
from airflow_agari_provider.views.queries.standings import count_runs_by_dag, standings
from airflow_agari_provider.views.queries.tables import DEADLINE
from tests.views.metadata_rows import EPOCH


def test_tasks_and_runs_stand_as_airflow_says(metadata, dag_id):
    metadata.run(dag_id, "r1", 0, "running", end_date=None)
    metadata.run(dag_id, "r2", 3600, "success")
    metadata.instance(dag_id, "r1", "load", 2, "up_for_retry", start=1, end=2)
    metadata.instance(dag_id, "r1", "score", 1, "success", start=1, end=9)
    metadata.instance(dag_id, "r1", "waits", 0, None)
    metadata.instance(dag_id, "r2", "load", 1, "failed", start=1, end=2)
    other = f"{dag_id}_other"
    metadata.run(other, "r1", 0, "failed")
    places = [
        (dag_id, "r1", "load"),
        (dag_id, "r1", "score"),
        (dag_id, "r1", "waits"),
        (dag_id, "r1", "gone"),
        (dag_id, "r1", ""),
        (dag_id, "r2", ""),
        (dag_id, "r3", "load"),
        (other, "r1", ""),
        (other, "r2", ""),
    ]
    found = standings(metadata.session, places)
    ended = {place: None if one.ended_at is None else round(one.ended_at - EPOCH, 2) for place, one in found.items()}
    assert {place: (one.state, ended[place]) for place, one in found.items()} == {
        (dag_id, "r1", "load"): ("up_for_retry", 2),
        (dag_id, "r1", "score"): ("success", 9),
        (dag_id, "r1", "waits"): ("not scheduled", None),
        (dag_id, "r1", "gone"): ("no such task", None),
        (dag_id, "r1", ""): ("running", None),
        (dag_id, "r2", ""): ("success", 7200),
        (dag_id, "r3", "load"): ("deleted", None),
        (other, "r1", ""): ("failed", 3600),
        (other, "r2", ""): ("deleted", None),
    }


@pytest.mark.parametrize(
    ("states", "expected"),
    [(("success", "success"), "success"), (("success", "failed"), "failed"), (("skipped", "running"), "running")],
)
def test_a_mapped_task_is_done_when_all_of_its_indexes_are(metadata_on_sqlite, dag_id, states, expected):
    metadata_on_sqlite.run(dag_id, "r1", 0)
    for index, state in enumerate(states):
        metadata_on_sqlite.instance(dag_id, "r1", "load", 1, state, start=1, end=5 + index, map_index=index)
    place = (dag_id, "r1", "load")
    assert standings(metadata_on_sqlite.session, [place])[place].state == expected
    if expected == "success":
        assert standings(metadata_on_sqlite.session, [place])[place].ended_at == pytest.approx(EPOCH + 6, abs=0.01)
    metadata_on_sqlite.session.rollback()


def test_no_more_runs_are_asked_about_than_a_statement_takes(metadata_on_sqlite, dag_id, monkeypatch):
    monkeypatch.setattr(asked, "MOST_ASKED", 2)
    found = standings(metadata_on_sqlite.session, [(dag_id, f"r{number}", "") for number in range(3)])
    assert found == {(dag_id, f"r{number}", ""): Standing("deleted", None) for number in range(2)}


def test_nothing_asked_is_nothing_found(metadata_on_sqlite):
    assert standings(metadata_on_sqlite.session, []) == {}
    assert count_runs_by_dag(metadata_on_sqlite.session, 0, EPOCH, []) == {}


def test_the_runs_of_a_window_that_could_miss_an_sla_are_counted(metadata, dag_id):
    for number, (due, state, run_type) in enumerate(
        [
            (-1, "success", "scheduled"),  # before the window
            (0, "success", "scheduled"),
            (10, "failed", "scheduled"),
            (20, "running", "scheduled"),
            (30, "queued", "scheduled"),
            (40, "success", "manual"),
            (50, "success", "backfill"),
            (100, "success", "scheduled"),  # after the window
        ]
    ):
        metadata.run(dag_id, f"r{number}", due, state, run_type=run_type)
    metadata.run(f"{dag_id}_other", "r", 0)
    found = count_runs_by_dag(metadata.session, EPOCH, EPOCH + 100, {dag_id, "none"})
    assert found == {dag_id: 3 if DEADLINE is None else 4}
