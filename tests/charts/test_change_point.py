"""Series with a step at a known place, and series without one."""

from __future__ import annotations

import pytest

from airflow_agari_provider.charts.change_point import FEWEST, change_of_failures, change_of_level, spread

WAVES = [0.03, -0.05, 0.01, 0.04, -0.02, -0.01, 0.05, -0.04, 0.0, -0.03, 0.02]  # noise that does not drift


def level(*parts):
    """:param parts: (level, runs) one after the other."""
    usual = [height for height, runs in parts for _ in range(runs)]
    return [height + WAVES[number * 7 % 11] for number, height in enumerate(usual)]


@pytest.mark.parametrize(
    ("series", "place"),
    [
        (level((0.0, 100)), None),
        (level((0.0, 60), (0.5, 40)), 60),
        (level((0.5, 40), (0.0, 60)), 40),
        (level((0.0, 50), (3.0, 1), (0.0, 49)), None),
        (level((0.0, FEWEST), (0.5, 80)), FEWEST),
        (level((0.0, 95), (0.5, 5)), None),
        ([number / 100 for number in range(200)], None),
    ],
    ids=["no step", "up", "down", "one run far out", "nearest the start", "too near the end", "a drift"],
)
def test_a_level_changes_where_its_step_is(series, place):
    assert change_of_level(series) == place


@pytest.mark.parametrize(
    ("failures", "place"),
    [
        ([0.0] * 50 + [1.0] * 50, 50),
        ([1.0] * 30 + [0.0] * 70, 30),
        ([0.0, 0.0, 1.0, 0.0, 0.0] * 20, None),
        ([0.0] * 50 + [3.0] + [0.0] * 49, None),
        ([0.0] * 95 + [1.0] * 5, None),
    ],
    ids=["from none to one", "from one to none", "a steady rate", "a single run", "too near the end"],
)
def test_a_rate_of_failures_changes_within_ten_runs_of_its_step(failures, place):
    found = change_of_failures(failures)
    assert found is None if place is None else abs(found - place) <= 10


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], 0.0), ([1.0, -1.0, 1.0], 1.4826), ([1.0, -1.0, 900.0], 1.4826)],
    ids=["no values", "three values", "one value far out"],
)
def test_a_spread_is_that_of_most_values(values, expected):
    assert spread(values) == pytest.approx(expected)
