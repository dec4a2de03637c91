from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from airflow_agari_provider import airflow_runs
from airflow_agari_provider.airflow_compat import AIRFLOW_3
from airflow_agari_provider.airflow_runs import (
    RunNotCreated,
    link,
    planned_start,
    run_date,
    task_name,
    task_run,
    tasks_of_run,
)
from airflow_agari_provider.alerts.miss import TaskInState

LOGICAL, AFTER = datetime(2016, 2, 26, 18, tzinfo=UTC), datetime(2016, 2, 26, 19, tzinfo=UTC)


@pytest.fixture
def address(monkeypatch):
    """Sets the address of Airflow's web pages."""
    monkeypatch.setattr(airflow_runs, "_warned_of", set())

    def set_address(value):
        for section in ("API", "WEBSERVER"):
            monkeypatch.setenv(f"AIRFLOW__{section}__BASE_URL", value)

    return set_address


@pytest.mark.parametrize(
    ("task", "on_3", "on_2"),
    [
        (None, "dags/telemetry/runs/hour%2F5", "dags/telemetry/grid?dag_run_id=hour%2F5"),
        (
            TaskInState("load", "running"),
            "dags/telemetry/runs/hour%2F5/tasks/load",
            "dags/telemetry/grid?dag_run_id=hour%2F5&task_id=load&tab=logs",
        ),
        (
            TaskInState("load", "running", map_index=3, try_number=2),
            "dags/telemetry/runs/hour%2F5/tasks/load/mapped/3?try_number=2",
            "dags/telemetry/grid?dag_run_id=hour%2F5&task_id=load&tab=logs&map_index=3",
        ),
    ],
    ids=["a run", "a task", "a try of an index"],
)
def test_a_link_leads_to_the_page(task, on_3, on_2, address):
    address("https://airflow.example.com/stage/")
    assert link("telemetry", "hour/5", task) == f"https://airflow.example.com/stage/{on_3 if AIRFLOW_3 else on_2}"


def test_a_demo_on_this_machine_has_links(address):
    address("http://127.0.0.1:8080")
    assert link("telemetry", "run").startswith("http://127.0.0.1:8080/dags/telemetry/")


@pytest.mark.parametrize(
    ("run", "date", "planned"),
    [
        (SimpleNamespace(logical_date=LOGICAL, run_after=AFTER), LOGICAL, AFTER),
        (SimpleNamespace(logical_date=None, run_after=AFTER), AFTER, AFTER),
        (SimpleNamespace(logical_date=LOGICAL, data_interval_end=AFTER), LOGICAL, AFTER),
        ({"logical_date": "2016-02-26T18:00:00Z", "run_after": "2016-02-26T19:00:00+00:00"}, LOGICAL, AFTER),
        (None, None, None),
    ],
    ids=["scheduled", "without a logical date", "Airflow 2.11", "a dict with text", "no run"],
)
def test_dates_of_a_run(run, date, planned):
    assert (run_date(run), planned_start(run)) == (date, planned)


@pytest.mark.parametrize(("map_index", "name"), [(-1, "load"), (None, "load"), (0, "load[0]"), (3, "load[3]")])
def test_a_mapped_task_is_named_with_its_index(map_index, name):
    assert task_name(SimpleNamespace(task_id="load", map_index=map_index)) == name


def test_states_by_key_become_task_instances(monkeypatch):
    states = {"load_0": "success", "load_1": "running", "load_old_2": None}
    monkeypatch.setattr(airflow_runs, "read_run", lambda dag_id, run_id: ("running", states))
    assert tasks_of_run("telemetry", "run", mapped=["load"]) == (
        "running",
        [TaskInState("load", "success", 0), TaskInState("load", "running", 1), TaskInState("load_old_2", None)],
    )


@pytest.mark.parametrize(
    ("due", "since"),
    [(AFTER, AFTER - timedelta(days=1)), (datetime(2100, 1, 1, tzinfo=UTC), None)],
    ids=["in the past", "still to come"],
)
def test_no_job_of_a_task_run_is_a_day_older_than_the_run(due, since):
    now = datetime.now(UTC)
    task = SimpleNamespace(retries=2)
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="score", map_index=-1, max_tries=5, task=task)
    run = task_run({"ti": ti, "dag_run": SimpleNamespace(run_after=due, logical_date=None)})
    assert (run.dag_id, run.run_id, run.task_id, run.map_index) == ("d", "r", "score", -1)
    assert abs(run.since - (since or now - timedelta(days=1))) < timedelta(minutes=1)


def test_a_run_that_is_not_there_yet_is_named_also_in_another_process():
    error = pickle.loads(pickle.dumps(RunNotCreated("telemetry", datetime(2016, 2, 26, 5, tzinfo=UTC))))
    assert (error.dag_id, error.recorded) == ("telemetry", datetime(2016, 2, 26, 5, tzinfo=UTC))
    assert str(error) == ("DAG telemetry has no run before 2016-02-26 05:00:00+00:00 yet; Airflow may still create it.")
