"""
Since when a series of runs is different: change points, in plain Python.

What repeats every day and single runs that are far out are taken from the series first. Where several changes are, each
side of the clearest is searched in turn.
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

FEWEST_A_DAY = 8  # runs at an hour of the day, before the usual of that hour is taken out
SPIKE = 4.0  # standard deviations that a run may be away from those around it

Finder: TypeAlias = Callable[[Sequence[float]], int | None]


@dataclass(frozen=True)
class Shift:
    """:param index: of the first value that is different. :param before, after: what was, and what is, usual."""

    index: int
    before: float
    after: float


@dataclass(frozen=True)
class Measure:
    """
    How a kind of series is judged.

    :param usual: the median, or the mean where most values are the same.
    :param least: smallest difference of the usual that is worth telling, as a value.
    :param least_share: the same as a share of what was usual.
    :param tries: the values are numbers of tries, of which the last succeeded; else they are seconds.
    """

    usual: Callable[[Sequence[float]], float]
    least: float
    least_share: float
    tries: bool = False


def find_shifts(values: Sequence[float], hours: Sequence[int], measure: Measure) -> list[Shift]:
    """
    Every change of what is usual, the earliest first.

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
    """The series less what is usual at each hour of the day, if every hour has been seen often enough."""
    by_hour = defaultdict(list)
    for value, hour in zip(level, hours, strict=True):
        by_hour[hour].append(value)
    if len(by_hour) < 2 or min(map(len, by_hour.values())) < FEWEST_A_DAY:
        return list(level)
    usual = {hour: fmean(values) for hour, values in by_hour.items()}
    return [value - usual[hour] for value, hour in zip(level, hours, strict=True)]


def without_spikes(level: Sequence[float]) -> list[float]:
    """A run that is far from those around it tells nothing of a change: as if it were like them."""
    padded = [*level[:2], *level, *level[-2:]]
    around = [sorted(five)[2] for five in zip(*(padded[at:] for at in range(5)), strict=False)]
    width = SPIKE * spread([value - middle for value, middle in zip(level, around, strict=True) if value != middle])
    return [value if abs(value - middle) <= width else middle for value, middle in zip(level, around, strict=True)]


def _changes(series: Sequence[float], change: Finder, start: int = 0) -> list[int]:
    """Binary segmentation; in order."""
    index = change(series) if len(series) >= 2 * FEWEST else None
    if index is None:
        return []
    here = start + index
    return [*_changes(series[:index], change, start), here, *_changes(series[index:], change, here)]
