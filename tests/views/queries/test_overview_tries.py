"""The page of all DAGs shows the same sums as each DAG's own page, on real databases. Times are after ``EPOCH``."""

from __future__ import annotations

import pytest

from airflow_agari_provider.views import charts_api
from airflow_agari_provider.views.parameters import overview_question, tries_question
from tests.views.metadata_rows import EPOCH
from tests.views.queries.histories import AIRFLOW_2, NOW, Rows, failed_deferred_tasks


def a_retry(rows):
    rows.old("load", 1, "failed", scheduled=1, queued=1, start=3, end=23)
    rows.now("load", 2, "success", scheduled=83, queued=83, start=85, end=125)


def an_old_try_that_never_started(rows):
    """It was scheduled, and cleared before it began: it kept the times of the previous try."""
    rows.old("load", 1, "failed", scheduled=1, queued=1, start=3, end=23)
    rows.old("load", 2, "failed", scheduled=40, queued=1, start=3, end=23)
    rows.now("load", 3, "success", scheduled=60, queued=60, start=61, end=71)


def a_newest_try_that_never_started(rows):
    """It failed in the queue."""
    rows.old("load", 1, "failed", scheduled=1, queued=1, start=3, end=23)
    rows.now("load", 2, "failed", scheduled=40, queued=41, start=3, end=60)


def a_marked_try(rows):
    rows.old("load", 1, "failed", scheduled=1, queued=1, start=3, end=23)
    rows.now("load", 1, "failed", scheduled=1, queued=1, start=3, end=23)


def a_deferred_task(rows):
    rows.now("score", 1, "success", scheduled=3599, queued=3599, start=10, end=3620)
    rows.events("score", running=[10, 3600], deferred=[20])


def a_task_in_the_triggerer(rows):
    rows.now("score", 1, "deferred", scheduled=9, queued=9, start=10)
    rows.events("score", running=[10], deferred=[20])


def a_wait_that_is_not_in_the_log(rows):
    rows.now("score", 1, "success", scheduled=3599, queued=3599, start=10, end=3620)


def rescheduled_sensors(rows):
    """Airflow shows only the last poke."""
    rows.old("wait", 1, "failed", scheduled=209, queued=209, start=210, end=212, operator="PythonSensor")
    rows.looks(None, "wait", 1, [10, 110])
    rows.events("wait", running=[210])
    newest = rows.now("wait", 2, "failed", scheduled=1209, queued=1209, start=1210, end=1212, operator="PythonSensor")
    rows.looks(newest, "wait", 2, [1010, 1110])
    rows.events("wait", 2, running=[1210])


def a_skipped_try(rows):
    rows.old("load", 1, "skipped", scheduled=1, queued=1, start=3, end=23)
    rows.now("load", 2, "success", scheduled=83, queued=83, start=85, end=125)


def some_mapped_indexes_retried(rows):
    for index in range(100):
        if index < 2:
            rows.old("load", 1, "failed", map_index=index, scheduled=0, queued=0, start=1, end=11)
            rows.now("load", 2, "success", map_index=index, scheduled=20, queued=20, start=25, end=35)
        else:
            rows.now("load", 1, "success", map_index=index, scheduled=0, queued=0, start=2, end=12)


def a_mapped_index_that_waits_for_its_retry(rows):
    """The second index has not started its retry yet; the third was cleared."""
    for index, (number, state, scheduled) in enumerate(((1, "up_for_retry", 0), (2, "queued", 20), (2, "success", 20))):
        old = "success" if index == 2 else "failed"
        start, end = (25, 35) if index == 2 else (1, 11)
        rows.old("load", 1, old, map_index=index, scheduled=0, queued=0, start=1, end=11)
        rows.now("load", number, state, map_index=index, scheduled=scheduled, queued=scheduled, start=start, end=end)


def a_task_that_the_run_s_timeout_cut_off(rows):
    """``dagrun_timeout`` leaves it skipped and without an end."""
    rows.now("load", 1, "skipped", scheduled=1, queued=1, start=3)
    rows.now("after", 0, "skipped")


def a_task_that_was_cut_off_in_the_triggerer(rows):
    rows.now("score", 1, "skipped", scheduled=9, queued=9, start=10, next_method="execute_complete")
    rows.events("score", running=[10], deferred=[20])


def a_success_without_an_end(rows):
    rows.now("load", 1, "success", scheduled=1, queued=1, start=3)


def a_sensor_that_was_busy_and_then_skipped(rows):
    """``soft_fail``; next to it a task that a branch skipped."""
    rows.now("load", 1, "skipped", scheduled=1, queued=1, start=3, end=2163)
    rows.now("branch", 0, "skipped", start=2200, end=2200)


def a_task_that_ended_in_a_trigger(rows):
    """``end_from_trigger``."""
    rows.now("score", 1, "success", scheduled=0, queued=0, start=0, end=5, next_method="execute_complete")
    rows.events("score", running=[0], deferred=[1])


def a_task_that_began_in_a_trigger(rows):
    """``start_from_trigger``; how long it was on a worker is not known."""
    rows.now("score", 1, "success", scheduled=1007, queued=1007, start=1000, end=1008.3)
    rows.events("score", running=[1007.3])


def a_task_that_began_in_a_trigger_and_then_deferred_itself(rows):
    """Its log looks like that of a task that began on a worker, and of whose start the server learned late."""
    rows.now("begins", 1, "success", scheduled=1052, queued=1052, start=1000, end=1060)
    rows.events("begins", running=[1007.3, 1053], deferred=[1010])


def a_deferred_task_of_whose_start_the_server_learned_late(rows):
    rows.now("load", 1, "success", scheduled=1, queued=1, start=1000, end=1000)
    rows.events("load", running=[1000])  # the log reaches back to before the other task
    rows.now("score", 1, "success", scheduled=1092, queued=1092, start=1001, end=1100)
    rows.events("score", running=[1041, 1093], deferred=[1043])


def a_task_that_was_never_on_a_worker(rows):
    """``start_from_trigger`` and ``end_from_trigger``."""
    rows.now("score", 1, "success", start=0, end=4, next_method="execute_complete")


@pytest.mark.parametrize(
    ("happened", "lost", "total", "failed_tries", "retried"),
    [
        (a_retry, 20, 60, 1, (1, 1)),
        (an_old_try_that_never_started, 20, 30, 1, (1, 1)),
        (a_newest_try_that_never_started, 20, 20, 1, (0, 1)),
        (a_marked_try, 20, 20, 1, (0, 1)),
        (a_deferred_task, 0, 3610 if AIRFLOW_2 else 30, 0, (0, 1)),
        (failed_deferred_tasks, 2610 if AIRFLOW_2 else 50, 2610 if AIRFLOW_2 else 50, 2, (1, 1)),
        (a_task_in_the_triggerer, 0, 4990 if AIRFLOW_2 else 10, 0, (0, 1)),
        (a_wait_that_is_not_in_the_log, 0, 3610, 0, (0, 1)),
        (rescheduled_sensors, 12, 12, 2, (1, 1)),
        (a_skipped_try, 0, 60, 0, (0, 1)),
        (a_task_that_the_run_s_timeout_cut_off, 3597, 3597, 1, (0, 1)),
        (a_task_that_was_cut_off_in_the_triggerer, *([3590] * 2 if AIRFLOW_2 else [10] * 2), 1, (0, 1)),
        (a_success_without_an_end, 0, 3597, 0, (0, 1)),
        (a_sensor_that_was_busy_and_then_skipped, 0, 2160, 0, (0, 1)),
        (a_task_that_ended_in_a_trigger, 0, 5 if AIRFLOW_2 else 1, 0, (0, 1)),
        (a_task_that_began_in_a_trigger, 0, 8.3, 0, (0, 1)),
        (a_task_that_began_in_a_trigger_and_then_deferred_itself, 0, 60, 0, (0, 1)),
        (a_deferred_task_of_whose_start_the_server_learned_late, 0, 99 if AIRFLOW_2 else 49, 0, (0, 2)),
        (a_task_that_was_never_on_a_worker, 0, 4, 0, (0, 1)),
        (some_mapped_indexes_retried, 20, 1020, 2, (2, 100)),
        (a_mapped_index_that_waits_for_its_retry, 20, 40, 2, (0, 3)),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_both_pages_count_the_same_tries_and_the_same_seconds(
    metadata, dag_id, happened, lost, total, failed_tries, retried
):
    begins = {"task_id": "begins", "start_from_trigger": True, "start_trigger_args": {"trigger_cls": "a.Trigger"}}
    metadata.dag(dag_id, [{"task_id": "wait", "reschedule": True}, {"task_id": "load"}, {"task_id": "score"}, begins])
    metadata.run(dag_id, "r", 0, "failed")
    happened(Rows(metadata, dag_id))
    ask = metadata.session, overview_question([]), EPOCH + NOW
    overview, time = (question(*ask)["dags"] for question in (charts_api.all_dags, charts_api.all_task_time))
    at, at_time = (columns["dag_id"].index(dag_id) for columns in (overview, time))
    page = charts_api.dag_tries(metadata.session, dag_id, tries_question([]), EPOCH + NOW)
    assert (page["figures"]["lost_seconds"], page["figures"]["total_seconds"]) == pytest.approx((lost, total), abs=0.01)
    assert (overview["lost_seconds"][at], time["total_seconds"][at_time]) == pytest.approx((lost, total), abs=0.01)
    assert overview["failed_tries"][at] == failed_tries
    sums = page["task_figures"]
    shown = page["tries"]
    assert sum(one["tries"] for one in sums) == sum(
        instances for instances, counted in zip(shown["instances"], shown["counted"], strict=True) if counted
    )
    assert (time["retried"][at_time], time["started"][at_time]) == retried
    assert page["figures"]["retry_rate"] == retried[0] / retried[1]
