"""
The tries of histories as Airflow writes them, on real databases.

Which rows Airflow leaves in each case was observed in running DAGs; ``tests/end_to_end/test_charts.py`` checks
that it is still so. All times are seconds after ``EPOCH``.
"""

from __future__ import annotations

import pytest

from airflow_agari_provider.exceptions import BadQuestion
from airflow_agari_provider.views.queries import tries as attempts
from airflow_agari_provider.views.queries.tables import RESCHEDULE
from tests.views.asked_charts import ask, shown

LOGS_PAUSES = "dag_id" not in RESCHEDULE.c


@pytest.fixture(params=[None, [{"task_id": "load"}]], ids=["grouped", "row-by-row"])
def history(request, metadata, dag_id):
    """
    The run ``r`` of a DAG, due at second 0.

    If the DAG's file is known and maps no task, the database does not group the rows.
    """
    metadata.dag(dag_id, request.param)
    metadata.run(dag_id, "r", 0)

    class History:
        def old(self, task, number, state, **times):
            return metadata.old_try(dag_id, "r", task, number, state, **times)

        def now(self, task, number, state, **times):
            return metadata.instance(dag_id, "r", task, number, state, **times)

        def event(self, task, name, when, number=1, **values):
            metadata.event(dag_id, "r", task, number, name, when, **values)

        def ask(self, *arguments):
            return ask(metadata, dag_id, *arguments)

    return History()


def test_every_try_of_a_retried_task(history):
    history.old("load", 1, "failed", scheduled=1, queued=1, start=3, end=23)
    history.now("load", 2, "success", scheduled=83, queued=83, start=85, end=125)
    assert shown(history.ask()) == [
        ("load", 1, "failed_first", 3, 20, 0, 2, 0),
        ("load", 2, "success", 85, 40, 60, 2, 0),
    ]


def test_a_try_that_waits_for_its_retry_is_counted_once(history):
    """It is in the history already, and still in the task instance."""
    for put in (history.old, history.now):
        put("load", 1, "failed" if put == history.old else "up_for_retry", queued=1, scheduled=1, start=3, end=23)
    assert shown(history.ask()) == [("load", 1, "failed_first", 3, 20, 0, 2, 0)]


@pytest.mark.parametrize(
    ("state", "number", "scheduled", "queued"), [(None, 1, 1, 1), ("scheduled", 2, 83, 1), ("queued", 2, 83, 84)]
)
def test_a_try_that_has_not_started_does_not_show_the_times_of_the_one_before(
    history, state, number, scheduled, queued
):
    """It gets its number when it is scheduled, and its own times one after the other."""
    history.old("load", 1, "failed", scheduled=1, queued=1, start=3, end=23)
    history.now("load", number, state, scheduled=scheduled, queued=queued, start=3, end=23)
    assert shown(history.ask()) == [("load", 1, "failed_first", 3, 20, 0, 2, 0)]


def test_a_try_that_was_cleared_while_it_runs_is_shown_once_it_has_ended(history):
    history.old("load", 1, "failed", scheduled=1, queued=1, start=3, end=23)
    history.now("load", 2, "restarting", scheduled=83, queued=84, start=85)
    assert shown(history.ask()) == [("load", 1, "failed_first", 3, 20, 0, 2, 0)]


def test_a_success_that_was_cleared_is_superseded(history):
    history.old("load", 1, "success", scheduled=1, queued=1, start=3, end=23)
    history.now("load", 2, "running", scheduled=4000, queued=4000, start=4010, max_tries=3)
    answer = history.ask()
    assert shown(answer) == [
        ("load", 1, "superseded", 3, 20, 0, 2, 0),
        ("load", 2, "running", 4010, 990, 3977, 10, 0),
    ]
    assert answer["figures"]["retry_rate"] == 0


def test_a_task_that_was_cleared_before_it_ever_ran_has_no_try(history):
    history.old("load", 0, "failed")
    history.now("load", 1, None)
    assert shown(history.ask()) == []


def test_a_failed_try_that_was_marked_as_success_stays_failed(history):
    """Its time was lost; the task instance and the history hold the same try."""
    history.old("load", 1, "failed", scheduled=1, queued=1, start=3, end=23)
    history.now("load", 1, "success", scheduled=1, queued=1, start=3, end=23)
    answer = history.ask()
    assert shown(answer) == [("load", 1, "failed_first", 3, 20, 0, 2, 0)]
    assert answer["tries"]["last"] == [True]


def test_a_rescheduled_sensor_shows_its_whole_wait(history, metadata, dag_id):
    """Three pokes of 2 seconds, at 10, 110 and 210; the task instance shows only the last."""
    metadata.dag(f"{dag_id}_s", [{"task_id": "wait", "reschedule": True}])
    metadata.run(f"{dag_id}_s", "r", 0)
    metadata.instance(f"{dag_id}_s", "r", "wait", 1, "success", scheduled=209, queued=209, start=210, end=212)
    for start in (10, 110, 210):
        metadata.event(f"{dag_id}_s", "r", "wait", 1, "running", start)
    for start in (10, 110):
        if LOGS_PAUSES:
            metadata.event(f"{dag_id}_s", "r", "wait", 1, "up_for_reschedule", start + 2)
        else:
            metadata.look(f"{dag_id}_s", "r", "wait", 1, start, start + 2)
    answer = ask(metadata, f"{dag_id}_s")
    assert shown(answer) == [("wait", 1, "success", 10, 6, 0, None, 196)]


def test_a_deferred_task_shows_the_time_in_the_triggerer(history):
    history.now("score", 1, "success", scheduled=99, queued=99, start=10, end=120)
    history.event("score", "running", 10)
    history.event("score", "running", 100)
    if LOGS_PAUSES:
        history.event("score", "deferred", 15)
        assert shown(history.ask()) == [("score", 1, "success", 10, 25, 0, None, 85)]
    else:
        assert shown(history.ask()) == [("score", 1, "success", 10, 110, 0, None, None)]


def test_a_task_in_the_triggerer_waits_until_now(history):
    history.now("score", 1, "deferred", scheduled=9, queued=9, start=10)
    history.event("score", "running", 10)
    history.event("score", "deferred", 15)
    assert shown(history.ask()) == [("score", 1, "deferred", 10, 5, 0, 1, 4985)]


def test_a_wait_whose_events_were_purged_is_unknown(history):
    history.now("score", 1, "success", scheduled=99, queued=99, start=10, end=120)
    answer = history.ask()
    assert shown(answer) == [("score", 1, "success", 10, 110, 0, None, None)]
    for figures in (answer["figures"], answer["task_figures"][0]):
        waits = [figures[f"{name}_seconds"] for name in ("idle", "queued", "deferred")]
        assert waits == [0, None, None]


def test_mapped_indexes_that_run_are_summed_up_to_now_each_from_its_own_start(history):
    for index, start in enumerate((4000, 4500, 4900)):
        history.now("load", 1, "running", map_index=index, scheduled=3990, queued=3990, start=start)
    answer = history.ask()
    assert shown(answer) == [("load", 1, "running", 4000, 1600, 0, 1430, 0)]
    assert (answer["tries"]["instances"], answer["tries"]["map_index"]) == ([3], [-1])
    assert answer["tasks"]["mapped"] == [True]
    assert [try_[4] for try_ in shown(history.ask(("mapped", "longest")))] == [1000]


def test_of_mapped_indexes_the_one_that_failed_is_named(history):
    for index in range(3):
        put = history.old if index == 1 else history.now
        put("load", 1, "failed" if index == 1 else "success", map_index=index, scheduled=0, queued=0, start=1, end=11)
    history.now("load", 2, "success", map_index=1, scheduled=71, queued=71, start=72, end=92)
    answer = history.ask()
    assert sorted(shown(answer)) == [
        ("load", 1, "failed_first", 1, 10, 0, 1, 0),
        ("load", 1, "success", 1, 20, 0, 2, 0),
        ("load", 2, "success", 72, 20, 60, 1, 0),
    ]
    by_outcome = sorted(zip(answer["tries"]["outcome"], answer["tries"]["map_index"], strict=True))
    assert by_outcome == [(0, 1), (4, -1), (4, 1)]
    assert answer["figures"]["retry_rate"] == 0.3333  # one index of three
    assert answer["task_figures"][0]["retried_runs"] == 1


def test_mapped_indexes_keep_each_its_last_try_and_each_its_unknown_end(history):
    """0 is fine at once, 1 failed for good, 2 waits for its retry, 3 was retried; the run's timeout cut 4 off."""
    times = {"scheduled": 0, "queued": 0, "start": 1}
    history.now("load", 1, "success", map_index=0, **times, end=1001)
    history.now("load", 1, "failed", map_index=1, **times, end=101)
    history.old("load", 1, "failed", map_index=2, **times, end=11)
    history.now("load", 2, "queued", map_index=2, scheduled=71, queued=72, start=1, end=11)
    history.old("load", 1, "failed", map_index=3, **times, end=12)
    history.now("load", 2, "success", map_index=3, scheduled=72, queued=72, start=73, end=75)
    history.now("load", 1, "skipped", map_index=4, **times)
    answer = history.ask()
    tries = answer["tries"]
    names = ("outcome", "try_number", "last", "end_unknown", "instances", "run_seconds")
    found: dict[tuple, list[float]] = {}
    for outcome, number, last, end_unknown, *sums in zip(*(tries[name] for name in names), strict=True):
        so_far = found.setdefault((answer["outcomes"][outcome], number, last, end_unknown), [0, 0])
        so_far[:] = [round(one + more, 2) for one, more in zip(so_far, sums, strict=True)]
    assert found == {
        ("success", 1, True, False): [1, 1000],
        ("failed_first", 1, True, False): [2, 110],
        ("failed_first", 1, False, False): [1, 11],
        ("success", 2, True, False): [1, 2],
        ("skipped", 1, True, True): [1, 3599],
    }
    assert answer["task_figures"][0]["tries"] == 6


def test_a_removed_task_keeps_what_it_ran(history):
    history.now("gone", 1, "removed", scheduled=1, queued=1, start=3, end=23)
    history.now("never", 0, "removed")
    answer = history.ask()
    assert shown(answer) == [("gone", 1, "removed", 3, 20, 0, 2, 0)]
    assert [(one["tries"], one["total_seconds"]) for one in answer["task_figures"]] == [(1, 20)]


def test_an_empty_task_counts_with_zero_seconds_and_a_skipped_one_not_at_all(history):
    history.now("start", 1, "success", start=5, end=5, operator="EmptyOperator")
    history.now("skipped", 0, "skipped", start=6, end=6)
    history.now("after", 0, "upstream_failed", start=7, end=7)
    answer = history.ask()
    assert [one[:3] for one in shown(answer)] == [("start", 1, "success"), ("skipped", 0, "skipped")]
    assert [one["runs"] for one in answer["task_figures"]] == [1, 0]
    assert answer["figures"]["median_seconds"] == 0


def test_what_could_not_start_because_a_task_before_it_failed_is_told_apart_from_the_tries(history):
    history.now("load", 1, "failed", scheduled=1, queued=1, start=3, end=23)
    for index in (0, 1):
        history.now("after", 0, "upstream_failed", map_index=index, start=24, end=24)
    history.now("last", 0, "upstream_failed")
    answer = history.ask()
    assert answer["tasks"]["task_id"] == ["load", "after", "last"]
    assert answer["blocked"] == {"run": [0, 0], "task": [1, 2], "instances": [2, 1]}
    assert [one["task"] for one in answer["task_figures"]] == [0]
    assert history.ask(("task_id", "load"))["blocked"] == {"run": [], "task": [], "instances": []}


def test_a_try_that_was_lost_before_it_started_is_not_taken_for_purged(metadata, dag_id):
    metadata.dag(dag_id)
    metadata.run(dag_id, "r", 0)
    metadata.old_try(dag_id, "r", "load", 1, "failed")
    metadata.instance(dag_id, "r", "load", 2, "success", start=100, end=200)
    assert ask(metadata, dag_id)["window"]["purged_before"] is None


@pytest.mark.parametrize("tasks", [None, [{"task_id": "load"}]], ids=["grouped", "row-by-row"])
def test_more_tries_than_an_answer_can_hold_are_refused_and_not_left_out(metadata, dag_id, tasks, monkeypatch):
    monkeypatch.setattr(attempts, "MOST_ROWS", 5)
    metadata.dag(dag_id, tasks)
    for number in range(2):
        metadata.run(dag_id, f"r{number}", number)
        for task in ("load", "score"):
            metadata.instance(dag_id, f"r{number}", task, 2, "success", start=number + 5, end=number + 6)
        metadata.old_try(dag_id, f"r{number}", "load", 1, "failed", start=number, end=number + 1)
    with pytest.raises(BadQuestion) as refused:
        ask(metadata, dag_id)
    assert str(refused.value) == ("These runs have more than 5 tries. Ask for fewer runs, or give task_id.")
    assert len(shown(ask(metadata, dag_id, ("runs", "1")))) == 3
    assert len(shown(ask(metadata, dag_id, ("task_id", "load")))) == 4
