"""
Find the step in one series, if it certainly has one.

Each place is judged by how much of the noise a step there would explain. Runs resemble their neighbours, and that looks
like change. So the part that the previous run predicts is subtracted from each run (Cochrane and Orcutt), and the
autocorrelation that is left widens the noise (Andrews and Monahan). Numbers of tries are judged as what they are:
failures and successes. The result is the middle of the 21 runs that most probably hold the step. It is nearer to the
truth than the single most probable run.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import exp, inf, log, sqrt
from operator import mul, sub
from statistics import fmean, median

FEWEST = 12  # runs on each side of a step
CERTAIN = 4.8  # standard deviations; fewer than 1 in 100 series without a step pass: make bench-shifts
POSSIBLE = 3.5  # the same limit, before the autocorrelation of the runs is known
FAR = 5.0  # standard deviations; a run that is farther out counts as this far out
MOST_ALIKE = 0.97  # largest share of a run that the previous run explains: with more, no level is left to change
NEIGHBOURS = 24  # largest distance, in runs, at which the remaining autocorrelation is measured
NEAR = 10  # runs on each side of the place that is returned


def change_of_level(level: Sequence[float]) -> int | None:
    """Return the index at which the series changes most; None if no change is certain."""
    alike = _alike_in_steps(level)
    gains = _gains(level, alike)
    if max(gains) < POSSIBLE**2:
        return None
    for _ in range(2):  # in the second round the place is nearly right, and so is the estimate of the noise
        noise = _noise(level, gains.index(max(gains)), alike)
        alike = _alike(noise)
        gains = _gains(level, alike)
    return _certain_place(gains, _resemblance(_news(noise, alike)))


def _alike_in_steps(level: Sequence[float]) -> float:
    """Return the share of a run that the previous run explains; from differences, which one step hardly affects."""
    one, two = list(map(sub, level[1:], level)), list(map(sub, level[2:], level))
    short, long = sum(map(mul, one, one)) / len(one), sum(map(mul, two, two)) / len(two)
    return max(0.0, min(MOST_ALIKE, long / short - 1)) if short else 0.0


def _alike(noise: Sequence[float]) -> float:
    """Return the same share more precisely. It corrects the bias of an estimated level: Marriott and Pope, 1954."""
    power = sum(map(mul, noise, noise))
    found = sum(map(mul, noise, noise[1:])) / power if power else 0.0
    return max(0.0, min(MOST_ALIKE, found + (1 + 3 * found) / len(noise)))


def _gains(level: Sequence[float], alike: float) -> list[float]:
    """Return for each place how much a step there explains, in squared standard deviations; 0 near the ends."""
    news = _news(level, alike)
    sums = list(accumulate(news))
    count, kept = len(news), 1 - alike  # a step is news with its full height once, and with this share of it afterwards
    kept_squared, edge = kept * kept, FEWEST - 1
    explained = [
        (first - kept * total) ** 2 / (1 + kept_squared * after - (1 + kept * after) ** 2 / count)
        for first, total, after in zip(news[edge:], sums[edge:], range(count - FEWEST, edge - 1, -1), strict=False)
    ]
    rest = max((sum(map(mul, news, news)) - max(explained)) / count, 1e-12)
    return _between_ends([value / rest for value in explained])


def _news(level: Sequence[float], alike: float) -> list[float]:
    """Return the part of each run that the previous run does not predict, with mean 0; values far out are clipped."""
    news = [value - alike * last for last, value in pairwise(level)]
    middle = median(news)
    width = FAR * spread([value - middle for value in news]) or inf
    if max(news) - middle > width or middle - min(news) > width:
        news = [max(middle - width, min(middle + width, value)) for value in news]
    mean = sum(news) / len(news)
    return [value - mean for value in news]


def spread(values: Sequence[float]) -> float:
    """Return the standard deviation of values around 0, if most of them are normally distributed."""
    return 1.4826 * median(map(abs, values)) if values else 0.0


def _noise(level: Sequence[float], index: int, alike: float) -> list[float]:
    """Return the series without the step, and without one more on each side: steps look like autocorrelation."""
    noise = []
    for side in (level[:index], level[index:]):
        gains = _gains(side, alike) if len(side) >= 2 * FEWEST else [0.0]
        another = gains.index(max(gains)) if max(gains) >= CERTAIN**2 else 0
        for part in filter(None, (side[:another], side[another:])):
            mean = sum(part) / len(part)
            noise += [value - mean for value in part]
    return noise


def _resemblance(noise: Sequence[float]) -> float:
    """Return the factor by which autocorrelation widens the variance of a mean; 1 without autocorrelation."""
    power, most = sum(map(mul, noise, noise)), min(NEIGHBOURS, len(noise) // 8) + 1
    alike = sum((1 - apart / most) * sum(map(mul, noise, noise[apart:])) for apart in range(1, most))
    return max(1.0, 1 + 2 * alike / power) if power else 1.0


def change_of_failures(failures: Sequence[float]) -> int | None:
    """
    Return the index at which the rate of failures changes most; None if no change is certain.

    It is the place where two rates explain most, compared with one rate for all runs.

    :param failures: number of failed tries before each success.
    """
    sums, count = list(accumulate(map(int, failures))), len(failures)
    total = sums[-1]
    weights = [number * log(number or 1) for number in range(total + count + 1)]

    def likely(failed: int, succeeded: int) -> float:
        """Return the logarithm of the highest probability that one rate can give to these counts."""
        return weights[failed] + weights[succeeded] - weights[failed + succeeded]

    whole = likely(total, count)
    explained = [
        2 * (likely(failed, at) + likely(total - failed, count - at) - whole)
        for at, failed in enumerate(sums[FEWEST - 1 : count - FEWEST], FEWEST)
    ]
    gains = _between_ends(explained)
    if max(gains) < CERTAIN**2:
        return None
    noise = []
    index = gains.index(max(gains))
    for side in (failures[:index], failures[index:]):
        mean = fmean(side)
        noise += [(value - mean) / (sqrt(mean * (1 + mean)) or 1.0) for value in side]
    return _certain_place(gains, max(1.0, fmean(value * value for value in noise) * _resemblance(noise)))


def _between_ends(gains: Sequence[float]) -> list[float]:
    """Add 0 for the places that are too near an end, so that the gains have the indexes of the series."""
    return [*[0.0] * FEWEST, *gains, *[0.0] * (FEWEST - 1)]


def _certain_place(gains: Sequence[float], factor: float) -> int | None:
    """
    Return the middle of the runs that most probably hold the change; None if no change is certain.

    :param factor: by which the variance is wider than the gains assume.
    """
    best, last = max(gains), len(gains)
    if best / factor < CERTAIN**2:
        return None
    chances = list(accumulate((exp((gain - best) / 2 / factor) for gain in gains), initial=0.0))
    held = [chances[min(last, at + NEAR + 1)] - chances[max(0, at - NEAR)] for at in range(last)]
    enough, likeliest = max(held) * (1 - 1e-6), gains.index(best)
    return min((at for at in range(last) if held[at] >= enough), key=lambda at: abs(at - likeliest))
