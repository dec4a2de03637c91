"""When a try began, ended and waited, by hand; ``test_states.py`` has what the charts then count. Times are seconds."""

from __future__ import annotations

import pytest

from airflow_agari_provider.charts.rows import PauseRow, TryRow
from airflow_agari_provider.charts.timing import NO_WAITS, Waits, began_late, goes_on, seconds_run, timed

NOW, UNTIL = 1000.0, 500.0
PLACE = ("run", "task", -1, 1)
ROW = TryRow("run", "task", 1, "success", False, -1, 1, 9.0, 10.0, 110.0, 10.0, 110.0, None, 0, False, None)


def of(**changed):
    return ROW._replace(**changed)


def events(began, left=()):
    """Events in Airflow's log: when it began on a worker, when it left one."""
    first = left[0] if left else None
    return PauseRow(*PLACE, len(began), sum(began), began[0], len(left), sum(left), first)


def log(began, left=(), **more):
    return Waits({PLACE: events(began, left)}, **more)


@pytest.mark.parametrize("state", ["running", "deferred", "up_for_reschedule", "awaiting_input"])
def test_only_the_newest_try_goes_on(state):
    assert goes_on(of(state=state))
    assert not goes_on(of(state=state, old=True))


@pytest.mark.parametrize("state", [None, "", "success", "queued", "a_new_state"])
def test_what_is_not_at_work_does_not_go_on(state):
    assert not goes_on(of(state=state))


@pytest.mark.parametrize(
    ("row", "waits", "expected"),
    [
        (of(), NO_WAITS, (10, 110, 0, 100)),
        (of(requeued=True), log([10, 80], [30]), (10, 110, 50, 50)),
        (of(requeued=True), log([10, 80, 100], [30, 90]), (10, 110, 60, 40)),
        (of(deferred=True), log([10], [30]), (10, 110, 80, 20)),
        (of(state="deferred"), log([10], [30]), (10, 1000, 970, 20)),
        (of(state="running", ended=1000.0, last_end=None), log([10, 80], [30]), (10, 1000, 50, 940)),
        (of(requeued=True), NO_WAITS, (10, 110, None, 100)),
        (of(requeued=True), log([10]), (10, 110, None, 100)),
        (of(ended=5.0, last_end=5.0), NO_WAITS, (10, 5, 0, 0)),
    ],
    ids=[
        "never waited",
        "waited once",
        "waited twice",
        "ended in its wait",
        "waits now",
        "is back at work",
        "waited, log purged",
        "waited, its leaving purged",
        "a clock that was set back",
    ],
)
def test_the_wait_is_taken_off_the_time_at_work(row, waits, expected):
    found = timed(row, waits, NOW, UNTIL)
    assert (found.started, found.ended, found.waited, found.run) == expected
    assert seconds_run(row, waits, NOW, UNTIL) == expected[3]


@pytest.mark.parametrize(("until", "ended"), [(500.0, 500.0), (4.0, 10.0)], ids=["", "before it began"])
def test_a_try_without_an_end_ended_no_later_than_was_possible_and_not_before_it_began(until, ended):
    found = timed(of(last_end=None), NO_WAITS, NOW, until)
    assert (found.ended, found.end_unknown, found.run) == (ended, True, ended - 10)


def test_the_times_of_three_indexes_are_sums():
    three = of(map_index=2, instances=3, started=30.0, state="deferred")
    found = timed(three, NO_WAITS, NOW, UNTIL)
    assert (found.ended, found.waited, found.run) == (3000, None, 2970)
    assert timed(three._replace(state="success", last_end=None), NO_WAITS, NOW, UNTIL).ended == 1500


@pytest.mark.parametrize(("logged", "late"), [(10.0, False), (11.0, False), (11.1, True), (9.0, False)])
def test_a_second_is_the_clocks_difference_and_more_is_late(logged, late):
    assert began_late(of(), log([logged])) is late


def test_a_begin_that_the_log_does_not_have_is_not_late():
    assert not began_late(of(), NO_WAITS)
    assert not began_late(of(try_number=2), log([50]))


def test_a_late_begin_is_a_wait_only_of_what_begins_in_a_trigger_or_before_the_log():
    row, began = of(), [60.0]
    assert timed(row, log(began), NOW, UNTIL).waited == 0
    assert timed(row, log(began, in_triggers={"task"}), NOW, UNTIL).waited is None
    assert timed(row, log(began, since=20.0), NOW, UNTIL).waited is None
    assert timed(row, log(began, since=5.0), NOW, UNTIL).waited == 0
