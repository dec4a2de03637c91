"""The daily example DAG: which day its model is for, and where it is written."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest


@pytest.fixture
def module(load_dag):
    return load_dag("model_building")


@pytest.mark.parametrize(
    ("named", "due", "day"),
    [
        (None, datetime(2016, 4, 28, 0, 30, tzinfo=UTC), "dt=2016-04-28/"),
        ("2016-04-28", None, "dt=2016-04-28/"),
        ("2016-04-28T23:30:00-02:00", None, "dt=2016-04-29/"),
    ],
    ids=["the run's day", "a date", "a moment elsewhere"],
)
def test_the_model_is_for_the_day_on_which_the_run_is_due(module, named, due, day):
    run = SimpleNamespace(data_interval_end=due)
    assert module.day_of(run, {"model_day": named}).folders() == [day]


def test_each_run_writes_to_a_folder_of_its_own_in_that_of_the_day(module):
    task = module.dag.get_task("build_trust_model")
    ti = SimpleNamespace(run_id="scheduled__2016-04-28T00:30:00+00:00", max_tries=2)
    params = {"model_day": "2016-04-28", "history_days": 2, "messages_bucket": "b", "cluster_name": "c"}
    task.render_template_fields({"ti": ti, "params": params, "dag_run": None})
    assert task.arguments == [
        "--input",
        "s3://b/archive/dt=2016-04-26/,s3://b/archive/dt=2016-04-27/",
        "--output",
        "s3://b/models/dt=2016-04-28/scheduled__2016-04-28T003000_0000/2/",
    ]
