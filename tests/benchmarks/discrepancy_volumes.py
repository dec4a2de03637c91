"""
How often a usual volume is called unusual, and how often half of it is found at once, over simulated weeks.

Hourly volumes with a rhythm of days and weeks and log-normal noise; each series begins without any history. With
``outliers``, single hours have a fifth, a third, three or five times their volume, and are not judged themselves.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from airflow_agari_provider.discrepancy.distribution import PastShares
from airflow_agari_provider.discrepancy.expected_volume import Expected, Volumes

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)  # a Monday
HOURS = 168
LEARNING, JUDGED = 4, 50  # weeks of a series


@dataclass
class Rates:
    runs: int = 0
    false: int = 0
    halved: int = 0

    @property
    def false_per_1000(self) -> float:
        return round(1000 * self.false / self.runs, 3)

    @property
    def found_percent(self) -> float:
        return round(100 * self.halved / self.runs, 3)


def usual_volume(hour: int, busiest: int) -> float:
    """A working day's curve; at weekends a third."""
    day, weekend = 0.55 + 0.45 * math.sin((hour % 24 - 8) / 24 * math.tau), hour // 24 % 7 >= 5
    return busiest * day * (0.35 if weekend else 1.0)


def judged(
    weeks: int, noise: float, seed: int, outliers: float = 0.0, growth: float = 0.0, busiest: int = 20_000
) -> Rates:
    """
    :param weeks: of one series, with those of the learning.
    :param noise: standard deviation of the logarithm.
    :param outliers: share of the hours.
    :param growth: of a week.
    """
    chance, volumes, rates = random.Random(seed), Volumes(Expected("Collector")), Rates()
    for hour in range(weeks * HOURS):
        moment = BEGIN + timedelta(hours=hour)
        count = usual_volume(hour, busiest) * math.exp(chance.gauss(0, noise) + growth * hour / HOURS)
        is_outlier = chance.random() < outliers
        found = round(count * (chance.choice((0.2, 0.33, 3, 5)) if is_outlier else 1))
        band = volumes.band(moment)
        if band and not is_outlier:
            rates.runs += 1
            rates.false += not band.holds(found)
            rates.halved += not band.holds(found // 2)
        if band is None or band.holds(found):
            volumes.add(moment, found)
    return rates


def over(weeks: int, noise: float, outliers: float = 0.0, growth: float = 0.0) -> Rates:
    """:param weeks: judged ones, of several series."""
    total = Rates()
    for seed in range(weeks // JUDGED):
        one = judged(LEARNING + JUDGED, noise, seed, outliers, growth)
        total = Rates(total.runs + one.runs, total.false + one.false, total.halved + one.halved)
    return total


def shares_judged(weeks: int, seed: int, messages: int = 2_000, moved: float = 0.25) -> Rates:
    """
    The same for ten tenths of a score, whose shares vary by a tenth from run to run; ``halved`` counts how often it is
    found that a part of the messages has moved to the highest tenth.
    """
    chance, rates = random.Random(seed), Rates()
    settings = Expected("x").baseline
    past = PastShares(settings)
    usual = [0.30, 0.18, 0.12, 0.09, 0.07, 0.06, 0.05, 0.05, 0.04, 0.04]
    for hour in range(weeks * HOURS):
        moment = BEGIN + timedelta(hours=hour)
        weights = [share * math.exp(chance.gauss(0, 0.1)) for share in usual]
        drawn = chance.choices(range(10), weights, k=messages)
        counts = {str(tenth): drawn.count(tenth) for tenth in range(10)}
        shifted = {tenth: round(count * (1 - moved)) for tenth, count in counts.items()}
        shifted["9"] += messages - sum(shifted.values())
        if found := past.distances(moment, counts):
            other = past.distances(moment, shifted)
            assert other is not None
            rates.runs += 1
            rates.false += found.moved > 5 and found.divergence > found.allowed
            rates.halved += other.moved > 5 and other.divergence > other.allowed
        past.add(moment, counts)
    return rates


def report(weeks: int) -> Iterator[tuple[str, Rates]]:
    """Yield the cases, the one of the bar first."""
    few = max(JUDGED, weeks // 10)
    yield f"{weeks:,} weeks, noise 0.10", over(weeks, 0.10)
    yield f"{few:,} weeks, noise 0.15", over(few, 0.15)
    yield f"{few:,} weeks, noise 0.10, one hour of 100 an outlier", over(few, 0.10, outliers=0.01)
    yield f"{few:,} weeks, noise 0.10, 2 % more each week", over(few, 0.10, growth=0.02)
    yield "30 weeks of shares, a quarter moved", shares_judged(LEARNING + 30, seed=1)
