"""When a try really began and ended, and how long it waited without a worker; Airflow's own columns do not show it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from airflow_agari_provider.charts.outcomes import WAITING_STATES
from airflow_agari_provider.charts.rows import PauseRow, TryRow

Place: TypeAlias = tuple[str, str, int, int]  # run, task, map index, try
Pauses: TypeAlias = Mapping[Place, PauseRow]
SKEW = 1.0  # seconds by which the clocks of a worker and of the server may differ


@dataclass(frozen=True)
class Waits:
    """
    What is known about the waits of tries, besides their rows.

    :param pauses: the events in Airflow's log, by try.
    :param since: when the oldest event of the whole log was; ``airflow db clean`` has removed what was before.
    :param reschedules: ids of the sensors that release their worker between pokes; of these only the log tells.
    :param in_triggers: ids of the tasks that begin in the triggerer (``start_from_trigger``), which no event tells.
    """

    pauses: Pauses = field(default_factory=dict)
    since: float = 0.0
    reschedules: Collection[str] = ()
    in_triggers: Collection[str] = ()


NO_WAITS = Waits()


class Timed(NamedTuple):
    """
    A row with its times, which are sums for several map indexes.

    :param waited: seconds without a worker; None: unknown, and then included in ``run``.
    :param requeued: it was queued again after it had started; Airflow has overwritten when it was first queued.
    :param end_unknown: it has ended, but Airflow did not record when; ``ended`` is the latest possible end.
    """

    row: TryRow
    started: float
    ended: float
    waited: float | None
    requeued: bool
    end_unknown: bool

    @property
    def run(self) -> float:
        return max(0.0, self.ended - self.started - (self.waited or 0.0))


def goes_on(row: TryRow) -> bool:
    return not row.old and (row.state == "running" or row.state in WAITING_STATES)


def timed(row: TryRow, waits: Waits, now: float, until: float) -> Timed:
    """:param until: latest possible end of a try that has ended, but has no end in Airflow's tables."""
    waiting = row.state in WAITING_STATES and not row.old
    end_unknown = row.last_end is None and not goes_on(row)
    ended = now * row.instances if waiting else row.ended
    if end_unknown:
        ended = max(until * row.instances, row.started)
    tells = waiting or row.requeued or row.deferred
    pause = waits.pauses.get((row.run_id, row.task_id, row.map_index, row.try_number))
    if pause is None:
        unknown = tells or row.task_id in waits.reschedules or row.task_id in waits.in_triggers
        return Timed(row, row.started, ended, None if unknown else 0.0, row.requeued, end_unknown)
    requeued = row.requeued or pause.slices > 1
    started = min(row.started, pause.first_slice)
    waited = None if _lacks_the_first_wait(row, pause, waits, tells) else _waited(pause, ended, waiting)
    return Timed(row, started, ended, waited, requeued, end_unknown)


def _lacks_the_first_wait(row: TryRow, pause: PauseRow, waits: Waits, tells: bool) -> bool:
    """
    Whether the log does not show the first wait of a try.

    It began in the triggerer, or the log's oldest events were purged. Otherwise an event that came late is no wait: a
    busy server logs the start of a try when it has time to.

    :param tells: its row tells that it waited.
    """
    if pause.first_pause is not None and pause.first_pause < pause.first_slice - SKEW:
        return True
    if began_late(row, waits) and (row.task_id in waits.in_triggers or row.started < waits.since):
        return True
    return tells and pause.pauses == 0


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


def began_late(row: TryRow, waits: Waits) -> bool:
    """Whether the log has the begin on a worker later than the row: of these it matters if the task began elsewhere."""
    pause = waits.pauses.get((row.run_id, row.task_id, row.map_index, row.try_number))
    return pause is not None and pause.first_slice > row.started + SKEW


def seconds_run(row: TryRow, waits: Waits, now: float, until: float) -> float:
    """Return the seconds that one try ran on workers, summed over its map indexes; see ``timed``."""
    return timed(row, waits, now, until).run
