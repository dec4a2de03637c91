"""
Since when a series of runs is different: change points, in plain Python.

Each possible point is judged by the ranks on its two sides: Mann and Whitney's statistic, the largest of which is
Pettitt's test with all points weighed alike, so that a change near an end counts too. Runs resemble their neighbours,
which looks like change: what repeats every day is taken out first, and the statistic is divided by how much the rest
resembles its neighbours. Where several changes are, each side is searched in turn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, sqrt
from statistics import fmean, median

FEWEST = 12  # runs on each side of a change
FEWEST_A_DAY = 8  # runs at an hour of the day, before the usual of that hour is taken out
CERTAIN = 4.5  # standard deviations; measured: under 1 of 100 series without a change has one
NEIGHBOURS = 12  # runs apart that are compared for their resemblance
NEAR = 40  # runs around a change that are searched for its place
MAD = 1.4826  # from the median absolute deviation to the standard deviation of normal noise


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

    :param scale: to where noise is as wide at high values as at low ones, such as a logarithm.
    :param usual: the median, or the mean where most values are the same.
    :param least: smallest difference of the usual that is worth telling, as a value.
    :param least_share: the same as a share of what was usual.
    """

    scale: Callable[[float], float]
    usual: Callable[[Sequence[float]], float]
    least: float
    least_share: float


def find_shifts(values: Sequence[float], hours: Sequence[int], measure: Measure) -> list[Shift]:
    """
    Every change of what is usual, the earliest first.

    :param hours: hour of the day of each run.
    """
    if len(values) < 2 * FEWEST or min(values) == max(values):
        return []
    level = without_daily_pattern([measure.scale(value) for value in values], hours)
    edges = [0, *sorted(_changes(level, 0, len(level))), len(values)]
    usual = [measure.usual(values[start:end]) for start, end in pairwise(edges)]
    found = []
    for index, before, after in zip(edges[1:-1], usual[:-1], usual[1:], strict=True):
        if abs(after - before) >= max(measure.least, measure.least_share * abs(before)):
            found.append(Shift(index, before, after))
    return found


def without_daily_pattern(level: Sequence[float], hours: Sequence[int]) -> list[float]:
    """The series less what is usual at each hour of the day, if every hour has been seen often enough."""
    by_hour = defaultdict(list)
    for value, hour in zip(level, hours, strict=True):
        by_hour[hour].append(value)
    if len(by_hour) < 2 or min(map(len, by_hour.values())) < FEWEST_A_DAY:
        return list(level)
    usual = {hour: fmean(values) for hour, values in by_hour.items()}
    return [value - usual[hour] for value, hour in zip(level, hours, strict=True)]


def _changes(level: Sequence[float], start: int, end: int) -> list[int]:
    """Binary segmentation."""
    part = level[start:end]
    index = _change(part)
    if index is None:
        return []
    here = start + index
    return [*_changes(level, start, here), here, *_changes(level, here, end)]


def _change(part: Sequence[float]) -> int | None:
    """Where the series changes most, if it does so for certain."""
    count = len(part)
    if count < 2 * FEWEST:
        return None
    index, certainty = _most_different(ranks_of(part))
    if certainty < CERTAIN:
        return None
    noise = _without_step(part, index)
    if certainty / sqrt(_resemblance(noise)) < CERTAIN:
        return None
    return _placed(part, index, noise)


def ranks_of(values: Sequence[float]) -> list[float]:
    """From 1; equal values share the mean of their ranks."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    at = 0
    while at < len(order):
        end = at
        while end + 1 < len(order) and values[order[end + 1]] == values[order[at]]:
            end += 1
        for place in order[at : end + 1]:
            ranks[place] = (at + end) / 2 + 1
        at = end + 1
    return ranks


def _most_different(ranks: Sequence[float]) -> tuple[int, float]:
    """(index, standard deviations) of the point whose two sides differ most in their ranks."""
    count = len(ranks)
    middle = (count + 1) / 2
    spread = sum((rank - middle) ** 2 for rank in ranks) / count
    if not spread:
        return 0, 0.0
    best, best_at, total = 0.0, 0, 0.0
    for index in range(1, count):
        total += ranks[index - 1] - middle
        if FEWEST <= index <= count - FEWEST:
            square = total * total / (index * (count - index))
            if square > best:
                best, best_at = square, index
    return best_at, sqrt(best * (count - 1) / spread)


def _without_step(part: Sequence[float], index: int) -> list[float]:
    """The noise on both sides, with what is far out drawn in."""
    sides = (part[:index], part[index:])
    noise = []
    for side in sides:
        middle = median(side)
        noise += [value - middle for value in side]
    width = 3 * MAD * median(map(abs, noise)) or inf
    return [max(-width, min(width, value)) for value in noise]


def _resemblance(noise: Sequence[float]) -> float:
    """By how much neighbours that resemble each other widen the variance of a mean; 1 if they do not."""
    count = len(noise)
    mean = fmean(noise)
    centred = [value - mean for value in noise]
    power = sum(value * value for value in centred)
    if not power:
        return 1.0
    factor = 1.0
    for apart in range(1, min(NEIGHBOURS, count // 4) + 1):
        alike = sum(map(float.__mul__, centred, centred[apart:])) / power
        if alike <= 0:
            break
        factor += 2 * alike
    return factor


def _placed(part: Sequence[float], index: int, noise: Sequence[float]) -> int:
    """The place near ``index`` where the step explains most, given how much each run resembles the one before."""
    power = sum(value * value for value in noise)
    alike = sum(map(float.__mul__, noise, noise[1:])) / power if power else 0.0
    before, after = median(part[:index]), median(part[index:])
    width = 3 * MAD * median(map(abs, noise)) or inf
    low, high = max(1, index - NEAR), min(len(part) - 1, index + NEAR)

    def surprise(place: int) -> float:
        total, last = 0.0, 0.0
        for at in range(low - 1, high + 1):
            rest = part[at] - (before if at < place else after)
            total += min(abs(rest - alike * last), width) ** 2
            last = rest
        return total

    return min(range(max(FEWEST, low), min(len(part) - FEWEST, high) + 1), key=surprise)
