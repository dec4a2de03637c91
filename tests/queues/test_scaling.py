"""How many consumers a queue needs."""

from __future__ import annotations

import pytest

from airflow_agari_provider.queues.consumer_group import Size
from airflow_agari_provider.queues.depth import DepthUnknown, QueueDepth
from airflow_agari_provider.queues.scaling import ScalingRule, scale

RULE = ScalingRule(minimum=1, maximum=5, messages_per_instance=10)


@pytest.mark.parametrize(
    ("visible", "in_flight", "delayed", "current", "wanted"),
    [
        pytest.param(0, 0, 0, 1, 1, id="nothing to do"),
        pytest.param(0, 0, 0, 4, 1, id="in when drained"),
        pytest.param(0, 0, 0, 0, 1, id="never below the minimum"),
        pytest.param(1, 0, 0, 1, 1, id="one message for the one there is"),
        pytest.param(11, 0, 0, 1, 2, id="out when visible"),
        pytest.param(5, 10, 0, 1, 2, id="those in flight count when more wait"),
        pytest.param(1000, 0, 0, 1, 5, id="never above the maximum"),
        pytest.param(1, 0, 0, 4, 4, id="no way in while one is visible"),
        pytest.param(0, 1, 0, 4, 4, id="no way in while one is in flight"),
        pytest.param(0, 90, 0, 2, 2, id="no way out for those in flight alone"),
        pytest.param(0, 0, 3, 4, 4, id="no way in while one is delayed"),
        pytest.param(0, 1, 0, 9, 9, id="a group above the maximum waits for the drain"),
        pytest.param(3, 2, 0, 9, 9, id="also while messages are visible"),
        pytest.param(0, 0, 0, 9, 1, id="and then shrinks"),
        pytest.param(0, 2, 0, 0, 1, id="in flight without a consumer"),
    ],
)
def test_out_when_visible_in_only_when_none_is_left(visible, in_flight, delayed, current, wanted):
    assert RULE.wanted(QueueDepth(visible, in_flight, delayed), current) == wanted


def test_the_first_instance_comes_with_the_first_message():
    assert ScalingRule(0, 5, 100).wanted(QueueDepth(1, 0, 0), 0) == 1


@pytest.mark.parametrize("settings", [(2, 1, 10), (-1, 1, 10), (0, 1, 0)])
def test_settings_that_mean_nothing_are_refused(settings):
    with pytest.raises(ValueError, match="0 <= min_instances <= max_instances"):
        ScalingRule(*settings)


class Group:
    """A group in memory, with the bounds of an Auto Scaling group."""

    def __init__(self, desired, minimum=0, maximum=100):
        self.desired, self.bounds, self.resized = desired, (minimum, maximum), []

    def size(self, sleep):
        return Size(self.desired, *self.bounds)

    def resize(self, wanted, sleep):
        self.desired = wanted
        self.resized.append(wanted)


class Sqs:
    """Answers with scripted counts: (visible, in flight), the last one for ever; None: without attributes."""

    def __init__(self, *readings):
        self.readings = list(readings)

    def get_queue_attributes(self, **_):
        reading = self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]
        names = ("", "NotVisible", "Delayed")
        return (
            {
                "Attributes": {
                    f"ApproximateNumberOfMessages{n}": str(c) for n, c in zip(names, (*reading, 0), strict=True)
                }
            }
            if reading
            else {}
        )


class Clock:
    now = 0.0

    def sleep(self, seconds):
        self.now += seconds


def scaled(group, *readings, quiet_period=60):
    clock = Clock()
    done = scale(Sqs(*readings), ["q"], group, RULE, quiet_period, clock.sleep, lambda: clock.now)
    return done.before, done.after, clock.now


def test_a_group_shrinks_only_after_a_quiet_period():
    group = Group(4)
    assert scaled(group, (0, 0)) == (4, 1, 60)
    assert group.resized == [1]


def test_a_single_0_ends_no_consumer():
    group = Group(4)
    assert scaled(group, (0, 0), (0, 0), (0, 3)) == (4, 4, 30)
    assert group.resized == []


def test_messages_that_come_meanwhile_let_it_grow():
    group = Group(2)
    assert scaled(group, (0, 0), (45, 0)) == (2, 5, 15)
    assert group.resized == [5]


def test_growing_waits_for_nothing():
    assert scaled(Group(1), (30, 0)) == (1, 3, 0)


def test_the_group_s_own_bounds_hold_too():
    assert scaled(Group(2, maximum=3), (100, 0))[1] == 3
    assert scaled(Group(3, minimum=2), (0, 0))[1] == 2
    assert scaled(Group(2, minimum=2), (0, 0)) == (2, 2, 0)


def test_an_unknown_count_changes_nothing():
    group = Group(4)
    with pytest.raises(DepthUnknown):
        scaled(group, None)
    assert group.resized == []
