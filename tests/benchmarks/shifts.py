"""
How often a change is found in the right place, how often a false change is reported, and the best possible result.

``make bench-shifts`` (minutes). Our figures are compared with those of an oracle on the same series. It knows what we
have to estimate: the level, the size of the step, the distribution and the correlation of the noise, the daily pattern
and which runs are far out. ``likeliest`` is the likeliest place for the step, ``best bet`` the middle of the likeliest
21 runs: no method can do better than that on average. The last line is one JSON object.
"""

from __future__ import annotations

import json
import math
import random
import sys
from collections.abc import Sequence
from itertools import accumulate

from airflow_agari_provider.charts.payload import DURATION, TRIES
from airflow_agari_provider.charts.shifts import find_shifts
from tests.charts.series_of_runs import HOURS, RUNS, Noise, durations, log_chance, numbers_of_tries

SERIES = 500  # of each kind with a change, and as many without
FIRST_SEED = 20_000_000  # far from those that the search was made with
NEAR = 10  # runs
MARGIN = 60  # runs on either side of a change, at least
NOISES = {
    "0": Noise(0),
    "0.3": Noise(0.3),
    "0.5": Noise(0.5),
    "0.7": Noise(0.7),
    "0.7, less noise": Noise(0.7, 0.15),
    "0.8": Noise(0.8),
    "0.8, less noise": Noise(0.8, 0.15),
    "0.9": Noise(0.9),
    "0.9, less noise": Noise(0.9, 0.1),
    "0.5, more noise": Noise(0.5, 0.3),
    "0.5, no daily pattern": Noise(0.5, daily=0, far_out=0),
    "0.5, 5 % far out": Noise(0.5, far_out=0.05),
    "0.5, skewed": Noise(0.5, news="skewed"),
    "0.8, skewed": Noise(0.8, news="skewed"),
    "0.5, heavy tails": Noise(0.5, news="heavy"),
    "0.8, heavy tails": Noise(0.8, news="heavy"),
    "0.9 and as much white noise": Noise(0.9, 0.14, white=0.14),
    "0.5, days differ": Noise(0.5, 0.15, days=0.12),
}
RATES = [(0.05, 0.38), (0.02, 0.3), (0.1, 0.4), (0.2, 0.5), (0.05, 0.27)]


def oracle(gains: dict[int, float]) -> tuple[int, int]:
    """:param gains: place: log likelihood of a step there. :returns: the likeliest place, and the best bet."""
    first, best = min(gains), max(gains.values())
    chances = list(accumulate((math.exp(gain - best) for gain in gains.values()), initial=0.0))
    count = len(gains)
    held = [chances[min(count, at + NEAR + 1)] - chances[max(0, at - NEAR)] for at in range(count)]
    most = max(held) * (1 - 1e-6)
    good = [at for at in range(count) if held[at] >= most]
    return max(gains, key=gains.__getitem__), first + good[len(good) // 2]


def duration_gains(noise: Noise, hidden: Sequence[float], at: int) -> dict[int, float]:
    step, width, chance = math.log(1.5), noise.spread * math.sqrt(1 - noise.alike**2), log_chance(noise.news)
    level = [value + (step if number >= at else 0) for number, value in enumerate(hidden)]
    added = [level[number] - noise.alike * level[number - 1] for number in range(1, RUNS)]
    without = [chance(value / width) for value in added]
    here = [chance((value - step) / width) for value in added]
    after = [chance((value - step * (1 - noise.alike)) / width) for value in added]
    later = list(accumulate((b - a for a, b in zip(without[::-1], after[::-1], strict=True)), initial=0.0))[::-1]
    return {place: here[place - 1] - without[place - 1] + later[place] for place in range(12, RUNS - 11)}


def tries_gains(tries: Sequence[float], rates: tuple[float, float]) -> dict[int, float]:
    before, after = rates
    each = [
        (number - 1) * math.log(after / before) + (math.log((1 - after) / (1 - before)) if number < 4 else 0)
        for number in tries
    ]
    later = list(accumulate(each[::-1]))[::-1]
    return {place: later[place] for place in range(12, RUNS - 11)}


def percent(flags: Sequence[bool]) -> float:
    return round(100 * sum(flags) / len(flags), 1)


def duration_figures(noise: Noise, series: int) -> dict[str, float | None]:
    alarms, found, others, likeliest, bets = [], [], [], [], []
    for seed in range(FIRST_SEED, FIRST_SEED + series):
        alarms.append(bool(find_shifts(durations(noise, seed)[0], HOURS, DURATION)))
        at = random.Random(-seed).randint(MARGIN, RUNS - MARGIN)
        seconds, hidden = durations(noise, seed + FIRST_SEED, at)
        right = [abs(shift.index - at) <= NEAR for shift in find_shifts(seconds, HOURS, DURATION)]
        found.append(any(right))
        others.append(right.count(False) > 0)
        if not noise.white and not noise.days:
            place, bet = oracle(duration_gains(noise, hidden, at))
            likeliest.append(abs(place - at) <= NEAR)
            bets.append(abs(bet - at) <= NEAR)
    return row(alarms, found, others, likeliest, bets)


def tries_figures(rates: tuple[float, float], bursts: bool, series: int) -> dict[str, float | None]:
    alarms, found, others, likeliest, bets = [], [], [], [], []
    for seed in range(FIRST_SEED, FIRST_SEED + series):
        alarms.append(bool(find_shifts(numbers_of_tries(seed, None, rates, bursts=bursts), HOURS, TRIES)))
        at = random.Random(-seed).randint(MARGIN, RUNS - MARGIN)
        tries = numbers_of_tries(seed + FIRST_SEED, at, rates, bursts=bursts)
        right = [abs(shift.index - at) <= NEAR for shift in find_shifts(tries, HOURS, TRIES)]
        found.append(any(right))
        others.append(right.count(False) > 0)
        if not bursts:
            place, bet = oracle(tries_gains(tries, rates))
            likeliest.append(abs(place - at) <= NEAR)
            bets.append(abs(bet - at) <= NEAR)
    return row(alarms, found, others, likeliest, bets)


def row(
    alarms: list[bool], found: list[bool], others: list[bool], likeliest: list[bool], bets: list[bool]
) -> dict[str, float | None]:
    return {
        "alarms": percent(alarms),
        "found": percent(found),
        "elsewhere": percent(others),
        "oracle_likeliest": percent(likeliest) if likeliest else None,
        "oracle_best_bet": percent(bets) if bets else None,
    }


def main(series: int = SERIES) -> None:
    print(f"{series} series of {RUNS} runs with a change and as many without, in %; found: within {NEAR} runs")
    print(f"{'':40}{'alarms':>8}{'found':>8}{'elsewhere':>11}   oracle: {'likeliest':>9}{'best bet':>10}")
    figures = {}
    jobs = {f"+50 % time, alike by {name}": (duration_figures, (noise,)) for name, noise in NOISES.items()}
    for bursts in (False, True):
        for before, after in RATES:
            name = f"failing tries {before:.0%} to {after:.0%}{', in bursts' if bursts else ''}"
            jobs[name] = (tries_figures, ((before, after), bursts))
    for name, (measured, arguments) in jobs.items():
        figures[name] = one = measured(*arguments, series)
        columns = ["-" if value is None else f"{value:.1f}" for value in one.values()]
        print("{:40}{:>8}{:>8}{:>11}{:>20}{:>10}".format(name, *columns), flush=True)
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
