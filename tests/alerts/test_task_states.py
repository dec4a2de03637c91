from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_agari_provider.alerts.miss import TaskInState
from airflow_agari_provider.alerts.task_states import (
    blocking_tasks,
    is_late,
    is_reported_elsewhere,
    standing_of,
    tasks_in_states,
)


def tasks(**states):
    return [TaskInState(task_id, state) for task_id, state in states.items()]


def test_an_index_of_a_mapped_task_is_told_from_a_task_of_that_name():
    states = {"grp.load_0": "success", "grp.load_12": "running", "grp.load_3": "failed", "other_1": None}
    assert tasks_in_states(states, mapped=["grp.load"], others=["grp.load_3"]) == [
        TaskInState("grp.load", "success", 0),
        TaskInState("grp.load", "running", 12),
        TaskInState("grp.load_3", "failed"),
        TaskInState("other_1", None),
    ]


@pytest.mark.parametrize(
    ("states", "late"),
    [
        (["success"], False),
        (["skipped"], False),
        (["removed"], False),
        (["success", "running"], True),
        (["up_for_retry"], True),
        (["failed"], True),
        ([None], True),
        ([], True),
    ],
)
def test_a_task_is_late_until_every_index_of_it_is_done(states, late):
    own = [TaskInState("load", state, index) for index, state in enumerate(states)]
    assert is_late([*own, TaskInState("other", "success")], "running", "load") is late


@pytest.mark.parametrize(("state", "late"), [("running", True), ("failed", True), ("queued", True), ("success", False)])
def test_a_run_is_late_until_it_is_a_success(state, late):
    assert is_late(tasks(load="success"), state, None) is late


@pytest.mark.parametrize(
    ("state", "run_state", "task_id", "standing"),
    [
        ("running", "running", "load", "late"),
        ("up_for_retry", "running", "load", "late"),
        ("failed", "running", "load", "failed"),
        ("upstream_failed", "running", "load", "failed and therefore late"),
        (None, "failed", "load", "failed and therefore late"),
        ("failed", "failed", None, "failed"),
        ("running", "running", None, "late"),
    ],
)
def test_late_failed_or_failed_and_therefore_late(state, run_state, task_id, standing):
    assert standing_of(tasks(load=state), run_state, task_id) == standing


def no_question():
    raise AssertionError("the claims are asked without need")


@pytest.mark.parametrize(
    ("task_id", "later", "earlier", "reported", "silent"),
    [
        ("report", ["load"], [], None, True),
        ("report", [None], [], None, True),
        ("report", [], [], None, False),
        ("report", [], ["extract"], None, False),
        ("report", [], ["load"], {"load"}, True),
        ("report", [], ["load"], {"extract", None}, False),
        ("load", [None], [], None, False),
        (None, [], [], None, False),
    ],
    ids=[
        "the failed task will speak",
        "the run will speak",
        "no other alert speaks",
        "one before it that is done",
        "the failed task has spoken",
        "the failed task was in time and failed afterwards",
        "the failed one itself",
        "the run itself",
    ],
)
def test_one_failure_is_told_once(task_id, later, earlier, reported, silent):
    states = tasks(extract="success", load="failed", report="upstream_failed")
    asked = no_question if reported is None else lambda: reported
    assert is_reported_elsewhere(states, "failed", task_id, later, earlier, asked) is silent


def test_a_run_that_may_still_succeed_will_not_tell_the_failure():
    states = tasks(load="failed", report="upstream_failed", clean_up="running")
    assert not is_reported_elsewhere(states, "running", "report", [None], [], no_question)


def test_what_is_at_work_blocks_the_longest_running_first():
    began = [datetime(2016, 2, 26, hour, tzinfo=UTC) for hour in (18, 17)]
    found = blocking_tasks(
        [
            TaskInState("done", "success"),
            TaskInState("waiting", None),
            TaskInState("queued", "queued"),
            TaskInState("short", "running", since=began[0]),
            TaskInState("long", "running", since=began[1]),
            TaskInState("again", "up_for_retry"),
        ],
        None,
    )
    assert [task.task_id for task in found] == ["long", "short", "again", "queued"]


@pytest.mark.parametrize(
    ("states", "blocking"),
    [
        ({"load": "failed", "report": "upstream_failed"}, ["load", "report"]),
        ({"load": None, "report": None}, ["load", "report"]),
        ({"load": "running", "aside": "running"}, ["load"]),
    ],
    ids=["failed", "not begun", "not upstream"],
)
def test_without_work_what_failed_or_has_not_begun_blocks(states, blocking):
    assert [task.task_id for task in blocking_tasks(tasks(**states), {"load", "report"})] == blocking
