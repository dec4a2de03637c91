"""What the metadata database knows, as its queries answer it. Times are epoch seconds, durations are seconds."""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias


class Position(NamedTuple):
    """
    A place between runs, in the order of when they were due and then of their ids.

    :param due: epoch seconds.
    :param run: id of the run that is next to it; None: next to any run that was due then.
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
    One try of a task, or the same try of several mapped indexes that are in one state.

    :param old: from the history; else it is the task instance as it stands.
    :param map_index: the highest of them; -1 for a task that is not mapped.
    :param instances: number of indexes, 1 for a task that is not mapped.
    :param scheduled: sum over the indexes of when they were scheduled (where that is not known: queued, else started).
    :param started: sum over the indexes of when they started.
    :param ended: sum over the indexes of when they ended; of now, for those that have not.
    :param first_start: of the index that started first.
    :param last_end: of the index that ended last; None if none has.
    :param longest: seconds from start to end of the longest index; None if that was not asked for.
    :param max_tries: tries the task had in this run, less one.
    :param requeued: an index was scheduled or queued after it had started: it came back from a trigger, or these are
        the times of the try before.
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


# A ``TryRow`` as a plain tuple, and the places of some of its fields. A thousand runs have twelve thousand: the garbage
# collector forgets tuples, and would look through that many named ones again and again.
TASK: Final = 1
NUMBER: Final = 2
STATE: Final = 3
OLD: Final = 4
MAP_INDEX: Final = 5
INSTANCES: Final = 6
REQUEUED: Final = 14
OPERATOR: Final = 15
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
]


class PauseRow(NamedTuple):
    """
    How often one try of one index gave up its worker to wait, and took one again.

    :param slices: number of times it ran on a worker; the next three are of when these began.
    :param pauses: number of times it went to wait; ``paused_sum`` is the sum of when.
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


class TaskFacts(NamedTuple):
    """
    What the DAG file says of a task.

    :param sla: seconds after the run began; on Airflow 3 one of ``set_slas``.
    :param reschedules: a sensor that gives up its worker between two looks.
    """

    sla: float | None
    reschedules: bool
    mapped: bool
