from __future__ import annotations

import pytest

from airflow_agari_provider.charts.rows import TaskFacts
from airflow_agari_provider.charts.task_order import downstream


def facts(**after):
    return {
        task: TaskFacts(None, reschedules=False, mapped=False, downstream=tuple(others.split()))
        for task, others in after.items()
    }


@pytest.mark.parametrize(
    ("tasks", "after", "expected"),
    [
        (["a", "b", "c"], {"a": "b c", "b": "c", "c": ""}, [[1, 2], [2], []]),
        (["a", "c"], {"a": "skipped", "skipped": "never", "never": "c", "c": ""}, [[1], []]),
        (["a", "removed"], {"a": ""}, [[], []]),
        (["a", "b"], {"a": "gone", "b": ""}, [[], []]),
        ([], {"a": ""}, []),
    ],
    ids=[
        "all started",
        "past tasks that did not start",
        "removed from the DAG",
        "next task is gone",
        "no task",
    ],
)
def test_what_comes_next_among_the_tasks_that_started(tasks, after, expected):
    assert downstream(tasks, facts(**after)) == expected


def test_a_thousand_parallel_tasks_that_did_not_start_are_looked_at_once():
    """Each of two layers leads to each of the next: a walk along all paths would never end."""
    layers = [[f"{layer}_{number}" for number in range(40)] for layer in range(25)]
    pairs = zip(layers, [*layers[1:], ["end"]], strict=True)
    after = {task: " ".join(below) for above, below in pairs for task in above}
    assert downstream(["0_0", "end"], facts(**after, end="")) == [[1], []]
