"""Series like those of real runs. ``make bench-shifts`` does the same with more series, and shows what is possible."""

from __future__ import annotations

import random

import pytest

from airflow_agari_provider.charts.payload import DURATION, TRIES
from airflow_agari_provider.charts.shifts import Shift, find_shifts
from tests.charts.series_of_runs import HOURS, Noise, durations, numbers_of_tries

SERIES = 40
# With more noise than in the first four, a judge who knew the true noise and size would miss over 5 of 100 places.
NOISES = {
    "alike by 0.5": Noise(0.5),
    "alike by 0.7": Noise(0.7, 0.15),
    "alike by 0.8": Noise(0.8, 0.15),
    "alike by 0.9": Noise(0.9, 0.1),
    "skewed": Noise(0.5, news="skewed"),
    "heavy tails, many far out": Noise(0.5, daily=0, news="heavy", far_out=0.05),
}
RATES = {"by half": (0.05, 0.38), "from next to none": (0.02, 0.3)}


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
def test_a_duration_that_does_not_change_raises_no_alarm(noise):
    alarms = [seed for seed in range(SERIES) if find_shifts(durations(noise, seed)[0], HOURS, DURATION)]
    assert len(alarms) <= 1


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
def test_a_duration_half_as_long_again_is_found_within_ten_runs(noise):
    right = 0
    for seed, at in places().items():
        found = find_shifts(durations(noise, seed, at)[0], HOURS, DURATION)
        right += any(abs(shift.index - at) <= 10 for shift in found)
    assert right >= 0.95 * SERIES


@pytest.mark.parametrize("bursts", [False, True], ids=["evenly", "in bursts"])
@pytest.mark.parametrize("rates", RATES.values(), ids=RATES)
def test_retries_that_do_not_change_raise_no_alarm(rates, bursts):
    every = {seed: numbers_of_tries(seed, None, rates, bursts=bursts) for seed in range(SERIES)}
    assert len([seed for seed, tries in every.items() if find_shifts(tries, HOURS, TRIES)]) <= 1


@pytest.mark.parametrize("rates", RATES.values(), ids=RATES)
def test_more_retries_are_found_within_ten_runs(rates):
    right = 0
    for seed, at in places().items():
        found = find_shifts(numbers_of_tries(seed, at, rates), HOURS, TRIES)
        right += any(abs(shift.index - at) <= 10 for shift in found)
    assert right >= 0.93 * SERIES


def places():
    return {seed: random.Random(seed).randint(60, 940) for seed in range(1000, 1000 + SERIES)}


def test_a_change_is_told_with_what_was_and_what_is_usual():
    values = [100.0 + number % 7 for number in range(60)] + [200.0 + number % 7 for number in range(60)]
    assert find_shifts(values, [0] * 120, DURATION) == [Shift(60, 103.0, 203.0)]


def test_several_changes_are_told_apart():
    values = [level + number % 5 for level in (100.0, 200.0, 120.0) for number in range(80)]
    assert [shift.index for shift in find_shifts(values, [0] * 240, DURATION)] == [80, 160]


def test_a_change_too_small_to_matter_is_not_told():
    fractions = [0.2 + number % 3 / 100 for number in range(60)] + [0.5 + number % 3 / 100 for number in range(60)]
    a_tenth = [100.0 + number % 2 for number in range(60)] + [110.0 + number % 2 for number in range(60)]
    for values in (fractions, a_tenth):
        assert find_shifts(values, [0] * 120, DURATION) == []


@pytest.mark.parametrize("values", [[], [5.0], [5.0] * 100, [1.0] * 11 + [9.0] * 12], ids=len)
def test_too_few_runs_or_all_alike_say_nothing(values):
    assert find_shifts(values, [0] * len(values), DURATION) == []
