"""The answer as a reader may see it, who may not read all DAGs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from airflow_agari_provider.blast_radius.graph import BlastRadius, Edge, Run, RunKey, Unknown


def as_seen_by(answer: BlastRadius, readable: frozenset[str] | None) -> BlastRadius:
    """
    Return the answer without what a reader may not read: such runs are counted, not named, and lead on.

    :param readable: ids of the DAGs that they may read; None: all.
    """
    if readable is None:
        return answer
    unreadable = [key for key in answer.runs if key.dag_id not in readable]
    names = {dag_id: f"(DAG {number} that you may not read)" for number, dag_id in enumerate(_dags_of(unreadable), 1)}
    alias = {
        key: RunKey(names[key.dag_id], f"run {number}") if key.dag_id in names else key
        for number, key in enumerate(answer.runs, 1)
    }
    told = [one for one in answer.unknown if readable.issuperset(one.dag_ids)]
    silent = [one for one in answer.unknown if not readable.issuperset(one.dag_ids)]
    for kind in dict.fromkeys(one.kind for one in silent):
        count = sum(one.count for one in silent if one.kind == kind)
        told.append(Unknown(kind, "It is about DAGs that you may not read.", (), count))
    if unreadable:
        text = (
            f"{len(unreadable):,} runs of {len(names):,} DAGs that you may not read were fed too. They are counted, "
            "not named. Ask somebody who may read all DAGs."
        )
        told.append(Unknown("not_permitted", text, (), len(unreadable)))
    return replace(
        answer,
        start=tuple(alias[key] for key in answer.start),
        runs={
            alias[key]: Run(alias[key], "", "", run.window) if key.dag_id in names else run
            for key, run in answer.runs.items()
        },
        tasks={alias[key]: None if key.dag_id in names else tasks for key, tasks in answer.tasks.items()},
        edges=tuple(_masked(edge, alias, names) for edge in answer.edges),
        unknown=tuple(told),
        shapes={dag_id: shape for dag_id, shape in answer.shapes.items() if dag_id in readable},
        hidden=(len(names), len(unreadable)),
    )


def _dags_of(keys: Iterable[RunKey]) -> Iterable[str]:
    return dict.fromkeys(key.dag_id for key in keys)


def _masked(edge: Edge, alias: Mapping[RunKey, RunKey], names: Mapping[str, str]) -> Edge:
    """Hide the tasks of hidden runs, and what went between a hidden run and another."""
    source_hidden, target_hidden = edge.run.dag_id in names, edge.to_run.dag_id in names
    return edge._replace(
        run=alias[edge.run],
        to_run=alias[edge.to_run],
        task="" if source_hidden else edge.task,
        to_task="" if target_hidden else edge.to_task,
        what="" if source_hidden or target_hidden else edge.what,
    )
