"""
What became of every try, and where its time went.

From the end of one try to the end of the next, every second is idle (until it was scheduled), queued (until it
started), deferred (waiting without a worker) or run. So for a task that is not mapped the four add up to the wall time
from its first scheduling to its last end.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import Final, NamedTuple, TypeAlias

from airflow_agari_provider.charts.outcomes import FAILED, UNFINISHED, outcome_of
from airflow_agari_provider.charts.rows import PlainTryRow, RunRow, TryRow
from airflow_agari_provider.charts.timing import NO_WAITS, Timed, Waits, timed

RUN_AND_TASK = itemgetter(0, 1)


class Try(NamedTuple):
    """
    One try; or the same try of several map indexes with the same outcome, and then the times are their sums.

    :param idle: seconds between the end of the previous try and the scheduling of this one; None: unknown.
    :param queued: seconds from the scheduling to the start; None: unknown, and then included in ``idle``.
    :param deferred: seconds it waited without a worker; None: unknown, and then included in ``run``.
    :param last: no map index in this entry has a newer try.
    :param again: the try failed, and Airflow was going to retry it by itself.
    :param end_unknown: it has ended, but Airflow did not record when; ``end`` and ``run`` reach to the latest possible
        moment: the end of its run, or the scheduling of the next try.
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
    end_unknown: bool = False

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
    bool,
]


@dataclass(frozen=True)
class _Known:
    """What is known about all tries: see ``tries_of``."""

    now: float
    longest: bool
    runs: Mapping[str, RunRow]
    waits: Waits


def tries_of(
    rows: Sequence[PlainTryRow],
    now: float,
    *,
    longest: bool = False,
    single: Collection[str] = (),
    paused: Collection[str] = (),
    waits: Waits = NO_WAITS,
    runs: Iterable[RunRow] = (),
) -> list[PlainTry]:
    """
    Return every try; the tries of one task in one run are in order.

    :param rows: rows of one or many runs, in any order.
    :param longest: for a mapped task, return the time of its longest index instead of the sum of all indexes.
    :param single: ids of tasks for which each row is a single map index.
    :param paused: ids of tasks that wait without a worker; ``waits`` says when they waited. A mapped task among them
        must be in ``single`` too.
    :param runs: the runs; a try without an end ended no later than its run.
    """
    found, others = _usual(rows, paused)
    others.sort(key=itemgetter(0, 1, 2))
    known = _Known(now, longest, {run.run_id: run for run in runs}, waits)
    unpaused = replace(known, waits=NO_WAITS)
    for (_, task_id), of_task in groupby(others, key=RUN_AND_TASK):
        group = [TryRow._make(row) for row in of_task]
        of_these = known if task_id in paused else unpaused
        if task_id in single and any(row.map_index >= 0 for row in group):
            found += _merged(_indexes(group, of_these), longest)
        else:
            found += _chain(group, of_these)
    return found


def tries_by_index(
    rows: Sequence[PlainTryRow], now: float, *, waits: Waits = NO_WAITS, runs: Iterable[RunRow] = ()
) -> list[Try]:
    """Return the tries of one task in one run, each map index apart. :param rows: each is a single map index."""
    group = [TryRow._make(row) for row in sorted(rows, key=itemgetter(2))]
    return _indexes(group, _Known(now, False, {run.run_id: run for run in runs}, waits))


def _usual(rows: Sequence[PlainTryRow], paused: Collection[str]) -> tuple[list[PlainTry], list[PlainTryRow]]:
    """Return the tries that are a simple success, as ``_chain`` would (nine tasks in ten), and all other rows."""
    found: list[PlainTry] = []
    others: list[PlainTryRow] = []
    count = Counter(map(RUN_AND_TASK, rows))
    for row in rows:
        run, task, number, state, old, index, instances, scheduled, started, ended, first, last, *more = row
        odd = state != "success" or old or instances != 1 or last is None or more[2] or more[4]  # requeued, deferred
        if odd or count[run, task] > 1 or task in paused:
            others.append(row)
            continue
        queued = started - scheduled if started > scheduled else 0.0
        found.append(
            (run, task, number, "success", first, last, ended - started, 0.0, queued, 0.0, 1, index, True, False, False)
        )
    return found, others


def _indexes(group: Sequence[TryRow], known: _Known) -> list[Try]:
    """Return the tries of each map index separately."""
    by_index = defaultdict(list)
    for row in group:
        by_index[row.map_index].append(row)
    return [found for rows in by_index.values() for found in _chain(rows, known)]


def _chain(group: Sequence[TryRow], known: _Known) -> list[Try]:
    """Return the tries of one task in one run, in order. Rows of the same try are map indexes with other outcomes."""
    found: list[tuple[Try, TryRow]] = []
    before: list[Timed] = []
    failures = 0
    for _, same_try in groupby(group, key=itemgetter(2)):
        # skip rows of tries that never started: Airflow left them the times of the previous try
        stale = {one.row.first_start for one in before}
        these = [
            timed(row, known.waits, known.now, _latest_end(row, group, known) if row.last_end is None else known.now)
            for row in same_try
            if row.first_start not in stale
        ]
        tries = [
            (_try(one, outcome, *_waits(one, these, before), known.longest), one.row)
            for one in these
            if (outcome := outcome_of(one.row.state, failures, old=one.row.old, cut_off=_cut_off(one, known)))
        ]
        if tries:
            found += tries
            failures += any(one.failed for one, _ in tries)
            before = these
    newest = found[-1][0].try_number if found else 0
    return [one._replace(last=_is_last(one, row, newest)) for one, row in found]


def _is_last(one: Try, row: TryRow, newest: int) -> bool:
    """:param newest: number of the newest try of any index."""
    return one.try_number == newest if row.newest is None or row.map_index < 0 else bool(row.newest)


def _latest_end(row: TryRow, group: Sequence[TryRow], known: _Known) -> float:
    """Return the latest moment at which a try can have ended: the end of its run, or when a later try was scheduled."""
    run = known.runs.get(row.run_id)
    ends = [known.now if run is None or run.end is None else run.end]
    ends += [
        min(later.scheduled, later.started) / later.instances
        for later in group
        if row.old and not row.newest and later.try_number > row.try_number and later.first_start != row.first_start
    ]
    return min(ends)


def _cut_off(one: Timed, known: _Known) -> bool:
    run = known.runs.get(one.row.run_id)
    return one.end_unknown and (one.row.old or (run is not None and run.state == "failed"))


def _waits(one: Timed, these: Sequence[Timed], before: Sequence[Timed]) -> tuple[float | None, float | None]:
    """
    Return (idle, queued) of a row ``one``, which is among the rows ``these`` of the same try.

    For map indexes only sums are known. The sum of their waits is the difference of the sums, if the same number of
    indexes ended the previous try and began this one. (An index that is not in the history had no other try.)
    """
    before = [other for other in before if other.row.old and not other.row.newest]
    scheduled = min(one.row.scheduled, one.started)
    queued = None if one.requeued else one.started - scheduled
    if not before:
        return 0.0, queued
    count = sum(other.row.instances for other in these)
    if count != sum(other.row.instances for other in before) or any(other.end_unknown for other in before):
        return None, queued
    ended = min(sum(other.ended for other in before) * one.row.instances / count, one.started)
    if one.requeued:  # Airflow has overwritten the time at which it was first queued
        return one.started - ended, None
    scheduled = max(scheduled, ended)
    return scheduled - ended, one.started - scheduled


def _try(one: Timed, outcome: str, idle: float | None, queued: float | None, longest: bool) -> Try:
    row = one.row
    run = one.run
    if longest and row.instances > 1:
        run = one.ended / row.instances - row.first_start if one.end_unknown else row.longest or 0.0
        idle, queued = (None if wait is None else wait / row.instances for wait in (idle, queued))
    end = one.ended / row.instances if one.end_unknown else row.last_end
    return Try(
        row.run_id,
        row.task_id,
        row.try_number,
        outcome,
        min(row.first_start, one.started / row.instances),
        None if outcome in UNFINISHED else end,
        run,
        idle,
        queued,
        one.waited,
        row.instances,
        row.map_index if row.instances == 1 else -1,
        False,
        outcome in FAILED and row.state != "skipped" and row.try_number <= row.max_tries,
        one.end_unknown,
    )


def _merged(indexes: Iterable[Try], longest: bool) -> list[Try]:
    """Merge the tries of single indexes that have the same number and outcome, and are or are not the last ones."""
    groups = defaultdict(list)
    for one in indexes:
        groups[one.try_number, one.outcome, one.last].append(one)
    return [_merge(groups[key], longest) for key in sorted(groups)]


def _merge(group: Sequence[Try], longest: bool) -> Try:
    first = min(group, key=lambda one: one.start)
    ends = [one.end for one in group if one.end is not None]
    measured = [max(group, key=lambda one: one.run + (one.deferred or 0.0))] if longest else group
    return first._replace(
        end=max(ends, default=None),
        run=sum(one.run for one in measured),
        idle=_sum(one.idle for one in measured),
        queued=_sum(one.queued for one in measured),
        deferred=None if any(one.deferred is None for one in measured) else _sum(one.deferred for one in measured),
        instances=len(group),
        map_index=first.map_index if len(group) == 1 else -1,
        again=any(one.again for one in group),
        end_unknown=any(one.end_unknown for one in group),
    )


def _sum(values: Iterable[float | None]) -> float | None:
    """Return the sum of the known values; None if no value is known."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None
