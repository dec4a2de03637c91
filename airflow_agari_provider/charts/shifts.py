"""
Find since when a series of runs is different: change points, in plain Python.

The daily pattern, and single runs that are far out, are removed from the series first. If there are several changes,
each side of the clearest change is searched in turn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log
from statistics import fmean
from typing import TypeAlias

from airflow_agari_provider.charts.change_point import FEWEST, change_of_failures, change_of_level, spread

FEWEST_A_DAY = 8  # runs that each hour of the day needs before the hour's usual value is subtracted
SPIKE = 4.0  # standard deviations that a run may be away from the runs around it

Finder: TypeAlias = Callable[[Sequence[float]], int | None]


@dataclass(frozen=True)
class Shift:
    """
    A lasting change of the usual value.

    :param index: index of the first value that is different.
    :param before, after: the usual value before the change and after it.
    """

    index: int
    before: float
    after: float


@dataclass(frozen=True)
class Measure:
    """
    How a kind of series is judged.

    :param usual: the median, or the mean if most values are the same.
    :param least: smallest change of the usual value that is worth reporting.
    :param least_share: the same, as a share of the usual value before the change.
    :param tries: the values are numbers of tries, the last of which succeeded; otherwise they are seconds.
    """

    usual: Callable[[Sequence[float]], float]
    least: float
    least_share: float
    tries: bool = False


def find_shifts(values: Sequence[float], hours: Sequence[int], measure: Measure) -> list[Shift]:
    """
    Return every change of the usual value, the earliest first.

    :param hours: hour of the day of each run.
    """
    if len(values) < 2 * FEWEST or min(values) == max(values):
        return []
    if measure.tries:
        places = _changes([value - 1 for value in values], change_of_failures)
    else:
        level = without_daily_pattern([log(max(0.01, value)) for value in values], hours)
        places = _changes(without_spikes(level), change_of_level)
    usual = [measure.usual(values[start:end]) for start, end in pairwise([0, *places, len(values)])]
    return [
        Shift(index, before, after)
        for index, before, after in zip(places, usual[:-1], usual[1:], strict=True)
        if abs(after - before) >= max(measure.least, measure.least_share * abs(before))
    ]


def without_daily_pattern(level: Sequence[float], hours: Sequence[int]) -> list[float]:
    """Subtract the usual value of each hour of the day, if every hour has enough runs."""
    by_hour = defaultdict(list)
    for value, hour in zip(level, hours, strict=True):
        by_hour[hour].append(value)
    if len(by_hour) < 2 or min(map(len, by_hour.values())) < FEWEST_A_DAY:
        return list(level)
    usual = {hour: fmean(values) for hour, values in by_hour.items()}
    return [value - usual[hour] for value, hour in zip(level, hours, strict=True)]


def without_spikes(level: Sequence[float]) -> list[float]:
    """Replace a run that is far from the runs around it by their median: a single run does not show a change."""
    padded = [*level[:2], *level, *level[-2:]]
    around = [sorted(five)[2] for five in zip(*(padded[at:] for at in range(5)), strict=False)]
    width = SPIKE * spread([value - middle for value, middle in zip(level, around, strict=True) if value != middle])
    return [value if abs(value - middle) <= width else middle for value, middle in zip(level, around, strict=True)]


def _changes(series: Sequence[float], change: Finder, start: int = 0) -> list[int]:
    """Return the indexes of all changes, in order, by binary segmentation."""
    index = change(series) if len(series) >= 2 * FEWEST else None
    if index is None:
        return []
    here = start + index
    return [*_changes(series[:index], change, start), here, *_changes(series[index:], change, here)]
