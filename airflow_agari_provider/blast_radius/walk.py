"""From some runs to all that they fed, level by level."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from airflow_agari_provider.blast_radius.dag_shape import DagShape
from airflow_agari_provider.blast_radius.graph import BlastRadius, Edge, Links, Reached, Run, RunKey, Unknown
from airflow_agari_provider.blast_radius.order import dag_cycles

MOST_RUNS = 20_000
MOST_LEVELS = 200  # DAGs that feed each other in a circle add a level with each turn

# Tasks of a run; None: all of them.
Tasks = frozenset[str] | None


@dataclass(frozen=True)
class Bounds:
    """
    Where the search stops, and says so.

    :param runs: how many runs the answer has at most.
    :param levels: how many runs one way through the graph has at most.
    """

    runs: int = MOST_RUNS
    levels: int = MOST_LEVELS


class _Walk:
    def __init__(self, links: Links, bounds: Bounds) -> None:
        self.links, self.bounds = links, bounds
        self.runs: dict[RunKey, Run] = {}
        self.tasks: dict[RunKey, Tasks] = {}
        self.shapes: dict[RunKey, DagShape | None] = {}
        self.edges: dict[Edge, None] = {}
        self.unknown: dict[Unknown, None] = {}

    def enter(self, run: Run, entries: Iterable[str], fresh: dict[RunKey, Tasks]) -> None:
        """Add tasks of a run, and what is downstream of them. :param fresh: gets what is new of it."""
        shape = self.shapes.get(run.key)
        known = self.tasks.get(run.key, frozenset())
        added = _entered(shape, entries, known)
        if run.key in self.runs and added == frozenset():
            return
        self.runs.setdefault(run.key, run)
        before = fresh.get(run.key, frozenset())
        fresh[run.key] = None if added is None or before is None else before | added
        self.tasks[run.key] = None if added is None or known is None else known | added

    def look_up(self, runs: Iterable[Run]) -> None:
        """Learn how the DAGs of these runs are built. Those of which nothing is left are unknown."""
        new = [run for run in runs if run.key not in self.shapes]
        self.shapes |= self.links.shapes(new)
        gone: dict[str, int] = {}
        for run in new:
            if self.shapes.setdefault(run.key, None) is None:
                gone[run.key.dag_id] = gone.get(run.key.dag_id, 0) + 1
        for dag_id, count in gone.items():
            self.add_unknown(
                "dag_gone",
                f"Airflow no longer has DAG {dag_id}: it was renamed or deleted. All tasks of its runs count as "
                "spoiled, and what they triggered or named is not known.",
                dag_id,
                count,
            )

    def add_unknown(self, kind: str, text: str, dag_id: str, count: int = 1) -> None:
        self.unknown[Unknown(kind, text, (dag_id,), count)] = None

    def level(self, fresh: Mapping[RunKey, Tasks]) -> dict[RunKey, Tasks]:
        """Ask what these runs fed. Return what is new of that."""
        reached = [Reached(self.runs[key], tasks, self.shapes[key]) for key, tasks in fresh.items()]
        found = self.links.fed(reached)
        self.unknown |= dict.fromkeys(found.unknown)
        self.look_up(found.runs.values())
        following: dict[RunKey, Tasks] = {}
        for edge in found.edges:
            run = self.runs.get(edge.to_run) or found.runs[edge.to_run]
            if edge.to_run not in self.runs and len(self.runs) >= self.bounds.runs:
                self.stop(f"{self.bounds.runs:,} runs", edge.to_run.dag_id)
                return {}
            self.edges[edge] = None
            self.check(edge)
            self.enter(run, [edge.to_task] if edge.to_task else (), following)
        return following

    def check(self, edge: Edge) -> None:
        shape = self.shapes[edge.to_run]
        if edge.to_task and shape and edge.to_task not in shape.downstream:
            text = f"DAG {edge.to_run.dag_id} no longer has task {edge.to_task}: what came after it is not known."
            self.add_unknown("task_gone", text, edge.to_run.dag_id)

    def stop(self, limit: str, dag_id: str) -> None:
        text = f"The search stopped at {limit}; there are more, such as of DAG {dag_id}. Ask for a shorter window."
        self.add_unknown("too_many", text, dag_id)


def _entered(shape: DagShape | None, entries: Iterable[str], known: Tasks) -> Tasks:
    """Return which tasks of a run become spoiled that were not yet. :param entries: none: the run as a whole."""
    entries = list(entries)
    if known is None:
        return frozenset()
    if shape is None:
        return None
    return (shape.after(entries) if entries else frozenset(shape.downstream)) - known


def blast_radius(
    start: Sequence[Run], links: Links, task_ids: Sequence[str] = (), bounds: Bounds | None = None
) -> BlastRadius:
    """
    Return all that some runs fed, directly and indirectly, as far as it is recorded.

    :param task_ids: the bad tasks of these runs; empty: all tasks.
    """
    bounds = bounds or Bounds()
    walk = _Walk(links, bounds)
    if len(start) > bounds.runs:
        walk.stop(f"{bounds.runs:,} runs", start[0].key.dag_id)
        start = start[: bounds.runs]
    walk.look_up(start)
    fresh: dict[RunKey, Tasks] = {}
    for run in start:
        for task_id in task_ids:
            shape = walk.shapes[run.key]
            if shape and task_id not in shape.downstream:
                text = f"DAG {run.key.dag_id} has no task {task_id} now: what came after it is not known."
                walk.add_unknown("task_gone", text, run.key.dag_id)
        walk.enter(run, task_ids, fresh)
    levels = 0
    while fresh:
        levels += 1
        if levels > bounds.levels:
            walk.stop(f"{bounds.levels:,} runs one after the other", next(iter(fresh)).dag_id)
            break
        fresh = walk.level(fresh)
    return _answer(walk, start)


def _answer(walk: _Walk, start: Sequence[Run]) -> BlastRadius:
    for cycle in dag_cycles(walk.edges):
        way = " -> ".join((*cycle, cycle[0]))
        text = f"These DAGs feed each other: {way}. Each of their later runs is built on the runs before it."
        walk.unknown[Unknown("cycle", text, cycle)] = None
    shapes = {key.dag_id: shape for key, shape in walk.shapes.items() if shape and key in walk.runs}
    return BlastRadius(
        tuple(run.key for run in start),
        walk.runs,
        walk.tasks,
        tuple(walk.edges),
        tuple(walk.unknown),
        shapes,
    )
