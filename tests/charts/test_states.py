"""
Each state in which Airflow can leave a try, and what the charts then count, by hand.

Which rows Airflow leaves was read from its source and seen in running DAGs; ``tests/views/queries`` reads the same
states from databases. Times are seconds.
"""

from __future__ import annotations

import pytest

from airflow_agari_provider.charts.figures import figures_of, tally_of, trend_of
from airflow_agari_provider.charts.outcomes import COUNTED, NOT_COUNTED, USUAL, standing
from airflow_agari_provider.charts.payload import _shifts
from airflow_agari_provider.charts.rows import RunRow
from airflow_agari_provider.charts.tries import Try, tries_of
from tests.charts.test_tries import NOW, pause, row, waits_of

WEEKS = 20 * 86400.0
WAITS = {"paused": {"task"}}
IN_TRIGGER = {"in_triggers": {"task"}}


def the_run(state="failed", end=7200.0):
    return RunRow(1, "run", "scheduled", state, 0.0, 0.0, 0.0, 0.0, end)


def found_in(rows, run, **values):
    return [Try._make(one) for one in tries_of(rows, WEEKS, runs=[run], **values)]


def short(found):
    """(outcome, end, run, whether the end is unknown) of each."""
    return [(one.outcome, one.end, one.run, one.end_unknown) for one in found]


def endless(number=1, state="success", start=10.0, **values):
    return row(number, state, start=start, **values)._replace(ended=WEEKS * values.get("instances", 1))


@pytest.mark.parametrize(
    ("state", "outcome"),
    [("skipped", "failed_first"), ("failed", "failed_first"), ("success", "success"), ("removed", "removed")],
)
def test_a_try_that_ended_without_an_end_ended_no_later_than_its_run(state, outcome):
    """``dagrun_timeout`` leaves running tasks skipped and without an end: apache/airflow#58536."""
    found = found_in([endless(1, state)], the_run())
    assert short(found) == [(outcome, 7200, 7190, True)]
    assert found[0].again is (state == "failed")
    tally = tally_of(found)
    assert (tally.total, figures_of([tally], {"run"}).usual) == (7190, None)


@pytest.mark.parametrize("state", ["running", "deferred", "up_for_reschedule", "awaiting_input"])
def test_a_try_that_goes_on_in_a_run_that_has_ended_counts_up_to_now(state):
    """A person may mark a run while tasks of it go on."""
    assert short(found_in([endless(1, state)], the_run()))[0][2:] == (WEEKS - 10, False)


def test_without_an_end_in_a_run_that_goes_on_now_is_the_latest_end():
    assert short(found_in([endless()], the_run("running", None))) == [("success", WEEKS, WEEKS - 10, True)]


def test_a_skipped_try_without_an_end_in_a_run_that_did_not_fail_stays_skipped():
    assert short(found_in([endless(1, "skipped")], the_run("success"))) == [("skipped", 7200, 7190, True)]


def test_a_try_that_was_cut_off_and_cleared_ended_before_the_next_was_scheduled():
    """The run's end is that of the second time. Airflow did not retry it by itself."""
    rows = [endless(1, "skipped", old=True), row(2, "success", scheduled=9000, start=9005, end=9105)]
    found = found_in(rows, the_run("success", 9200.0))
    assert short(found) == [("failed_first", 9000, 8990, True), ("success", 9105, 100, False)]
    assert [(one.idle, one.queued) for one in found] == [(0, 0), (None, 5)]
    assert tally_of(found).retried == {}


def test_the_times_of_a_cut_off_try_are_not_those_of_a_later_one_that_never_started():
    rows = [endless(1, "skipped", old=True), row(2, "failed", scheduled=9000, start=10, end=9100)]
    assert short(found_in(rows, the_run("failed", 9100.0))) == [("failed_first", 9100, 9090, True)]


def test_mapped_indexes_without_an_end_stand_apart_from_those_with_one():
    rows = [
        row(1, "skipped", start=10, end=10, index=5, instances=2, newest=True),
        endless(1, "skipped", index=9, instances=3, newest=True),
    ]
    assert short(found_in(rows, the_run())) == [("skipped", 10, 0, False), ("failed_first", 7200, 3 * 7190, True)]
    assert short(found_in(rows, the_run(), longest=True))[1] == ("failed_first", 7200, 7190, True)


def test_indexes_that_come_one_by_one_keep_their_unknown_ends():
    rows = [endless(1, "success", index=index) for index in (0, 1)]
    assert short(found_in(rows, the_run(), single={"task"})) == [("success", 7200, 2 * 7190, True)]


def test_a_try_that_was_cut_off_in_the_triggerer_waited_until_then():
    cut = endless(1, "skipped", deferred=True)
    kept = {**WAITS, "waits": waits_of([pause(began=[10], left=[15])])}
    found = found_in([cut], the_run(), **kept)
    assert [(one.outcome, one.run, one.deferred) for one in found] == [("failed_first", 5, 7185)]


def test_the_last_try_is_the_last_of_each_map_index():
    """3 indexes: one was fine at once, one failed for good, one was retried twice."""
    rows = [
        row(1, "success", start=0, end=1000, index=0, newest=True),
        row(1, "failed", start=0, end=1990, index=1, newest=True),
        row(1, "failed", old=True, start=0, end=5, index=2, newest=False),
        row(2, "failed", old=True, start=10, end=15, index=2, newest=False),
        row(3, "success", start=20, end=22, index=2, newest=True),
    ]
    kept = [(one.try_number, one.outcome, one.run) for one in tries_of(rows, NOW) if one[12]]
    assert kept == [(1, "success", 1000), (1, "failed_first", 1990), (3, "success", 2)]
    one_by_one = [one._replace(newest=None) for one in rows]
    kept = sorted(one[6] for one in tries_of(one_by_one, NOW, single={"task"}) if one[12])
    assert kept == [2, 1000, 1990]
    assert sum(kept) == 2992


def test_indexes_of_one_outcome_are_apart_if_only_some_of_them_were_retried():
    rows = [row(1, "failed", old=True, start=0, end=5, index=index)._replace(max_tries=1) for index in (0, 1)] + [
        row(2, "success", start=10, end=12, index=0)
    ]
    found = tries_of(rows, NOW, single={"task"})
    assert [(one.try_number, one.instances, one.map_index, one.last) for one in found] == [
        (1, 1, 0, False),
        (1, 1, 1, True),
        (2, 1, 0, True),
    ]


@pytest.mark.parametrize(
    ("tried", "events", "known"),
    [
        (row(1, start=0, end=8.3, scheduled=7, requeued=True), pause([7.3], []), IN_TRIGGER),
        (row(1, start=0, end=8.3, scheduled=7, requeued=True), None, IN_TRIGGER),
        (row(1, start=0, end=4, deferred=True), None, IN_TRIGGER),
        (row(1, start=0, end=60, scheduled=52, requeued=True), pause([7.3, 53], [8]), IN_TRIGGER),
        (row(1, "failed", old=True, start=0, end=4), None, IN_TRIGGER),
        (row(1, "failed", old=True, start=0, end=9), pause([7.3], []), IN_TRIGGER),
        (row(1, start=10, end=120, scheduled=99, requeued=True), pause([100], [15]), {}),
        (row(1, start=10, end=120, scheduled=99, requeued=True), pause([100], []), {}),
        (row(1, start=10, end=200, scheduled=149, requeued=True), pause([100, 150], [110]), {"since": 50}),
        (row(1, start=10, end=120, scheduled=99, requeued=True), pause([10, 100], []), {}),
        (row(1, start=10, end=120, deferred=True), pause([10], []), {}),
        (row(1, "deferred", start=10), None, {}),
        (row(1, "deferred", start=10), pause([60], []), IN_TRIGGER),
    ],
    ids=[
        "began in a trigger",
        "began in a trigger, log purged",
        "began and ended in a trigger",
        "began in a trigger, then deferred itself",
        "began in a trigger and failed there; another try followed",
        "began in a trigger and failed on a worker; another try followed",
        "the log's oldest event is purged",
        "the log's two oldest events are purged",
        "the log's two oldest events are purged, two later ones are left",
        "2.11: only the returns are in the log",
        "2.11: ended in a trigger",
        "in a trigger, log purged",
        "in a trigger again, having begun in one",
    ],
)
def test_a_deferral_that_the_log_does_not_show_is_unknown(tried, events, known):
    # None has more than one pause, so the sum is the first
    events = [events._replace(first_pause=events.paused_sum if events.pauses else None)] if events else []
    pauses = waits_of(events, **known)
    (found,) = (Try._make(one) for one in tries_of([tried], NOW, waits=pauses, **WAITS))
    assert found.deferred is None
    assert standing(found.outcome, found.run, found.deferred, found.end_unknown) == COUNTED
    tally = tally_of([found])
    figures = figures_of([tally], {"run"})
    assert (figures.deferred, figures.usual, figures.p95) == (None, None, None)
    assert figures.total == found.run > 0


def test_a_task_that_ended_in_a_trigger_waited_until_its_end():
    """``end_from_trigger``: a second of work; the log has when it left its worker."""
    ended = row(1, start=0, end=5, deferred=True)
    (found,) = tries_of([ended], NOW, waits=waits_of([pause([0], [1])]), **WAITS)
    assert (found.run, found.deferred) == (1, 4)


def test_a_sensor_whose_pokes_are_not_in_the_log_waited_nobody_knows_how_long():
    """Airflow 3 shows only the last poke."""
    last_poke = row(1, scheduled=199, start=200, end=202)
    (found,) = tries_of([last_poke], NOW, waits=waits_of([], reschedules={"task"}), **WAITS)
    assert (found.run, found.deferred) == (2, None)
    (found,) = tries_of([last_poke], NOW, waits=waits_of([pause([200], [])], reschedules={"task"}), **WAITS)
    assert (found[6], found[9]) == (2, 0)


@pytest.mark.parametrize("known", [{}, IN_TRIGGER, {"since": 50}], ids=["", "begins in triggers now", "later log"])
def test_clocks_that_differ_a_little_are_no_sign_of_a_wait(known):
    """Nor that the DAG file was changed since, so that the task begins in a trigger now."""
    tried = row(1, start=10, end=100, scheduled=79, requeued=True)
    events = pause([10.8, 80], [15])._replace(first_pause=15)
    (found,) = tries_of([tried], NOW, waits=waits_of([events], **known), **WAITS)
    assert (found.run, found.deferred) == (pytest.approx(25, abs=1), 65)


@pytest.mark.parametrize("logged", [18, 58], ids=["8 s late", "48 s late"])
def test_a_busy_server_that_logs_the_start_late_is_no_sign_of_a_wait(logged):
    """It logs that a task runs when it has time to; the task has run since its start."""
    tried = row(1, start=10, end=100, scheduled=79, requeued=True)
    events = pause([logged, 80], [logged + 2])._replace(first_pause=logged + 2)
    (found,) = tries_of([tried], NOW, waits=waits_of([events], since=10), **WAITS)
    assert (found.run, found.deferred) == (90 - (78 - logged), 78 - logged)


def test_one_index_with_an_unknown_wait_makes_the_wait_of_all_unknown():
    rows = [row(1, start=0, end=100, scheduled=89, index=index, requeued=True) for index in (0, 1)]
    pauses = waits_of([pause([0, 90], [10], index=0)])
    (found,) = tries_of(rows, NOW, waits=pauses, single={"task"}, **WAITS)
    assert (found.run, found.deferred) == (120, None)


@pytest.mark.parametrize(
    ("outcome", "run", "deferred", "end_unknown", "expected"),
    [
        ("success", 0, 0, False, USUAL),
        ("success", 20, 0, False, USUAL),
        ("failed_later", 20, 0, False, USUAL),
        ("superseded", 20, 0, False, USUAL),
        ("skipped", 21600, 0, False, USUAL),
        ("removed", 20, 0, False, USUAL),
        ("skipped", 0, 0, False, NOT_COUNTED),
        ("removed", 0, None, False, NOT_COUNTED),
        ("running", 20, 0, False, COUNTED),
        ("deferred", 20, 5, False, COUNTED),
        ("success", 20, None, False, COUNTED),
        ("success", 20, 0, True, COUNTED),
    ],
)
def test_a_try_counts_once_it_ran_and_is_usual_once_its_time_is_known(outcome, run, deferred, end_unknown, expected):
    assert standing(outcome, run, deferred, end_unknown) == expected


def test_a_sensor_that_was_busy_for_hours_and_then_skipped_took_these_hours():
    """``soft_fail``."""
    tally = tally_of(tries_of([row(1, "skipped", start=0, end=21600)], NOW))
    figures = figures_of([tally], {"run"})
    assert (tally.tries, figures.total, figures.lost, figures.usual, figures.retry_rate) == (1, 21600, 0, 21600, 0)


def test_a_task_that_a_branch_skipped_is_in_no_figure():
    tally = tally_of(tries_of([row(1, "skipped", start=5, end=5)], NOW))
    assert (tally.tries, tally.seconds, figures_of([tally], {"run"}).usual) == (0, {}, None)


def test_six_thousand_tries_of_a_mapped_task_are_six_thousand_tries():
    rows = [
        row(1, "success", start=0, end=1, index=2999, instances=5998, newest=True),
        row(1, "failed", old=True, start=0, end=1, index=7, instances=2, newest=False),
        row(2, "success", start=2, end=3, index=7, instances=2, newest=True),
    ]
    assert tally_of(tries_of(rows, NOW)).tries == 6002


def test_times_that_nobody_knows_make_no_trend_and_no_change():
    """Twelve runs of a second, then twelve whose waits in a trigger are not in the log."""
    runs = [RunRow(at, f"r{at}", "scheduled", "success", at * 3600.0, None, None, None, None) for at in range(48)]
    known = Try("", "task", 1, "success", 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1, -1, True, False)
    tries = [
        known._replace(run_id=run.run_id, run=1 + at % 2 / 10 if at < 24 else 100.0, deferred=0.0 if at < 24 else None)
        for at, run in enumerate(runs)
    ]
    tally = tally_of(tries)
    ids = [run.run_id for run in runs]
    assert trend_of(tally, ids) == pytest.approx(0, abs=10)
    assert _shifts(0, "task", tally, runs) == []
    changed = tally_of([one._replace(deferred=0.0) for one in tries])
    assert [one["kind"] for one in _shifts(0, "task", changed, runs)] == ["duration"]
    assert figures_of([tally], set(ids)).p95 == pytest.approx(1.1)
