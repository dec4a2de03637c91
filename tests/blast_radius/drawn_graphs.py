"""Graphs that a test draws: what fed what, in place of Airflow's metadata database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from airflow_agari_provider.blast_radius.dag_shape import DagShape
from airflow_agari_provider.blast_radius.graph import Edge, Found, Reached, Run, RunKey, Unknown

HOUR = 3600.0


def run(name: str, window: float = 0.0) -> Run:
    """A run that is named ``dag/run``."""
    return Run(key(name), "scheduled", "success", window + HOUR, window, window + HOUR, window + 2 * HOUR)


def key(name: str) -> RunKey:
    return RunKey(*name.split("/"))


def edge(source: str, target: str, task: str = "load", to_task: str = "", how: str = "asset", **values) -> Edge:
    return Edge(key(source), task, key(target), to_task, how, **values)


def shape(dag_id: str, **downstream: str) -> DagShape:
    """``shape("a", extract="load", load="")``: the tasks, and those directly after each, with blanks between them."""
    return DagShape(dag_id, {task: tuple(after.split()) for task, after in downstream.items()})


class Drawn:
    """:param shapes: of every DAG that is left; by default each has the tasks ``extract`` and ``load``."""

    def __init__(
        self,
        edges: Sequence[Edge],
        windows: Mapping[str, float] | None = None,
        shapes: Mapping[str, DagShape | None] | None = None,
        unknown: Sequence[Unknown] = (),
    ) -> None:
        self.edges, self.windows, self.of_dags, self.unknown = edges, windows or {}, shapes or {}, unknown
        self.asked: list[int] = []

    def run(self, found: RunKey) -> Run:
        return run("/".join(found), self.windows.get("/".join(found), 0.0))

    def shapes(self, runs: Collection[Run]) -> Mapping[RunKey, DagShape | None]:
        default = {"extract": ("load",), "load": ()}
        return {one.key: self.of_dags.get(one.key.dag_id, DagShape(one.key.dag_id, default)) for one in runs}

    def fed(self, level: Sequence[Reached]) -> Found:
        self.asked.append(len(level))
        found = [edge for one in level for edge in self.edges if edge.run == one.run.key and one.covers(edge.task)]
        return Found(found, {edge.to_run: self.run(edge.to_run) for edge in found}, list(self.unknown))
