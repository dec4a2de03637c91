"""The runs that a page shows, and a text that says which runs it leaves out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from airflow_agari_provider.charts.rows import INSTANCES, NUMBER, OLD, PlainTryRow, Position, RunRow, TryRow


@dataclass(frozen=True)
class RunWindow:
    """
    The runs that are shown, the oldest first, out of all runs that were asked for.

    :param total: number of runs that fit the filters.
    :param newer: number of these runs that are newer than the runs shown.
    :param purged_before: see the function ``purged_before``.
    :param filtered: whether only runs of some types or states were asked for.
    """

    runs: Sequence[RunRow]
    total: int
    newer: int
    purged_before: float | None
    filtered: bool = False

    @property
    def older(self) -> int:
        return max(0, self.total - self.newer - len(self.runs))

    @property
    def before(self) -> Position | None:
        """The position before which the older runs are; None if no run is shown."""
        return self.runs[0].position if self.runs else None

    @property
    def after(self) -> Position | None:
        """The position after which the newer runs are; None if no run is shown."""
        return self.runs[-1].position if self.runs else None

    @property
    def text(self) -> str:
        """The window as text, such as ``last 100 of 8,214 runs, 2026-08-12 to 2026-11-21 (UTC)``."""
        if not self.total:
            return "no run matches the filters" if self.filtered else "no run"
        if not self.runs:
            return f"none of {self.total:,} runs{self._match} is this {'old' if self.newer else 'new'}"
        first, last = (date_of(run.run_after) for run in (self.runs[0], self.runs[-1]))
        return f"{self._count()}, {first} to {last} (UTC)" if first != last else f"{self._count()}, {first} (UTC)"

    @property
    def _match(self) -> str:
        return " that match the filters" if self.filtered else ""

    def _count(self) -> str:
        shown = len(self.runs)
        if self.total == 1:
            return "the only run that matches the filters" if self.filtered else "the only run"
        if shown == self.total:
            return f"all {shown:,} runs{self._match}"
        if not self.newer:
            return f"last {shown:,} of {self.total:,} runs{self._match}"
        first = self.older + 1
        return f"runs {first:,} to {first + shown - 1:,} of {self.total:,}{self._match}"


def date_of(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def minute_of(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def tries_missing(rows: Collection[PlainTryRow]) -> set[tuple[str, str]]:
    """
    Return each (run, task) that has later tries but not the first ones.

    A mapped task is among them if some of its indexes lack their first try.
    """
    later = {row[:2] for row in rows if row[NUMBER] > 1}
    first: Counter[tuple[str, str]] = Counter()
    of_try: Counter[tuple[tuple[str, str], int]] = Counter()
    for row in rows if later else ():
        if row[:2] not in later:
            continue
        if row[NUMBER] > 1:
            of_try[row[:2], row[NUMBER]] += row[INSTANCES]
        elif row[OLD]:
            first[row[:2]] += row[INSTANCES]
    return {place for (place, _), count in of_try.items() if first[place] < count}


def purged_before(
    rows: Collection[PlainTryRow], missing: Collection[tuple[str, str]], run_after: Mapping[str, float]
) -> float | None:
    """
    Return when the newest run was due that lost old tries to ``airflow db clean``; None if no run seems to have.

    A purge goes by date. So tries that are missing from a run that began after the oldest remaining try have another
    cause.

    :param missing: each (run, task) that lacks its first tries.
    """
    if not missing:
        return None
    there = [TryRow._make(row) for row in rows if row[OLD] or row[:2] in missing]
    oldest_left = min((row.first_start for row in there if row.old), default=None)
    newest = sorted((row for row in there if not row.old), key=lambda row: -row.first_start)
    starts = {(row.run_id, row.task_id): row.first_start for row in newest}  # the earliest of a mapped task
    purged = [
        run_after[run_id]
        for run_id, task_id in missing
        if oldest_left is None or starts.get((run_id, task_id), oldest_left) < oldest_left
    ]
    return max(purged, default=None)
