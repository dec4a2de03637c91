from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_agari_provider.slas.observation import observe
from tests.slas.airflow_calls import RUN, SLACK

DUE = datetime(2016, 2, 26, 18, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "tasks", "standing", "came_in"),
    [
        ({}, {"load": "running"}, "late", False),
        ({}, {"load": "success"}, None, True),
        ({}, {"load": "failed"}, "failed", False),
        ({"when_failed": "skip"}, {"load": "failed"}, None, False),
        ({"reported_later": ["extract"]}, {"extract": "failed", "load": "upstream_failed"}, None, False),
        ({"mapped": ["load"]}, {"load_0": "success", "load_1": "running"}, "late", False),
        ({"mapped": ["load"]}, {"load_0": "success", "load_1": "skipped"}, None, True),
        ({"task_id": None}, {"load": "success"}, "late", False),
    ],
    ids=[
        "at work",
        "done",
        "failed",
        "failed, which the SLA does not report",
        "a failure that another SLA reports",
        "one index is done",
        "every index is done",
        "the run, which is still running",
    ],
)
def test_an_answer_is_a_miss_or_nothing_and_done_or_not(changes, tasks, standing, came_in, watch, states):
    states[:] = [tasks]
    seen = observe(watch(SLACK, **changes), RUN, DUE)
    assert (seen.miss.standing if seen.miss else None, seen.came_in) == (standing, came_in)


def test_a_miss_names_what_it_is_about_and_when_it_was_due(watch, states):
    miss = observe(watch(SLACK), RUN, DUE).miss
    assert (miss.dag_id, miss.task_id, miss.due) == ("telemetry", "load", DUE)
    assert miss.text == "EP_STAGE - telemetry SLA Miss for task load on 2016-02-26T18:00:00"
    assert [str(task) for task in miss.blocking] == ["load (running)"]
