"""Series like those of real runs: each run resembles the previous run, nights differ from days, some are far out."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

RUNS = 1000
HOURS = [number % 24 for number in range(RUNS)]


@dataclass(frozen=True)
class Noise:
    """
    Noise of the seconds of a run, on a logarithmic scale.

    :param alike: autocorrelation from run to run.
    :param spread: standard deviation; 0.2 is a fifth of the time.
    :param news: what each run adds: ``normal``, ``skewed`` (exponential: long runs are commoner than short ones), or
        ``heavy`` (Student's t with three degrees of freedom).
    :param daily: difference between the quietest and the usual hour.
    :param far_out: share of runs that take three times as long.
    :param white: standard deviation of noise that no other run shares.
    :param days: standard deviation from day to day.
    """

    alike: float
    spread: float = 0.2
    news: str = "normal"
    daily: float = 0.2
    far_out: float = 0.01
    white: float = 0.0
    days: float = 0.0


def durations(noise: Noise, seed: int, at: int | None = None, factor: float = 1.5) -> tuple[list[float], list[float]]:
    """
    Durations of about four minutes; from run ``at`` on they are ``factor`` times as long.

    :returns: the seconds; and only the autocorrelated noise, which cannot be observed.
    """
    chance, state = random.Random(seed), 0.0
    width = noise.spread * math.sqrt(1 - noise.alike**2)
    seconds, hidden, day = [], [], 0.0
    for number in range(-50, RUNS):
        state = noise.alike * state + width * news(chance, noise.news)
        if number % 24 == 0:
            day = chance.gauss(0, noise.days)
        if number < 0:
            continue
        usual = day + chance.gauss(0, noise.white) + noise.daily * math.sin(2 * math.pi * HOURS[number] / 24)
        far_out = 3 if chance.random() < noise.far_out else 1
        hidden.append(state)
        seconds.append(240 * math.exp(state + usual) * far_out * (factor if at is not None and number >= at else 1))
    return seconds, hidden


def news(chance: random.Random, kind: str) -> float:
    """A random value with mean 0 and standard deviation 1."""
    if kind == "skewed":
        return chance.expovariate(1) - 1
    if kind == "heavy":
        return chance.gauss(0, 1) / math.sqrt(sum(chance.gauss(0, 1) ** 2 for _ in range(3)))
    return chance.gauss(0, 1)


def log_chance(kind: str) -> Callable[[float], float]:
    """Logarithm of the probability density of ``news``, less a constant."""
    if kind == "skewed":
        return lambda value: -value if value >= -1 else -1000 + value
    if kind == "heavy":
        return lambda value: -2 * math.log(1 + value * value)
    return lambda value: -value * value / 2


def numbers_of_tries(
    seed: int, at: int | None = None, rates: tuple[float, float] = (0.05, 0.38), *, bursts: bool = False
) -> list[float]:
    """
    Numbers of tries, at most four for each run.

    :param rates: share of tries that fail, before ``at`` and from then on; 1.05 and 1.6 tries.
    :param bursts: sometimes, for five runs on average, six times as many tries fail.
    """
    chance, found, burst = random.Random(seed), [], False
    for number in range(RUNS):
        rate = rates[at is not None and number >= at]
        if bursts:
            burst = chance.random() < (0.8 if burst else 0.01)
            rate = min(0.6, 6 * rate) if burst else rate
        tries = 1.0
        while tries < 4 and chance.random() < rate:
            tries += 1
        found.append(tries)
    return found
