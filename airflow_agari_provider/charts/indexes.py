"""The indexes of a mapped task in one run, each with all of its tries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from airflow_agari_provider.charts.figures import percentile
from airflow_agari_provider.charts.outcomes import FAILED, NOT_COUNTED, standing
from airflow_agari_provider.charts.tries import Try

BINS = 20


@dataclass
class Index:
    """
    One index of a mapped task.

    :param label: what ``map_index_template`` made of it; None: the number alone.
    :param outcome: of its newest try.
    :param run: seconds that all of its tries ran.
    :param lost: seconds that its failed tries ran.
    :param waited: seconds that it was idle, queued or deferred; None: a part of that is not known.
    :param start, end: of its first and its newest try; the end is None if that one goes on.
    """

    map_index: int
    label: str | None
    outcome: str
    start: float
    end: float | None
    tries: int = 0
    failed: int = 0
    run: float = 0.0
    lost: float = 0.0
    waited: float | None = 0.0


def indexes_of(tries: Iterable[Try], labels: Mapping[int, str | None]) -> list[Index]:
    """
    Return the indexes that started, those that took longest first.

    :param tries: tries of single indexes, of each in the order of their numbers.
    """
    found: dict[int, Index] = {}
    for one in tries:
        if standing(one.outcome, one.run, one.deferred, one.end_unknown) == NOT_COUNTED:
            continue
        index = found.setdefault(
            one.map_index, Index(one.map_index, labels.get(one.map_index), one.outcome, one.start, one.end)
        )
        index.outcome, index.end = one.outcome, one.end
        index.tries += 1
        index.run += one.run
        if one.failed:
            index.failed += 1
            index.lost += one.run
        waits = one.idle, one.queued, one.deferred
        unknown = index.waited is None or None in waits
        index.waited = None if unknown else (index.waited or 0.0) + sum(wait or 0.0 for wait in waits)
    return sorted(found.values(), key=lambda index: (-index.run, index.map_index))


def histogram(seconds: Sequence[float]) -> tuple[list[float], list[int]]:
    """
    Return how long the indexes took: the edges of the bins, and how many are in each; the last has no upper edge.

    The bins end a little beyond the 95th percentile, so that a few long indexes do not flatten the others.

    :param seconds: none is negative.
    """
    most = percentile(seconds, 0.95)
    if most is None:
        return [], []
    width = max(most * 1.25, 0.001) / BINS
    counts = [0] * (BINS + 1)
    for value in seconds:
        counts[min(int(value / width), BINS)] += 1
    return [round(width * at, 3) for at in range(BINS + 1)], counts


def worth_a_look(indexes: Sequence[Index], most: int) -> list[Index]:
    """
    Return at most so many of the indexes: those that failed for good, then the retried ones, then the slowest.

    :param indexes: the slowest first.
    """
    return sorted(indexes, key=lambda index: (index.outcome not in FAILED, index.tries < 2))[:most]
