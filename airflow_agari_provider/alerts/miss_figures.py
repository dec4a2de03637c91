"""Figures over recorded misses: how often each SLA was met, how late it was, and what became of the alerts. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from airflow_agari_provider.alerts.miss import duration_text
from airflow_agari_provider.alerts.recorded_miss import RecordedMiss, recovery_of
from airflow_agari_provider.charts.figures import percentile

DAY = 86400.0
COUNTED_STATES = ("doubtful", "refused", "silenced")


class SlaMisses(NamedTuple):
    """
    Misses of one SLA, as far as figures need them.

    :param task_id: empty for the run itself.
    :param sla: as it is recorded; empty if it is not.
    :param owner: of the latest of them.
    :param due: when the SLA was over, of each; seconds since the epoch.
    :param late: seconds by which they were late, of those that came in.
    :param open: how many have not come in.
    :param states: how many of their alerts are in each of ``COUNTED_STATES``; recoveries count too.
    """

    environment: str
    dag_id: str
    task_id: str
    sla: str
    owner: str
    due: Sequence[float]
    late: Sequence[float]
    open: int
    states: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class SlaFigures:
    """
    How one SLA was met in a window.

    :param task_id: empty for the run itself.
    :param sla: in words; empty if it is not recorded.
    :param missed: runs that missed it; ``open`` of these have not come in yet.
    :param runs: runs that could have missed it; ``None`` if that is not known, or fewer are left than have missed it.
    :param hit_rate: share of the runs that met it.
    :param p95_late: seconds by which it was late, of those that came in; ``worst_late`` likewise. ``None``: none has.
    """

    environment: str
    dag_id: str
    task_id: str
    sla: str
    owner: str
    missed: int
    open: int
    runs: int | None
    hit_rate: float | None
    p95_late: float | None
    worst_late: float | None


def gathered(misses: Iterable[RecordedMiss]) -> list[SlaMisses]:
    """Return each miss as figures need it."""
    return [
        SlaMisses(
            *(miss.environment, miss.dag_id, miss.task_id, miss.sla, miss.owner),
            (miss.due_at,),
            () if miss.came_in_late is None else (miss.came_in_late,),
            int(miss.is_open),
            alerts_by_state([miss]),
        )
        for miss in misses
    ]


def sla_figures(misses: Iterable[SlaMisses], runs: Mapping[str, int]) -> list[SlaFigures]:
    """
    Return the figures of each SLA that was missed, the most missed first.

    :param misses: of the window; several may be of one SLA.
    :param runs: number of runs in the window, by DAG.
    """
    grouped: dict[tuple[str, ...], list[SlaMisses]] = {}
    for some in misses:
        if some.due:
            grouped.setdefault(some[:4], []).append(some)
    found = [_figures(missed, runs) for missed in grouped.values()]
    return sorted(found, key=lambda one: (-one.missed, one.dag_id, one.task_id, one.sla, one.environment))


def _figures(parts: Sequence[SlaMisses], runs: Mapping[str, int]) -> SlaFigures:
    latest = max(parts, key=lambda part: max(part.due))
    missed = sum(len(part.due) for part in parts)
    late = list(chain.from_iterable(part.late for part in parts))
    count = runs.get(latest.dag_id)
    if count is not None and count < missed:
        count = None
    return SlaFigures(
        latest.environment,
        latest.dag_id,
        latest.task_id,
        sla_text(latest.sla),
        latest.owner,
        missed,
        sum(part.open for part in parts),
        count,
        None if count is None else 1 - missed / count,
        percentile(late, 0.95),
        max(late, default=None),
    )


def hit_rate(slas: Iterable[SlaFigures]) -> float | None:
    """Return the share of met SLAs over all whose runs are known; ``None`` if there is none."""
    known = [(one.missed, one.runs) for one in slas if one.runs is not None]
    runs = sum(count for _, count in known)
    return 1 - sum(missed for missed, _ in known) / runs if runs else None


def p95_late(misses: Iterable[SlaMisses]) -> float | None:
    """Return by how many seconds misses were late that came in; ``None`` if none has."""
    return percentile(chain.from_iterable(some.late for some in misses), 0.95)


def misses_by_day(misses: Iterable[SlaMisses], since: float, until: float) -> list[tuple[float, int]]:
    """Return (start, number of misses) of each day of a window, in UTC; days without a miss are there too."""
    counts = Counter(due // DAY for some in misses for due in some.due)
    first, last = int(since // DAY), int(-(-until // DAY))
    return [(day * DAY, counts[day]) for day in range(first, last)]


def alerts_by_state(misses: Iterable[RecordedMiss]) -> dict[str, int]:
    """Return how many alerts are doubtful, were refused or silenced; recoveries count too."""
    rows = [(row, miss.recoveries) for miss in misses for row in miss.alerts]
    counts = Counter(chain((row.state for row, _ in rows), (recovery_of(*one) for one in rows)))
    return {state: counts[state] for state in COUNTED_STATES}


def incidents(misses: Iterable[RecordedMiss]) -> int:
    """Return how many incidents open misses have, of which several may share one."""
    return len({miss.incident or miss.place for miss in misses if miss.is_open})


@lru_cache(maxsize=1000)
def sla_text(sla: str) -> str:
    """Return an SLA in words: ``within 30 min``, ``by 06:00:00 Europe/Berlin``, ``from history``; empty for none."""
    kind, _, rest = sla.partition(" ")
    if kind in ("history", "variable"):
        return "from history" if kind == "history" else f"from Variable {rest.split(' ', 2)[-1]}"
    try:
        return f"within {duration_text(timedelta(seconds=float(sla)))}"
    except (OverflowError, ValueError):
        return f"by {sla}" if sla else ""


def month_window(month: str) -> tuple[float, float]:
    """Return when a month such as ``2026-11`` begins and ends, in UTC."""
    year, number = map(int, month.split("-"))
    following = (year + 1, 1) if number == 12 else (year, number + 1)
    return datetime(year, number, 1, tzinfo=UTC).timestamp(), datetime(*following, 1, tzinfo=UTC).timestamp()
