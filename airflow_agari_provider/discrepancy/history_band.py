"""How many messages usually come: a band around the stored totals, for a chart. It judges nothing."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

REMEMBERED = 24  # runs that a band is made of
LEARNING = 5  # runs before which there is no band


class Volume(NamedTuple):
    """
    The volume of one run.

    :param run_at: date of the run, as text such as ``2016-02-03 20:00:00``.
    :param total: messages; ``None``: not known.
    :param clean: whether the run found nothing wrong; others teach nothing.
    """

    run_at: str
    total: int | None
    clean: bool


class Band(NamedTuple):
    """From how many to how many messages are usual."""

    low: float
    high: float


def volume_bands(volumes: Sequence[Volume]) -> list[Band | None]:
    """
    Return for each run the band that the runs before it make.

    It goes from the smallest to the largest of those of the same hour of the day, if there are enough of them,
    otherwise of the last ones.

    :param volumes: the oldest first.
    :return: ``None`` where too few runs came before.
    """
    usual: list[int] = []
    of_hour: dict[str, list[int]] = {}
    bands = []
    for run_at, total, clean in volumes:
        same_hour = of_hour.setdefault(run_at[11:13], [])
        bands.append(_band((same_hour if len(same_hour) >= LEARNING else usual)[-REMEMBERED:]))
        if clean and total is not None:
            usual.append(total)
            same_hour.append(total)
    return bands


def _band(totals: Sequence[int]) -> Band | None:
    if len(totals) < LEARNING:
        return None
    least, most = min(totals), max(totals)
    # a number of n messages varies by about the root of n, although nothing has changed
    return Band(max(0.0, least - 2 * sqrt(max(least, 1))), most + 2 * sqrt(max(most, 1)))
