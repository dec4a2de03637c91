"""The answer for programs: JSON, and a graph in the DOT language."""

from __future__ import annotations

import json
from typing import Any

from airflow_agari_provider.blast_radius.graph import BlastRadius, RunKey
from airflow_agari_provider.blast_radius.order import in_order
from airflow_agari_provider.blast_radius.report_text import moment

VERSION = 1  # of the JSON; later versions may add names
MOST_DRAWN = 2_000  # runs; Graphviz takes minutes for more


def data_of(answer: BlastRadius) -> dict[str, Any]:
    """
    Return the answer as JSON has it; runs are referred to by their place in ``runs``. Times are epoch seconds.

    ``runs`` are in the order in which they are to be run again. What goes from task to task inside a run is the same in
    all runs of a DAG: ``dags`` has it once, for the tasks that are spoiled in any run.
    """
    order, circle = in_order(answer.runs, answer.edges)
    place = {key: number for number, key in enumerate([*order, *circle])}
    return {
        "version": VERSION,
        "complete": answer.complete,
        "start": sorted(place[key] for key in answer.start),
        "runs": [_run(answer, key) for key in place],
        "edges": [
            {
                "run": place[edge.run],
                "task_id": edge.task or None,
                "to_run": place[edge.to_run],
                "to_task_id": edge.to_task or None,
                "how": edge.how,
                "what": edge.what or None,
                "guess": edge.guess,
            }
            for edge in sorted(answer.edges)
        ],
        "dags": {dag_id: _inside(answer, dag_id) for dag_id in sorted(answer.shapes)},
        "in_a_circle": [place[key] for key in circle],
        "hidden": {"dags": answer.hidden[0], "runs": answer.hidden[1]},
        "unknown": [{"kind": one.kind, "text": one.text, "count": one.count} for one in sorted(answer.unknown)],
    }


def json_of(answer: BlastRadius) -> str:
    return json.dumps(data_of(answer), ensure_ascii=True)


def _run(answer: BlastRadius, key: RunKey) -> dict[str, Any]:
    run, tasks = answer.runs[key], answer.tasks[key]
    return {
        "dag_id": key.dag_id,
        "run_id": key.run_id,
        "run_type": run.run_type,
        "state": run.state,
        "logical_date": run.logical,
        "due": run.due,
        "start": run.started,
        "end": run.ended,
        "tasks": None if tasks is None else sorted(tasks),
    }


def _inside(answer: BlastRadius, dag_id: str) -> dict[str, Any]:
    """Return the edges inside the runs of a DAG: from a spoiled task to those directly after it."""
    shape = answer.shapes[dag_id]
    found: set[str] = set()
    for key, tasks in answer.tasks.items():
        if key.dag_id == dag_id:
            found |= shape.downstream.keys() if tasks is None else tasks
    return {"same_run": {task_id: list(shape.downstream.get(task_id, ())) for task_id in sorted(found)}}


def dot_of(answer: BlastRadius) -> str:
    """Return the answer as a graph for Graphviz: ``dot -Tsvg``. What is guessed is dashed; the start is bold."""
    order, circle = in_order(answer.runs, answer.edges)
    names = {key: f"r{number}" for number, key in enumerate([*order, *circle][:MOST_DRAWN])}
    lines = ["digraph blast_radius {", "  rankdir=LR;", "  node [shape=box];"]
    if len(answer.runs) > MOST_DRAWN:
        lines.append(f"  label={_quoted(f'the first {MOST_DRAWN:,} of {len(answer.runs):,} runs')};")
    start = set(answer.start)
    for key, name in names.items():
        run = answer.runs[key]
        label = _quoted(f"{key.dag_id}\n{moment(run.window)}\n{run.state}")
        lines.append(f"  {name} [label={label}{', style=bold' if key in start else ''}];")
    for edge in sorted(answer.edges):
        if edge.run in names and edge.to_run in names:
            style = ", style=dashed" if edge.guess else ""
            lines.append(f"  {names[edge.run]} -> {names[edge.to_run]} [label={_quoted(edge.how)}{style}];")
    return "\n".join([*lines, "}"])


def _quoted(text: str) -> str:
    shown = "".join(sign if sign.isprintable() or sign == "\n" else "?" for sign in text)
    return '"' + shown.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
