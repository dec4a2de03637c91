"""The first of two readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Recheck:
    """
    The first reading found discrepancies, so the counts were read again.

    :param keys: number of discrepant keys in the first reading; None if it is no longer known.
    :param wait: time between the readings.
    :param first: what the first reading found, see
        :func:`~airflow_agari_provider.discrepancy.findings.identities`.
    """

    keys: int | None
    wait: timedelta
    first: Sequence[str] | None = None

    def __str__(self) -> str:
        did = "Some" if self.keys is None else f"{self.keys:,}"
        return f"{did} did at first; counted again after {self.wait}."
