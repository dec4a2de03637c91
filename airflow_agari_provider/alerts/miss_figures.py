"""Figures over recorded misses: how often each SLA was met, how late it was, and what became of the alerts. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from airflow_agari_provider.alerts.miss import duration_text
from airflow_agari_provider.alerts.recorded_miss import RecordedMiss, recovery_of
from airflow_agari_provider.charts.figures import percentile

DAY = 86400.0
COUNTED_STATES = ("doubtful", "refused", "silenced")


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


def sla_figures(misses: Iterable[RecordedMiss], runs: Mapping[str, int]) -> list[SlaFigures]:
    """
    Return the figures of each SLA that was missed, the most missed first.

    :param misses: of the window, the latest first.
    :param runs: number of runs in the window, by DAG.
    """
    grouped: dict[tuple[str, str, str, str], list[RecordedMiss]] = {}
    for miss in misses:
        grouped.setdefault((miss.environment, miss.dag_id, miss.task_id, miss.sla), []).append(miss)
    found = [_figures(missed, runs) for missed in grouped.values()]
    return sorted(found, key=lambda one: (-one.missed, one.dag_id, one.task_id, one.sla))


def _figures(misses: Sequence[RecordedMiss], runs: Mapping[str, int]) -> SlaFigures:
    latest = misses[0]
    late = _late(misses)
    count = runs.get(latest.dag_id)
    if count is not None and count < len(misses):
        count = None
    return SlaFigures(
        latest.environment,
        latest.dag_id,
        latest.task_id,
        sla_text(latest.sla),
        latest.owner,
        len(misses),
        sum(miss.is_open for miss in misses),
        count,
        None if count is None else 1 - len(misses) / count,
        percentile(late, 0.95),
        max(late, default=None),
    )


def hit_rate(slas: Iterable[SlaFigures]) -> float | None:
    """Return the share of met SLAs over all whose runs are known; ``None`` if there is none."""
    known = [(one.missed, one.runs) for one in slas if one.runs is not None]
    runs = sum(count for _, count in known)
    return 1 - sum(missed for missed, _ in known) / runs if runs else None


def p95_late(misses: Iterable[RecordedMiss]) -> float | None:
    """Return by how many seconds misses were late that came in; ``None`` if none has."""
    return percentile(_late(misses), 0.95)


def _late(misses: Iterable[RecordedMiss]) -> list[float]:
    # written out: it is asked for each miss, and twice
    return [max(0.0, miss.came_in_at - miss.due_at) for miss in misses if miss.came_in_at is not None]


def misses_by_day(misses: Iterable[RecordedMiss], since: float, until: float) -> list[tuple[float, int]]:
    """Return (start, number of misses) of each day of a window, in UTC; days without a miss are there too."""
    counts = Counter(miss.due_at // DAY for miss in misses)
    first, last = int(since // DAY), int(-(-until // DAY))
    return [(day * DAY, counts[day]) for day in range(first, last)]


def alerts_by_state(misses: Sequence[RecordedMiss]) -> dict[str, int]:
    """Return how many alerts are doubtful, were refused or silenced; recoveries count too."""
    counts = Counter(row.state for miss in misses for row in miss.alerts)
    if misses and misses[0].recoveries:  # those of all misses
        counts.update(recovery_of(row, miss.recoveries) for miss in misses for row in miss.alerts)
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
