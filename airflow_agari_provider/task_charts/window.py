"""Which runs a page shows, and in words what it leaves out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from airflow_agari_provider.task_charts.rows import MAP_INDEX, NUMBER, OLD, PlainTryRow, Position, RunRow, TryRow


@dataclass(frozen=True)
class Window:
    """
    Runs that are shown, the oldest first, out of all that were asked for.

    :param total: number of runs that fit the filters.
    :param newer: number of these that are newer than the shown.
    :param purged_before: see ``purged_before``.
    """

    runs: Sequence[RunRow]
    total: int
    newer: int
    purged_before: float | None

    @property
    def older(self) -> int:
        return max(0, self.total - self.newer - len(self.runs))

    @property
    def before(self) -> Position | None:
        """From where the runs before these are found; None if there is no run."""
        return self.runs[0].position if self.runs else None

    @property
    def after(self) -> Position | None:
        """From where those after these are found."""
        return self.runs[-1].position if self.runs else None

    @property
    def text(self) -> str:
        """Such as ``last 100 of 8,214 runs, 2026-08-12 to 2026-11-21 (UTC)``."""
        if not self.runs:
            return (
                "no run" if not self.total else f"none of {self.total:,} runs is this {'old' if self.newer else 'new'}"
            )
        first, last = (date_of(run.run_after) for run in (self.runs[0], self.runs[-1]))
        return f"{self._count()}, {first} to {last} (UTC)" if first != last else f"{self._count()}, {first} (UTC)"

    def _count(self) -> str:
        shown = len(self.runs)
        if shown == self.total:
            return "the only run" if shown == 1 else f"all {shown:,} runs"
        if not self.newer:
            return f"last {shown:,} of {self.total:,} runs"
        first = self.older + 1
        return f"runs {first:,} to {first + shown - 1:,} of {self.total:,}"


def date_of(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def minute_of(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def tries_missing(rows: Collection[PlainTryRow]) -> set[tuple[str, str]]:
    """(run, task) whose first tries are not there, though a later one is; mapped tasks aside."""
    later = {row[:2] for row in rows if row[NUMBER] > 1 and row[MAP_INDEX] < 0}
    return later and later - {row[:2] for row in rows if row[NUMBER] <= 1}


def purged_before(
    rows: Collection[PlainTryRow], missing: Collection[tuple[str, str]], run_after: Mapping[str, float]
) -> float | None:
    """
    When the newest run was due whose old tries ``airflow db clean`` has removed; None if nothing seems to be.

    A purge goes by date: what is missing from a run that began after the oldest try which is left has another cause.

    :param missing: (run, task) whose first tries are not there.
    """
    if not missing:
        return None
    there = [TryRow._make(row) for row in rows if row[OLD] or row[:2] in missing]
    oldest_left = min((row.first_start for row in there if row.old), default=None)
    starts = {(row.run_id, row.task_id): row.first_start for row in there if not row.old}
    purged = [
        run_after[run_id]
        for run_id, task_id in missing
        if oldest_left is None or starts.get((run_id, task_id), oldest_left) < oldest_left
    ]
    return max(purged, default=None)
