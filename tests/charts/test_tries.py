from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_agari_provider.charts.figures import figures_of, tally_of
from airflow_agari_provider.charts.rows import PauseRow, TryRow
from airflow_agari_provider.charts.timing import NO_WAITS, Waits
from airflow_agari_provider.charts.tries import tries_of

NOW = 100_000.0


def row(
    number=1, state="success", *, old=False, scheduled=None, start=0.0, end=None, index=-1, instances=1, **values
) -> TryRow:
    """A row of one map index, or of ``instances`` equal ones."""
    begun = start if scheduled is None else scheduled
    until = NOW if end is None else end
    return TryRow(
        run_id="run",
        task_id="task",
        try_number=number,
        state=state,
        old=old,
        map_index=index,
        instances=instances,
        scheduled=begun * instances,
        started=start * instances,
        ended=until * instances,
        first_start=start,
        last_end=end,
        **{"longest": until - start, "max_tries": 3, "requeued": False, "operator": "PythonOperator", **values},
    )


def pause(began: list[float], left: list[float], number=1, index=-1) -> PauseRow:
    return PauseRow("run", "task", index, number, len(began), sum(began), min(began), len(left), sum(left))


def waits_of(pauses, **known):
    return Waits({one[:4]: one for one in pauses}, **known)


def split(found):
    """(outcome, run, idle, queued, deferred) of each."""
    return [(one.outcome, one.run, one.idle, one.queued, one.deferred) for one in found]


def test_a_task_that_failed_twice_shows_every_try_and_what_lay_between():
    found = tries_of(
        [
            row(1, "failed", old=True, scheduled=0, start=5, end=25),
            row(2, "failed", old=True, scheduled=85, start=87, end=117),
            row(3, "success", scheduled=177, start=178, end=218),
        ],
        NOW,
    )
    assert split(found) == [
        ("failed_first", 20, 0, 5, 0),
        ("failed_second", 30, 60, 2, 0),
        ("success", 40, 60, 1, 0),
    ]
    assert [one.last for one in found] == [False, False, True]
    assert [one.again for one in found] == [True, True, False]


def test_the_total_of_a_retried_task_is_the_sum_of_its_tries_and_not_its_last():
    """PrefectHQ/prefect#18751: ``total_run_time`` is documented as the sum, but holds only the last run."""
    found = tries_of([row(1, "failed", old=True, start=0, end=600), row(2, start=660, end=720)], NOW)
    figures = figures_of([tally_of(found)], {"run"})
    assert (figures.total, figures.lost, figures.idle, figures.usual) == (660, 600, 60, 660)


def test_a_task_that_succeeded_at_once_is_all_run_and_queue():
    at_once = row(scheduled=3, start=5, end=25)
    run, task = "run", "task"
    assert tries_of([at_once], NOW) == [(run, task, 1, "success", 5, 25, 20, 0, 2, 0, 1, -1, True, False, False)]
    assert tries_of([at_once], NOW) == tries_of([at_once], NOW, paused={task})


def test_a_cleared_success_is_superseded_and_not_failed():
    found = tries_of([row(1, "success", old=True, start=0, end=10), row(2, start=1000, end=1010)], NOW)
    assert split(found) == [("superseded", 10, 0, 0, 0), ("success", 10, 990, 0, 0)]
    assert tally_of(found).lost == 0
    assert not tally_of(found).retried


def test_a_fourth_failure_is_a_later_one():
    rows = [row(number, "failed", old=number < 4, start=number * 100, end=number * 100 + 1) for number in (1, 2, 3, 4)]
    outcomes = [one.outcome for one in tries_of(rows, NOW)]
    assert outcomes == ["failed_first", "failed_second", "failed_later", "failed_later"]


def test_a_success_between_two_failures_does_not_count_as_a_failure():
    rows = [
        row(1, "failed", old=True, start=0, end=1),
        row(2, "success", old=True, start=2, end=3),
        row(3, "failed", start=4, end=5),
    ]
    assert [one.outcome for one in tries_of(rows, NOW)] == ["failed_first", "superseded", "failed_second"]


def test_a_running_try_lasts_until_now():
    found = tries_of([row(1, "running", scheduled=NOW - 70, start=NOW - 60)], NOW)
    assert split(found) == [("running", 60, 0, 10, 0)]
    assert found[0].end is None


@pytest.mark.parametrize("old", [True, False], ids=["cleared before it started", "failed in the queue"])
def test_a_try_with_the_times_of_the_one_before_never_started(old):
    stale = row(2, "failed", old=old, scheduled=40, start=5, end=25 if old else 60)
    found = tries_of([row(1, "failed", old=True, start=5, end=25), stale], NOW)
    assert split(found) == [("failed_first", 20, 0, 0, 0)]
    assert found[0].last


def test_a_task_without_a_chance_to_run_is_not_a_try():
    assert tries_of([row(1, "upstream_failed", old=True, start=1, end=1)], NOW) == []


def test_a_skipped_task_is_shown_and_not_counted():
    found = tries_of([row(1, "skipped", start=1, end=1)], NOW)
    assert [one.outcome for one in found] == ["skipped"]
    assert tally_of(found).seconds == {}


def test_time_in_the_triggerer_is_not_run_time():
    deferred = row(1, "success", start=10, end=100, requeued=True)
    pauses = waits_of([pause(began=[10, 80], left=[15])])
    found = tries_of([deferred], NOW, paused={"task"}, waits=pauses)
    assert split(found) == [("success", 25, 0, None, 65)]


def test_a_task_in_the_triggerer_waits_until_now():
    deferred = row(1, "deferred", scheduled=NOW - 103, start=NOW - 100)
    pauses = waits_of([pause(began=[NOW - 100], left=[NOW - 90])])
    found = tries_of([deferred], NOW, paused={"task"}, waits=pauses)
    assert split(found) == [("deferred", 10, 0, 3, 90)]


def test_a_task_that_was_killed_in_the_triggerer_waited_until_then():
    killed = row(1, "failed", scheduled=8, start=10, end=100)
    found = tries_of([killed], NOW, paused={"task"}, waits=waits_of([pause(began=[10], left=[15])]))
    assert split(found) == [("failed_first", 5, 0, 2, 85)]


def test_a_wait_that_the_log_does_not_tell_is_unknown_and_stays_in_the_run_time():
    """2.11 logs that a task came back, not when it left."""
    deferred = row(1, "success", start=10, end=100, requeued=True)
    pauses = waits_of([pause(began=[10, 80], left=[])])
    for known in (NO_WAITS, pauses):
        found = tries_of([deferred], NOW, paused={"task"}, waits=known)
        assert split(found) == [("success", 90, 0, None, None)]


def test_a_rescheduled_sensor_began_with_its_first_look():
    """Airflow shows only the start of the last poke."""
    last_look = row(1, "success", scheduled=199, start=200, end=202)
    looks = waits_of([pause(began=[10, 110, 200], left=[12, 113])])
    found = tries_of([last_look], NOW, paused={"task"}, waits=looks)
    assert split(found) == [("success", 7, 0, None, 185)]
    assert found[0].start == 10


def test_the_time_before_a_deferred_retry_is_idle_where_the_queue_is_forgotten():
    rows = [row(1, "failed", old=True, start=0, end=10), row(2, start=50, end=90, scheduled=50, requeued=True)]
    pauses = waits_of([pause(began=[0], left=[]), pause(began=[50, 80], left=[55], number=2)])
    found = tries_of(rows, NOW, paused={"task"}, waits=pauses)
    assert split(found) == [("failed_first", 10, 0, 0, 0), ("success", 15, 40, None, 25)]


def test_mapped_indexes_are_summed_and_those_that_failed_stand_apart():
    rows = [
        row(1, "success", start=10, end=30, scheduled=8, index=299, instances=298, newest=True),
        row(1, "failed", old=True, start=10, end=20, scheduled=8, index=7, instances=2, newest=False),
        row(2, "success", start=60, end=90, scheduled=50, index=7, instances=2, newest=True),
    ]
    found = tries_of(rows, NOW)
    assert split(found) == [
        ("success", 5960, 0, 596, 0),
        ("failed_first", 20, 0, 4, 0),
        ("success", 60, 60, 20, 0),
    ]
    assert [(one.instances, one.map_index, one.last) for one in found] == [
        (298, -1, True),
        (2, -1, False),
        (2, -1, True),
    ]


def test_the_idle_time_of_mapped_indexes_is_unknown_where_some_still_wait_for_their_retry():
    rows = [
        row(1, "failed", old=True, start=10, end=20, index=7, instances=3),
        row(2, "success", start=60, end=90, scheduled=50, index=7, instances=2),
    ]
    assert split(tries_of(rows, NOW))[1] == ("success", 60, None, 20, 0)


def test_the_longest_index_is_the_critical_path():
    group = row(1, "success", start=10, end=30, scheduled=8, index=299, instances=300, longest=55.0)
    assert split(tries_of([group], NOW, longest=True)) == [("success", 55, 0, 2, 0)]


def test_mapped_indexes_that_defer_are_split_one_by_one():
    rows = [row(1, "success", start=0, end=100 + index, index=index, requeued=True) for index in (0, 1)]
    pauses = waits_of([pause(began=[0, 90], left=[10], index=index) for index in (0, 1)])
    kept = {"paused": {"task"}, "waits": pauses, "single": {"task"}}
    assert split(tries_of(rows, NOW, **kept)) == [("success", 41, 0, None, 160)]
    assert split(tries_of(rows, NOW, longest=True, **kept)) == [("success", 21, 0, None, 80)]


def test_indexes_that_come_one_by_one_are_summed_too():
    rows = [row(1, "success", start=0, end=10 + index, index=index) for index in (0, 1, 2)]
    found = tries_of(rows, NOW, single={"task"})
    assert [(one.run, one.instances, one.map_index) for one in found] == [(33, 3, -1)]


SECONDS = st.integers(0, 10_000).map(float)


@st.composite
def histories(draw):
    """(rows, pauses, what each second was): a task's tries as Airflow 3 writes them down."""
    clock = first = float(draw(st.integers(0, 1000)))
    rows, pauses, truth = [], [], {"run": 0.0, "lost": 0.0, "idle": 0.0, "queued": 0.0, "deferred": 0.0}
    count = draw(st.integers(1, 6))
    for number in range(1, count + 1):
        idle = draw(SECONDS) if number > 1 else 0.0
        queued = draw(SECONDS)
        start = clock + idle + queued
        scheduled = clock + idle
        slices = draw(st.lists(SECONDS, min_size=1, max_size=4))
        waits = draw(st.lists(SECONDS.filter(bool), min_size=len(slices) - 1, max_size=len(slices) - 1))
        began, left, at = [start], [], start + slices[0]
        for wait, ran in zip(waits, slices[1:], strict=True):
            left.append(at)
            began.append(at + wait)
            at += wait + ran
        ended = at + 1  # a try takes at least a moment, or the next try could be mistaken for a copy of it
        last = number == count
        state = draw(st.sampled_from(["success", "failed"]))
        requeued = bool(waits) and start + slices[0] + waits[0] > start
        # a task that came back was scheduled a second time; Airflow overwrites the first
        rows.append(
            row(
                number, state, old=not last, scheduled=began[-1] if waits else scheduled, start=start, end=ended
            )._replace(requeued=requeued)
        )
        pauses.append(pause(began, left, number))
        ran = sum(slices) + 1
        truth["run"] += ran
        truth["lost"] += ran if state == "failed" else 0.0
        truth["deferred"] += sum(waits)
        known = not waits
        truth["queued"] += queued if known else 0.0
        truth["idle"] += idle if known else idle + queued if number > 1 else 0.0
        if not known and number == 1:
            first = start  # no row shows when the first try was scheduled
        clock = ended
    return rows, pauses, truth, clock - first


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories())
def test_run_idle_queued_and_deferred_time_add_up_to_wall_time(history):
    rows, pauses, truth, wall = history
    found = tries_of(rows[::-1], NOW, paused={"task"}, waits=waits_of(pauses))
    tally = tally_of(found)
    split = {
        "run": tally.total,
        "lost": tally.lost,
        "idle": tally.idle,
        "queued": tally.queued,
        "deferred": tally.deferred,
    }
    assert split == pytest.approx(truth)
    assert tally.total + tally.idle + tally.queued + tally.deferred == pytest.approx(wall)
