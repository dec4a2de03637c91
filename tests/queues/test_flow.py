"""What is progress and what is noise, told from counts that lag."""

from __future__ import annotations

import pytest

from airflow_agari_provider.queues.flow import Flow


def watched(totals, every=60, settling=60, stall_timeout=3600, in_flight=1, flow=None):
    """A flow that has seen these totals, one each minute, all of them waiting."""
    flow = flow or Flow()
    for minute, total in enumerate(totals):
        flow.observe(total, total, in_flight, minute * every, settling, stall_timeout)
    return flow


def test_a_fall_is_believed_once_no_count_of_the_last_minute_was_higher():
    flow = watched([100, 40])
    assert (flow.level, flow.left) == (100, 0)
    assert watched([100, 40, 40, 40]).left == 60


def test_a_drop_to_nothing_for_one_poll_is_no_departure():
    flow = watched([100, 0, 100, 100])
    assert (flow.level, flow.arrived, flow.left) == (100, 100, 0)


def test_arrivals_are_counted_at_once():
    flow = watched([100, 130])
    assert (flow.arrived, flow.level) == (130, 130)


@pytest.mark.parametrize(
    ("totals", "moved"),
    [
        ([100] * 60, False),
        ([100, 101, 99] * 20, False),
        ([100, 98, 96, 94] * 15, False),
        ([500 - 2 * minute for minute in range(60)], True),
    ],
    ids=["constant", "one off", "up and down", "slowly down"],
)
def test_only_a_new_lowest_level_beyond_the_noise_is_progress(totals, moved):
    flow = watched(totals)
    assert (flow.moved_at is not None and flow.moved_at > 40 * 60) == moved


def test_nothing_in_flight_and_nothing_deleted_is_unread():
    assert watched([100] * 30, in_flight=0).unread_since == 0
    assert watched([100] * 30, in_flight=1).unread_since == 29 * 60


def test_a_time_without_polls_is_left_out():
    flow = watched([100] * 30)
    moved_at = flow.moved_at
    flow.shift(500)
    assert flow.moved_at == moved_at + 500


def test_the_stall_clock_begins_anew_and_the_counts_stay():
    flow = watched([100, 50, 50, 50])
    flow.resume()
    assert (flow.moved_at, flow.unread_since, flow.left) == (None, None, 50)


def test_without_a_stall_timeout_nothing_is_judged():
    flow = watched([100, 50, 50, 50], stall_timeout=None)
    assert (flow.moved_at, flow.left) == (None, 50)


def test_the_same_messages_in_flight_look_constant_although_a_count_drops():
    flow = Flow()
    for minute in range(30):
        flow.observe(10, 10, 0 if minute % 5 == 4 else 3 + minute % 2, minute * 60, 60, 3600)
    assert flow.in_flight_seems_constant
    for minute in range(30, 60):
        flow.observe(10, 10, 9, minute * 60, 60, 3600)
    assert not flow.in_flight_seems_constant
