"""Rows as the queries of the metadata database return them. Times are epoch seconds, durations are seconds."""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias


class Position(NamedTuple):
    """
    A place between runs. Runs are ordered by when they were due, and then by their ids.

    :param due: epoch seconds.
    :param run: id of the run next to the place; None: only the moment counts, not a run that was due then.
    """

    due: float
    run: int | None = None


class RunRow(NamedTuple):
    """A run of a DAG."""

    id: int
    run_id: str
    run_type: str
    state: str
    run_after: float
    logical_date: float | None
    queued: float | None
    start: float | None
    end: float | None

    @property
    def position(self) -> Position:
        return Position(self.run_after, self.id)


class TryRow(NamedTuple):
    """
    One try of a task, or the same try of several map indexes that have the same state.

    :param old: the row is from the history; otherwise it is the current task instance.
    :param map_index: the highest of the map indexes; -1 for a task that is not mapped.
    :param instances: number of map indexes; 1 for a task that is not mapped.
    :param scheduled: sum over the indexes of when they were scheduled (if unknown: queued; if unknown too: started).
    :param started: sum over the indexes of when they started.
    :param ended: sum over the indexes of when they ended; now if they have no end.
    :param first_start: start of the index that started first.
    :param last_end: end of the index that ended last; None if none has an end. Either all have an end, or none has.
    :param longest: seconds from start to end of the longest index; None if the query did not ask for it.
    :param max_tries: number of tries that the task may have in this run, minus one.
    :param requeued: an index was scheduled or queued after it had started: it came back from a trigger, or these are
        the times of the previous try.
    :param deferred: an index left its worker for a trigger, and ended without coming back to a worker.
    :param newest: no index has a newer try; None: this is not known, and each row is a single index.
    """

    run_id: str
    task_id: str
    try_number: int
    state: str | None
    old: bool
    map_index: int
    instances: int
    scheduled: float
    started: float
    ended: float
    first_start: float
    last_end: float | None
    longest: float | None
    max_tries: int
    requeued: bool
    operator: str | None
    deferred: bool = False
    newest: bool | None = None


# A ``TryRow`` as a plain tuple, and the indexes of some of its fields. A thousand runs have twelve thousand rows. The
# garbage collector stops tracking plain tuples, but would look through that many named tuples again and again.
RUN_ID: Final = 0
TASK: Final = 1
NUMBER: Final = 2
STATE: Final = 3
OLD: Final = 4
MAP_INDEX: Final = 5
INSTANCES: Final = 6
REQUEUED: Final = 14
OPERATOR: Final = 15
DEFERRED: Final = 16
PlainTryRow: TypeAlias = tuple[
    str,
    str,
    int,
    str | None,
    bool,
    int,
    int,
    float,
    float,
    float,
    float,
    float | None,
    float | None,
    int,
    bool,
    str | None,
    bool,
    bool | None,
]


class PauseRow(NamedTuple):
    """
    How often one try of one map index released its worker to wait, and got a worker again.

    :param slices: number of times it ran on a worker.
    :param slices_sum: sum of the moments at which these slices began.
    :param first_slice: when the first slice began.
    :param pauses: number of times it released its worker to wait.
    :param paused_sum: sum of the moments at which it did so.
    :param first_pause: the first of these moments; None: there is none, or it is not known.
    """

    run_id: str
    task_id: str
    map_index: int
    try_number: int
    slices: int
    slices_sum: float
    first_slice: float
    pauses: int
    paused_sum: float
    first_pause: float | None = None


class TaskFacts(NamedTuple):
    """
    What the DAG file says about a task.

    :param sla: seconds after the run began; on Airflow 3 an SLA from ``set_slas``.
    :param reschedules: the task is a sensor that releases its worker between two pokes.
    :param display_name: what Airflow shows instead of the task's id; None: the id.
    :param in_trigger: it begins in the triggerer, not on a worker (``start_from_trigger``).
    :param downstream: ids of the tasks that come directly after it.
    """

    sla: float | None
    reschedules: bool
    mapped: bool
    display_name: str | None = None
    in_trigger: bool = False
    downstream: tuple[str, ...] = ()
