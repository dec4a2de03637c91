"""What a bad run fed: runs, what leads from one to the next and how that is known, and what is not known."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from airflow_agari_provider.blast_radius.dag_shape import DagShape

# How an edge is known, and what that means.
HOW = {
    "asset": "the run was created by, or got, an asset event that a task of the other emitted",
    "trigger": "a task of the other triggered it, and kept the id of the run",
    "sensor": "a sensor in it waits for the other: ExternalTaskSensor",
    "marker": "a task of the other names it: ExternalTaskMarker",
    "declared": "a person declared it: Feeds",
}

# Kinds of what is not known, and what each means.
UNKNOWN = {
    "no_run": "Airflow has no such run: deleted, purged, or never created",
    "purged": "the history of before a time is gone",
    "not_consumed": "nobody recorded who consumed an event",
    "guess": "an edge is assumed, not recorded",
    "no_link": "something was triggered or waited for, but which run is not recorded",
    "dag_gone": "the DAG is no longer in any file: renamed or deleted",
    "task_gone": "the DAG's file no longer has a task",
    "cycle": "DAGs feed each other in a circle",
    "not_permitted": "you may not read these DAGs",
    "too_many": "the search stopped at a limit",
}


class RunKey(NamedTuple):
    """What names a run."""

    dag_id: str
    run_id: str


class Run(NamedTuple):
    """
    A run as Airflow has it; times are epoch seconds.

    :param logical: its logical date; None: it has none, as runs of assets on Airflow 3.
    :param due: from when on it could run. On 2.11 this is the logical date.
    :param version: names the version of the DAG that it was created with; None: not recorded.
    """

    key: RunKey
    run_type: str
    state: str
    due: float
    logical: float | None = None
    started: float | None = None
    ended: float | None = None
    version: str | None = None

    @property
    def window(self) -> float:
        """Begin of the window of data that it is for, as far as its dates tell."""
        return self.due if self.logical is None else self.logical


class Edge(NamedTuple):
    """
    One run fed another.

    :param task: task that fed it.
    :param to_task: task that was fed; empty: the run as a whole.
    :param how: one of ``HOW``.
    :param what: what went between them, such as an asset.
    :param guess: it is assumed, not recorded.
    """

    run: RunKey
    task: str
    to_run: RunKey
    to_task: str
    how: str
    what: str = ""
    guess: bool = False


@dataclass(frozen=True, order=True)
class Unknown:
    """
    Something that cannot be known, so that the graph may lack a part.

    :param kind: one of ``UNKNOWN``.
    :param text: whole sentences: what, where, and what to do.
    :param dag_ids: DAGs that the text names. Who may not read one of them does not get the text.
    :param count: how many runs, events or DAGs it is about.
    """

    kind: str
    text: str
    dag_ids: tuple[str, ...] = ()
    count: int = 1


@dataclass(frozen=True)
class Reached:
    """
    A run, and tasks of it that are spoiled.

    :param tasks: their ids; None: all tasks, whichever it has.
    """

    run: Run
    tasks: frozenset[str] | None
    shape: DagShape | None

    def covers(self, task_id: str | None) -> bool:
        return self.tasks is None or task_id in self.tasks


@dataclass
class Found:
    """What a level of runs fed directly: edges, the runs that they lead to, and what is not known."""

    edges: list[Edge] = field(default_factory=list)
    runs: dict[RunKey, Run] = field(default_factory=dict)
    unknown: list[Unknown] = field(default_factory=list)

    def add(self, other: Found) -> None:
        self.edges += other.edges
        self.runs |= other.runs
        self.unknown += other.unknown


class Links(Protocol):
    """Where edges are looked up: Airflow's metadata database, or a test's dict."""

    def shapes(self, runs: Collection[Run]) -> Mapping[RunKey, DagShape | None]:
        """Return how the DAG of each run is built; None: no version of it is left."""

    def fed(self, level: Sequence[Reached]) -> Found:
        """Return what these runs fed directly. It asks once for all of them, not once for each."""


@dataclass(frozen=True)
class BlastRadius:
    """
    The answer.

    :param start: the runs that it began with.
    :param runs: all runs, those of the start included.
    :param tasks: spoiled tasks of each run; None: all of it.
    :param shapes: how the DAGs of the runs are built, by DAG; of several versions the last that was seen.
    :param hidden: how many DAGs, and runs of them, the reader may not read.
    """

    start: tuple[RunKey, ...]
    runs: Mapping[RunKey, Run]
    tasks: Mapping[RunKey, frozenset[str] | None]
    edges: tuple[Edge, ...]
    unknown: tuple[Unknown, ...]
    shapes: Mapping[str, DagShape]
    hidden: tuple[int, int] = (0, 0)

    @property
    def complete(self) -> bool:
        """Whether nothing is unknown and nothing guessed."""
        return not self.unknown
