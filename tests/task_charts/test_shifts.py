"""Series as runs make them: each resembles the one before, nights differ from days, some runs are far out."""

from __future__ import annotations

import math
import random

import pytest

from airflow_agari_provider.task_charts.answer import DURATION, TRIES, change_in_words
from airflow_agari_provider.task_charts.shifts import Shift, find_shifts, ranks_of

RUNS = 1000
HOURS = [number % 24 for number in range(RUNS)]
SERIES = 40


def durations(seed: int, at: int | None = None, factor: float = 1.5) -> list[float]:
    """Four minutes, give or take a fifth; from ``at`` on half as long again."""
    noise, state, found = random.Random(seed), 0.0, []
    for number in range(RUNS):
        state = 0.5 * state + noise.gauss(0, 0.2 * math.sqrt(1 - 0.25))
        seconds = 240 * math.exp(state + 0.2 * math.sin(2 * math.pi * HOURS[number] / 24))
        far_out = 3 if noise.random() < 0.01 else 1
        found.append(seconds * far_out * (factor if at is not None and number >= at else 1))
    return found


def numbers_of_tries(seed: int, at: int | None = None) -> list[float]:
    """1.05 on average; from ``at`` on half as many again."""
    noise, found = random.Random(seed), []
    for number in range(RUNS):
        chance = 0.38 if at is not None and number >= at else 0.05
        tries = 1.0
        while tries < 4 and noise.random() < chance:
            tries += 1
        found.append(tries)
    return found


@pytest.mark.parametrize(
    ("series", "measure"), [(durations, DURATION), (numbers_of_tries, TRIES)], ids=["duration", "tries"]
)
def test_no_series_without_a_change_raises_an_alarm(series, measure):
    assert [seed for seed in range(SERIES) if find_shifts(series(seed), HOURS, measure)] == []


@pytest.mark.parametrize(
    ("series", "measure", "least"),
    [(durations, DURATION, 0.95), (numbers_of_tries, TRIES, 0.85)],
    ids=["duration", "tries"],
)
def test_a_change_by_half_is_found_where_it_is(series, measure, least):
    places = {seed: 60 + 22 * seed for seed in range(SERIES)}
    found = {seed: find_shifts(series(seed, at), HOURS, measure) for seed, at in places.items()}
    right = [seed for seed, at in places.items() if any(abs(shift.index - at) <= 10 for shift in found[seed])]
    assert len(right) >= least * SERIES


def test_a_change_is_told_with_what_was_and_what_is_usual():
    values = [100.0 + number % 7 for number in range(60)] + [200.0 + number % 7 for number in range(60)]
    assert find_shifts(values, [0] * 120, DURATION) == [Shift(60, 103.0, 203.0)]


def test_several_changes_are_told_apart():
    values = [level + number % 5 for level in (100.0, 200.0, 120.0) for number in range(80)]
    assert [shift.index for shift in find_shifts(values, [0] * 240, DURATION)] == [80, 160]


def test_a_change_that_nobody_would_care_for_is_not_told():
    fractions = [0.2 + number % 3 / 100 for number in range(60)] + [0.5 + number % 3 / 100 for number in range(60)]
    a_tenth = [100.0 + number % 2 for number in range(60)] + [110.0 + number % 2 for number in range(60)]
    for values in (fractions, a_tenth):
        assert find_shifts(values, [0] * 120, DURATION) == []


@pytest.mark.parametrize("values", [[], [5.0], [5.0] * 100, [1.0] * 11 + [9.0] * 12], ids=len)
def test_too_few_runs_or_all_alike_say_nothing(values):
    assert find_shifts(values, [0] * len(values), DURATION) == []


def test_equal_values_share_their_rank():
    assert ranks_of([3, 1, 3, 2]) == [3.5, 1, 3.5, 2]


@pytest.mark.parametrize(
    ("kind", "shift", "words"),
    [
        ("duration", Shift(0, 246, 420), "median 4.1 to 7.0 min"),
        ("duration", Shift(0, 20, 35), "median 20.0 to 35.0 s"),
        ("duration", Shift(0, 5400, 9000), "median 1.5 to 2.5 h"),
        ("tries", Shift(0, 1.05, 1.61), "mean 1.1 to 1.6 tries"),
    ],
)
def test_a_change_in_words(kind, shift, words):
    assert change_in_words(kind, shift) == words
