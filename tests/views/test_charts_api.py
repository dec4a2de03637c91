"""
The charts' answers for histories as Airflow writes them, on real databases.

Which rows Airflow leaves behind in each case was read off running DAGs: ``tests/end_to_end/test_charts.py`` keeps
that honest. All times are seconds after ``EPOCH``.
"""

from __future__ import annotations

import pytest

from airflow_agari_provider.exceptions import BadQuestion
from airflow_agari_provider.views import charts_api
from airflow_agari_provider.views.parameters import overview_question, tries_question
from airflow_agari_provider.views.queries import tries as attempts
from airflow_agari_provider.views.queries.overview import first_run
from airflow_agari_provider.views.queries.tables import DEADLINE, INSTANCE, RESCHEDULE
from tests.views.metadata_rows import EPOCH, at

NOW = 5000.0
KNOWS_SCHEDULING = "scheduled_dttm" in INSTANCE.c  # else the queue is the first thing known
LOGS_PAUSES = "dag_id" not in RESCHEDULE.c


def ask(metadata, dag_id, *arguments):
    return charts_api.dag_tries(metadata.session, dag_id, tries_question(arguments), EPOCH + NOW)


def shown(answer):
    """(task, try, outcome, start, run, idle, queued, deferred) of each try."""
    tries, tasks = answer["tries"], answer["tasks"]["task_id"]
    columns = ("run_seconds", "idle_seconds", "queued_seconds", "deferred_seconds")
    return [
        (
            tasks[tries["task"][at]],
            tries["try_number"][at],
            answer["outcomes"][tries["outcome"][at]],
            round(tries["start"][at] - EPOCH, 2),
            *(None if tries[name][at] is None else round(tries[name][at], 2) for name in columns),
        )
        for at in range(len(tries["task"]))
    ]


@pytest.fixture(params=[None, [{"task_id": "load"}]], ids=["grouped", "row-by-row"])
def history(request, metadata, dag_id):
    """
    The run ``r`` of a DAG, due at second 0.

    Where the DAG's file is known to map no task, nothing needs to be grouped in the database.
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
    """It is in the history already, and still the task instance."""
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


def test_a_failed_try_that_somebody_marked_as_success_stays_failed(history):
    """Its time was lost; the task instance and the history hold the same try."""
    history.old("load", 1, "failed", scheduled=1, queued=1, start=3, end=23)
    history.now("load", 1, "success", scheduled=1, queued=1, start=3, end=23)
    answer = history.ask()
    assert shown(answer) == [("load", 1, "failed_first", 3, 20, 0, 2, 0)]
    assert answer["tries"]["last"] == [True]


def test_a_rescheduled_sensor_shows_its_whole_wait(history, metadata, dag_id):
    """Three looks of 2 seconds, at 10, 110 and 210; the task instance shows the last alone."""
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


def test_a_run_without_a_logical_date_stands_where_it_was_due(metadata, dag_id):
    metadata.dag(dag_id)
    without = {} if DEADLINE is None else {"logical_date": None}  # Airflow 2 gives one to every run
    run_type = "asset_triggered" if without else "dataset_triggered"
    metadata.run(dag_id, "late", 7200, run_type=run_type, **without)
    metadata.run(dag_id, "early", 3600)
    answer = ask(metadata, dag_id)
    assert answer["runs"]["run_id"] == ["early", "late"]
    assert answer["runs"]["logical_date"] == [EPOCH + 3600, None if without else EPOCH + 7200]


def test_a_backfill_says_nothing_of_the_trend(metadata, dag_id):
    metadata.dag(dag_id)
    for number in range(24):
        metadata.run(dag_id, f"r{number}", number * 3600)
        metadata.instance(dag_id, f"r{number}", "load", 1, "success", start=number * 3600, end=number * 3600 + 100)
    for number in range(12):
        due = (24 + number) * 3600
        metadata.run(dag_id, f"b{number}", due, run_type="backfill")
        metadata.instance(dag_id, f"b{number}", "load", 1, "success", start=due, end=due + 500)
    figures = ask(metadata, dag_id)["task_figures"][0]
    assert (figures["runs"], figures["trend_percent"]) == (36, 0)


def test_a_removed_task_keeps_what_it_ran(history):
    history.now("gone", 1, "removed", scheduled=1, queued=1, start=3, end=23)
    history.now("never", 0, "removed")
    answer = history.ask()
    assert shown(answer) == [("gone", 1, "removed", 3, 20, 0, 2, 0)]
    assert answer["task_figures"][0]["tries"] == 0


def test_an_empty_task_counts_with_zero_seconds_and_a_skipped_one_not_at_all(history):
    history.now("start", 1, "success", start=5, end=5, operator="EmptyOperator")
    history.now("skipped", 0, "skipped", start=6, end=6)
    history.now("after", 0, "upstream_failed", start=7, end=7)
    answer = history.ask()
    assert [one[:3] for one in shown(answer)] == [("start", 1, "success"), ("skipped", 0, "skipped")]
    assert [one["runs"] for one in answer["task_figures"]] == [1, 0]
    assert answer["figures"]["median_seconds"] == 0


def test_the_window_says_what_it_leaves_out(metadata, dag_id):
    metadata.dag(dag_id)
    ids = [metadata.run(dag_id, f"r{number}", number * 86400) for number in range(5)]
    newest = ask(metadata, dag_id, ("runs", "2"))
    assert newest["runs"]["run_id"] == ["r3", "r4"]
    assert newest["window"] == {
        "shown": 2,
        "total": 5,
        "first": EPOCH + 3 * 86400,
        "last": EPOCH + 4 * 86400,
        "older": True,
        "newer": False,
        "before": f"{EPOCH + 3 * 86400}-{ids[3]}",
        "after": f"{EPOCH + 4 * 86400}-{ids[4]}",
        "purged_before": None,
        "text": "last 2 of 5 runs, 2026-05-31 to 2026-06-01 (UTC)",
    }
    back = ask(metadata, dag_id, ("runs", "2"), ("before", str(newest["window"]["first"])))
    assert back["runs"]["run_id"] == ["r1", "r2"]
    assert back["window"]["text"] == "runs 2 to 3 of 5, 2026-05-29 to 2026-05-30 (UTC)"
    assert (back["window"]["older"], back["window"]["newer"]) == (True, True)


def test_runs_and_tasks_are_chosen(metadata, dag_id):
    metadata.dag(dag_id)
    for number, (kind, state) in enumerate((("manual", "failed"), ("scheduled", "failed"), ("manual", "success"))):
        metadata.run(dag_id, f"r{number}", number, state, run_type=kind)
        for task in ("load", "score"):
            metadata.instance(dag_id, f"r{number}", task, 1, "success", start=number, end=number + 1)
    answer = ask(metadata, dag_id, ("run_type", "manual"), ("run_state", "failed"), ("task_id", "score"))
    assert (answer["runs"]["run_id"], answer["tasks"]["task_id"]) == (["r0"], ["score"])
    assert answer["window"]["total"] == 1


def test_the_window_before_is_there_to_compare_with(metadata, dag_id):
    metadata.dag(dag_id)
    for number, seconds in enumerate((10, 20, 30, 40)):
        metadata.run(dag_id, f"r{number}", number * 3600)
        metadata.instance(dag_id, f"r{number}", "load", 1, "success", start=number * 3600, end=number * 3600 + seconds)
    figures = ask(metadata, dag_id, ("runs", "2"))["figures"]
    assert (figures["total_seconds"], figures["median_seconds"]) == (70, 35)
    assert (figures["before"]["total_seconds"], figures["before"]["median_seconds"]) == (30, 15)
    assert ask(metadata, dag_id, ("runs", "3"))["figures"]["before"] is None
    assert ask(metadata, dag_id, ("runs", "2"), ("compare", "false"))["figures"]["before"] is None


def test_tries_that_were_purged_are_said_to_be(metadata, dag_id):
    metadata.dag(dag_id)
    for number in range(3):
        due = number * 3600
        metadata.run(dag_id, f"r{number}", due)
        metadata.instance(dag_id, f"r{number}", "load", 2, "success", start=due + 100, end=due + 200)
    metadata.old_try(dag_id, "r2", "load", 1, "failed", start=7200, end=7300)
    assert ask(metadata, dag_id)["window"]["purged_before"] == EPOCH + 3600


@pytest.mark.parametrize("tasks", [None, [{"task_id": "load"}]], ids=["grouped", "row-by-row"])
def test_purged_tries_of_mapped_indexes_are_missed_too(metadata, dag_id, tasks):
    """In the first run all are gone, in the second those of one of two indexes, in the third none."""
    metadata.dag(dag_id, tasks)
    for number in range(3):
        due = number * 3600
        metadata.run(dag_id, f"r{number}", due)
        for index in range(3):
            tries = 1 if index == 2 else 2  # the last succeeded at once
            metadata.instance(
                dag_id, f"r{number}", "load", tries, "success", map_index=index, start=due + 9, end=due + 20
            )
            if tries == 2 and number + index > 1:
                metadata.old_try(
                    dag_id, f"r{number}", "load", 1, "failed", map_index=index, start=due + 10, end=due + 15
                )
    assert ask(metadata, dag_id)["window"]["purged_before"] == EPOCH + 3600
    assert ask(metadata, dag_id, ("runs", "1"))["window"]["purged_before"] is None


def test_runs_whose_task_instances_were_purged_are_said_to_be(metadata, dag_id):
    """A newer run without any has another cause, and so has one that goes on."""
    metadata.dag(dag_id, [{"task_id": "load"}])
    for number in range(5):
        metadata.run(dag_id, f"r{number}", number * 3600)
    metadata.run(dag_id, "new", 5 * 3600, state="queued")
    assert ask(metadata, dag_id)["window"]["purged_before"] == EPOCH + 4 * 3600
    metadata.instance(dag_id, "r3", "skipped", 0, "skipped", end=4 * 3600)
    assert ask(metadata, dag_id)["window"]["purged_before"] == EPOCH + 2 * 3600
    assert ask(metadata, dag_id, ("runs", "3"))["window"]["purged_before"] is None


def test_a_dag_without_tasks_was_not_purged(metadata, dag_id):
    metadata.dag(dag_id, [])
    metadata.run(dag_id, "r", 0)
    assert ask(metadata, dag_id)["window"]["purged_before"] is None


def test_when_a_run_was_queued_is_known_where_airflow_knows(metadata, dag_id):
    metadata.dag(dag_id)
    metadata.run(dag_id, "r1", 0, queued_at=at(2.5))
    metadata.run(dag_id, "r2", 3600, queued_at=None)
    assert ask(metadata, dag_id)["runs"]["queued_at"] == [EPOCH + 2.5, None]


def test_a_try_that_was_lost_before_it_started_is_not_taken_for_purged(metadata, dag_id):
    metadata.dag(dag_id)
    metadata.run(dag_id, "r", 0)
    metadata.old_try(dag_id, "r", "load", 1, "failed")
    metadata.instance(dag_id, "r", "load", 2, "success", start=100, end=200)
    assert ask(metadata, dag_id)["window"]["purged_before"] is None


def test_a_deadline_is_shown_with_its_run(metadata, dag_id):
    metadata.dag(dag_id)
    number = metadata.run(dag_id, "r1", 0)
    metadata.run(dag_id, "r2", 3600)
    if DEADLINE is None:
        metadata.sla_miss(dag_id, "load", 0)
        expected = [None, None]
    else:
        metadata.deadline(number, 900, missed=False)
        metadata.deadline(number, 600, missed=True)
        expected = [EPOCH + 600, None]
    runs = ask(metadata, dag_id)["runs"]
    assert (runs["deadline"], runs["deadline_missed"]) == (expected, [True, False])


def test_the_sla_of_a_task_comes_from_the_dag_file(metadata, dag_id):
    metadata.dag(dag_id, [{"task_id": "load", "sla": 1800.0}, {"task_id": "score"}])
    metadata.run(dag_id, "r", 0)
    metadata.instance(dag_id, "r", "load", 1, "success", start=1, end=2)
    metadata.instance(dag_id, "r", "score", 1, "success", start=3, end=4)
    assert ask(metadata, dag_id)["tasks"]["sla"] == [1800, None]


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
    assert str(refused.value) == (
        "runs='2': runs has to be fewer, or task_id given: these runs have more than 5 tries, too many for one answer."
    )
    assert len(shown(ask(metadata, dag_id, ("runs", "1")))) == 3
    assert len(shown(ask(metadata, dag_id, ("task_id", "load")))) == 4


def test_a_dag_without_runs_has_an_answer(metadata, dag_id):
    metadata.dag(dag_id, [])
    answer = ask(metadata, dag_id)
    assert answer["window"]["text"] == "no run"
    assert (answer["runs"]["run_id"], answer["tries"]["run"], answer["figures"]["retry_rate"]) == ([], [], None)


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
