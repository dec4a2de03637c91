"""
What became of every try, and where its time went.

From the end of one try to the end of the next, every second is idle (until it was scheduled), queued (until it
started), deferred (waiting without a worker) or run. So for a task that is not mapped the four add up to the wall time
from its first scheduling to its last end.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from airflow_agari_provider.charts.rows import PauseRow, PlainTryRow, TryRow

OUTCOMES = (
    "failed_first",
    "failed_second",
    "failed_later",
    "superseded",
    "success",
    "running",
    "deferred",
    "skipped",
    "removed",
)
FAILED = frozenset(OUTCOMES[:3])
UNFINISHED = frozenset({"running", "deferred"})
WAITING_STATES = frozenset({"deferred", "up_for_reschedule", "awaiting_input"})
CURRENT_OUTCOMES = {
    "success": "success",
    "failed": "failed",
    "running": "running",
    "skipped": "skipped",
    "removed": "removed",
    **dict.fromkeys(WAITING_STATES, "deferred"),
}
OLD_OUTCOMES = {"success": "superseded", "skipped": "skipped", "removed": "removed", "upstream_failed": None}

Place = tuple[str, str, int, int]  # run, task, map index, try
Pauses = Mapping[Place, PauseRow]
RUN_AND_TASK = itemgetter(0, 1)


class Try(NamedTuple):
    """
    One try; or the same try of several map indexes with the same outcome, and then the times are their sums.

    :param idle: seconds between the end of the previous try and the scheduling of this one; None: unknown.
    :param queued: seconds from the scheduling to the start; None: unknown, and then included in ``idle``.
    :param deferred: seconds it waited without a worker; None: unknown, and then included in ``run``.
    :param again: the try failed, and Airflow was going to retry it by itself.
    """

    run_id: str
    task_id: str
    try_number: int
    outcome: str
    start: float
    end: float | None
    run: float
    idle: float | None
    queued: float | None
    deferred: float | None
    instances: int
    map_index: int
    last: bool
    again: bool

    @property
    def failed(self) -> bool:
        return self.outcome in FAILED


# A ``Try`` as a plain tuple, and the index of one of its fields: see ``PlainTryRow``.
AGAIN: Final = 13
PlainTry: TypeAlias = tuple[
    str,
    str,
    int,
    str,
    float,
    float | None,
    float,
    float | None,
    float | None,
    float | None,
    int,
    int,
    bool,
    bool,
]


def tries_of(
    rows: Sequence[PlainTryRow],
    now: float,
    *,
    longest: bool = False,
    single: Collection[str] = (),
    paused: Collection[str] = (),
    pauses: Pauses = MappingProxyType({}),
) -> list[PlainTry]:
    """
    Return every try; the tries of one task in one run are in order.

    :param rows: rows of one or many runs, in any order.
    :param longest: for a mapped task, return the time of its longest index instead of the sum of all indexes.
    :param single: ids of tasks for which each row is a single map index.
    :param paused: ids of tasks that wait without a worker; ``pauses`` says when they waited. A mapped task among them
        must be in ``single`` too.
    """
    found, others = _usual(rows, paused)
    others.sort(key=itemgetter(0, 1, 2))
    for (_, task_id), of_task in groupby(others, key=RUN_AND_TASK):
        group = [TryRow._make(row) for row in of_task]
        waits = pauses if task_id in paused else {}
        if task_id in single and any(row.map_index >= 0 for row in group):
            found += _merged(_indexes(group, waits, now), longest)
        else:
            found += _chain(group, waits, now, longest)
    return found


def _usual(rows: Sequence[PlainTryRow], paused: Collection[str]) -> tuple[list[PlainTry], list[PlainTryRow]]:
    """Return the tries that are a simple success, as ``_chain`` would (nine tasks in ten), and all other rows."""
    found: list[PlainTry] = []
    others: list[PlainTryRow] = []
    count = Counter(map(RUN_AND_TASK, rows))
    for row in rows:
        run, task, number, state, old, index, instances, scheduled, started, ended, first, last, _, _, requeued, _ = row
        if state != "success" or old or requeued or instances != 1 or count[run, task] > 1 or task in paused:
            others.append(row)
            continue
        queued = started - scheduled if started > scheduled else 0.0
        found.append((run, task, number, state, first, last, ended - started, 0.0, queued, 0.0, 1, index, True, False))
    return found, others


def _indexes(group: Sequence[TryRow], pauses: Pauses, now: float) -> list[Try]:
    """Return the tries of each map index separately."""
    by_index = defaultdict(list)
    for row in group:
        by_index[row.map_index].append(row)
    return [found for rows in by_index.values() for found in _chain(rows, pauses, now, False)]


def _chain(group: Sequence[TryRow], pauses: Pauses, now: float, longest: bool) -> list[Try]:
    """Return the tries of one task in one run, in order. Rows of the same try are map indexes with other outcomes."""
    found: list[Try] = []
    before: list[_Timed] = []
    failures = 0
    for _, same_try in groupby(group, key=itemgetter(2)):
        # skip rows of tries that never started: Airflow left them the times of the previous try
        stale = {one.row.first_start for one in before}
        these = [_timed(row, pauses, now) for row in same_try if row.first_start not in stale]
        tries = [
            _try(one, outcome, *_waits(one, these, before), longest)
            for one in these
            if (outcome := _outcome(one.row, failures))
        ]
        if tries:
            found += tries
            failures += any(one.failed for one in tries)
            before = these
    newest = found[-1].try_number if found else 0
    return [one._replace(last=one.try_number == newest) for one in found]


class _Timed(NamedTuple):
    """A row with its real start and its waiting time, which Airflow's own columns do not show."""

    row: TryRow
    started: float
    ended: float
    waited: float | None
    requeued: bool

    @property
    def run(self) -> float:
        return max(0.0, self.ended - self.started - (self.waited or 0.0))


def seconds_run(row: TryRow, pauses: Pauses, now: float) -> float:
    """Return the seconds that one try ran on workers, summed over its map indexes."""
    return _timed(row, pauses, now).run


def _timed(row: TryRow, pauses: Pauses, now: float) -> _Timed:
    pause = pauses.get((row.run_id, row.task_id, row.map_index, row.try_number))
    waiting = row.state in WAITING_STATES and not row.old
    ended = now * row.instances if waiting else row.ended
    if pause is None:
        unknown = waiting or row.requeued
        return _Timed(row, row.started, ended, None if unknown else 0.0, row.requeued)
    requeued = row.requeued or pause.slices > 1
    started = min(row.started, pause.first_slice)
    return _Timed(row, started, ended, _waited(pause, ended, waiting), requeued)


def _waited(pause: PauseRow, ended: float, waiting: bool) -> float | None:
    """Return the seconds from each pause to the next return to a worker; None: some of these are not in the log."""
    returns = pause.slices - 1
    if returns == pause.pauses and not waiting:
        until = 0.0
    elif pause.slices == pause.pauses:  # the last pause has not ended, or the try ended during it
        until = ended
    else:
        return None
    return max(0.0, pause.slices_sum - pause.first_slice - pause.paused_sum + until)


def _outcome(row: TryRow, failures: int) -> str | None:
    """Return the outcome of a row; None for a state in which the task cannot have run."""
    name = OLD_OUTCOMES.get(row.state or "", "failed") if row.old else CURRENT_OUTCOMES.get(row.state or "")
    return OUTCOMES[min(failures, 2)] if name == "failed" else name


def _waits(one: _Timed, these: Sequence[_Timed], before: Sequence[_Timed]) -> tuple[float | None, float | None]:
    """
    Return (idle, queued) of a row ``one``, which is among the rows ``these`` of the same try.

    For map indexes only sums are known. The sum of their waits is the difference of the sums, if the same number of
    indexes ended the previous try and began this one. (An index that is not in the history had no other try.)
    """
    before = [other for other in before if other.row.old]
    scheduled = min(one.row.scheduled, one.started)
    if not before:
        return 0.0, None if one.requeued else one.started - scheduled
    count = sum(other.row.instances for other in these)
    if count != sum(other.row.instances for other in before):
        return None, None if one.requeued else one.started - scheduled
    ended = min(sum(other.ended for other in before) * one.row.instances / count, one.started)
    if one.requeued:  # Airflow has overwritten the time at which it was first queued
        return one.started - ended, None
    scheduled = max(scheduled, ended)
    return scheduled - ended, one.started - scheduled


def _try(one: _Timed, outcome: str, idle: float | None, queued: float | None, longest: bool) -> Try:
    row = one.row
    run = one.run
    if longest and row.instances > 1:
        run = row.longest or 0.0
        idle, queued = (None if wait is None else wait / row.instances for wait in (idle, queued))
    return Try(
        row.run_id,
        row.task_id,
        row.try_number,
        outcome,
        min(row.first_start, one.started / row.instances),
        None if outcome in UNFINISHED else row.last_end,
        run,
        idle,
        queued,
        one.waited,
        row.instances,
        row.map_index if row.instances == 1 else -1,
        False,
        outcome in FAILED and row.try_number <= row.max_tries,
    )


def _merged(indexes: Iterable[Try], longest: bool) -> list[Try]:
    """Merge the tries of single indexes: one try for all indexes with the same try number and outcome."""
    groups = defaultdict(list)
    for one in indexes:
        groups[one.try_number, one.outcome].append(one)
    newest = max((number for number, _ in groups), default=0)
    return [_merge(group, longest, number == newest) for (number, _), group in sorted(groups.items())]


def _merge(group: Sequence[Try], longest: bool, last: bool) -> Try:
    first = min(group, key=lambda one: one.start)
    ends = [one.end for one in group if one.end is not None]
    measured = [max(group, key=lambda one: one.run + (one.deferred or 0.0))] if longest else group
    return first._replace(
        end=max(ends, default=None),
        run=sum(one.run for one in measured),
        idle=_sum(one.idle for one in measured),
        queued=_sum(one.queued for one in measured),
        deferred=_sum(one.deferred for one in measured),
        instances=len(group),
        map_index=first.map_index if len(group) == 1 else -1,
        last=last,
        again=any(one.again for one in group),
    )


def _sum(values: Iterable[float | None]) -> float | None:
    """Return the sum of the known values; None if no value is known."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None
