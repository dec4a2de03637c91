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
from itertools import accumulate, pairwise
from math import inf, log, sqrt
from operator import mul
from statistics import fmean, median

FEWEST = 12  # runs on each side of a change
FEWEST_A_DAY = 8  # runs at an hour of the day, before the usual of that hour is taken out
CERTAIN = 4.2  # standard deviations; measured: under 1 of 100 series without a change passes
NEIGHBOURS = 12  # runs apart that are compared for their resemblance
NEAR = 40  # runs around a change that are searched for its place


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

    :param scale: takes a series to where noise is as wide at high values as at low ones, such as a logarithm.
    :param usual: the median, or the mean where most values are the same.
    :param least: smallest difference of the usual that is worth telling, as a value.
    :param least_share: the same as a share of what was usual.
    :param counts: the values count events, from 1: the higher they are, the wider their noise, on any scale.
    """

    scale: Callable[[Sequence[float]], Sequence[float]]
    usual: Callable[[Sequence[float]], float]
    least: float
    least_share: float
    counts: bool = False


def find_shifts(values: Sequence[float], hours: Sequence[int], measure: Measure) -> list[Shift]:
    """
    Every change of what is usual, the earliest first.

    :param hours: hour of the day of each run.
    """
    if len(values) < 2 * FEWEST or min(values) == max(values):
        return []
    level = without_daily_pattern(measure.scale(values), hours)
    edges = [0, *_changes(level, values if measure.counts else None, 0, len(level)), len(values)]
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


def _changes(level: Sequence[float], counts: Sequence[float] | None, start: int, end: int) -> list[int]:
    """Binary segmentation; in order."""
    index = _change(level[start:end], counts and counts[start:end])
    if index is None:
        return []
    here = start + index
    return [*_changes(level, counts, start, here), here, *_changes(level, counts, here, end)]


def _change(part: Sequence[float], counts: Sequence[float] | None) -> int | None:
    """Where the series changes most, if it does so for certain."""
    if len(part) < 2 * FEWEST:
        return None
    index, certainty = _most_different(ranks_of(part))
    if certainty < CERTAIN:
        return None
    noise, before, after = _without_step(part, index)
    if certainty / sqrt(_resemblance([*_level(part[:index]), *_level(part[index:])])) < CERTAIN:
        return None
    if counts is not None:
        return _placed_by_counts(counts, index)
    index = _placed(part, index, noise, before, after)
    return _placed(part, index, *_without_step(part, index))  # the noise is known better now


def ranks_of(values: Sequence[float]) -> list[float]:
    """From 1; equal values share the mean of their ranks."""
    ordered = sorted(values)
    last = dict(zip(ordered, range(1, len(ordered) + 1), strict=True))
    first = dict(zip(reversed(ordered), range(len(ordered), 0, -1), strict=True))
    return [(first[value] + last[value]) / 2 for value in values]


def _most_different(ranks: Sequence[float]) -> tuple[int, float]:
    """(index, standard deviations) of the point whose two sides differ most in their ranks."""
    count = len(ranks)
    middle = (count + 1) / 2
    centred = [rank - middle for rank in ranks]
    spread = sum(map(mul, centred, centred)) / count
    if not spread:
        return 0, 0.0
    places = range(FEWEST, count - FEWEST + 1)
    totals = list(accumulate(centred))
    squares = [totals[index - 1] ** 2 / (index * (count - index)) for index in places]
    best = max(squares)
    return places[squares.index(best)], sqrt(best * (count - 1) / spread)


def _without_step(part: Sequence[float], index: int) -> tuple[list[float], float, float]:
    """The noise on both sides, with what is far out drawn in; and what is usual on each."""
    sides = part[:index], part[index:]
    middles = [median(side) for side in sides]
    noise = [[value - middle for value in side] for side, middle in zip(sides, middles, strict=True)]
    width = 3 * sqrt(sum(value * value for side in noise for value in side) / len(part)) or inf
    clipped = [[max(-width, min(width, value)) for value in side] for side in noise]
    # where most values are the same, such as one try, the median does not show a change and the mean does
    means = [fmean(side) for side in clipped]
    rest = [value - mean for side, mean in zip(clipped, means, strict=True) for value in side]
    return rest, middles[0] + means[0], middles[1] + means[1]


def _level(side: Sequence[float]) -> list[float]:
    """The noise of one side, less one more change: that too would look as if runs resembled each other."""
    index, certainty = _most_different(ranks_of(side)) if len(side) >= 2 * FEWEST else (0, 0.0)
    if certainty >= CERTAIN:
        return _without_step(side, index)[0]
    middle = fmean(side)
    return [value - middle for value in side]


def _resemblance(noise: Sequence[float]) -> float:
    """By how much neighbours that resemble each other widen the variance of a mean; 1 if they do not."""
    power = sum(value * value for value in noise)
    factor = 1.0
    for apart in range(1, min(NEIGHBOURS, len(noise) // 4) + 1):
        alike = sum(map(mul, noise, noise[apart:])) / power if power else 0.0
        if alike <= 0:
            break
        factor += 2 * alike
    return factor


def _placed(part: Sequence[float], index: int, noise: Sequence[float], before: float, after: float) -> int:
    """The place near ``index`` where the step explains most, given how much each run resembles the one before."""
    power = sum(value * value for value in noise)
    alike = max(0.0, sum(map(mul, noise, noise[1:])) / power) if power else 0.0
    width = 4 * sqrt(power / len(noise) * (1 - alike * alike)) or inf
    low, high = max(1, index - NEAR), min(len(part) - 1, index + NEAR)

    def surprise(place: int) -> float:
        total, last = 0.0, 0.0
        for at in range(low - 1, high + 1):
            rest = part[at] - (before if at < place else after)
            total += min(abs(rest - alike * last), width) ** 2
            last = rest
        return total

    return min(_places_near(index, len(part)), key=surprise)


def _placed_by_counts(counts: Sequence[float], index: int) -> int:
    """The same for numbers of tries: where Poisson's law finds the failures likeliest."""
    before, after = (max(0.01, fmean(side) - 1) for side in (counts[:index], counts[index:]))
    places = _places_near(index, len(counts))
    # what a value adds to the surprise if it is taken for one before the change, less if for one after
    gain = {at: before - after - (counts[at] - 1) * log(before / after) for at in places}
    sums = list(accumulate((gain[at] for at in places[:-1]), initial=0.0))
    return places[min(range(len(places)), key=sums.__getitem__)]


def _places_near(index: int, count: int) -> range:
    return range(max(FEWEST, index - NEAR), min(count - FEWEST, index + NEAR) + 1)
