"""The answer as text: a tree of runs, then what is not known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from airflow_agari_provider.blast_radius.graph import BlastRadius, Edge, Run, RunKey
from airflow_agari_provider.exceptions import cut

MOST_LINES = 2_000  # of the tree
MOST_DEPTH = 40  # steps to the right; deeper ones stay in this column
NAME_CHARACTERS = 250  # of a DAG, task or run; Airflow's own limit


def text_of(answer: BlastRadius) -> str:
    """
    Return the answer for people.

    A run stands once in the tree, below the first run that fed it. Where another run fed it too, a line refers to it.
    """
    dags = Counter(key.dag_id for key in answer.runs)
    fed = len(answer.runs) - len(answer.start)
    lines = [
        f"{_runs(len(answer.start))} fed {_runs(fed)}" if answer.start else "There is no run to begin with.",
        *(f"  {_clean(dag_id)}: {_runs(count)}" for dag_id, count in sorted(dags.items())),
        "",
    ]
    for number, line in enumerate(_tree(answer)):
        if number == MOST_LINES:
            lines.append(f"... and more; --output json has all {len(answer.runs):,} runs.")
            break
        lines.append(line)
    if answer.unknown:
        lines += ["", "Not known:"]
        lines += [f"  {one.kind}: {_clean(one.text, 2_000)}" for one in sorted(answer.unknown)]
    else:
        lines += ["", "Nothing is unknown: every edge is recorded."]
    return "\n".join(lines)


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count:,} runs"


def _tree(answer: BlastRadius) -> Iterator[str]:
    """Give the lines. It keeps a list of its own: a way through the graph may be longer than Python's stack."""
    following: dict[RunKey, list[Edge]] = {}
    for edge in answer.edges:
        following.setdefault(edge.run, []).append(edge)
    shown: set[RunKey] = set(answer.start)
    todo: list[tuple[int, RunKey, str, bool]] = [(0, key, "", True) for key in reversed(answer.start)]
    while todo:
        depth, key, because, first = todo.pop()
        yield _line(answer, depth, key, because, first)
        if not first:
            continue
        for to_run, edges in reversed(_by_target(following.get(key, []), answer.runs)):
            is_first = to_run not in shown
            shown.add(to_run)
            todo.append((depth + 1, to_run, _because(edges), is_first))


def _by_target(edges: list[Edge], runs: Mapping[RunKey, Run]) -> list[tuple[RunKey, list[Edge]]]:
    found: dict[RunKey, list[Edge]] = {}
    for edge in edges:
        found.setdefault(edge.to_run, []).append(edge)
    return sorted(found.items(), key=lambda item: (runs[item[0]].window, item[0]))


def _because(edges: list[Edge]) -> str:
    """Say how an edge is known; several of the same kind are one."""
    found = dict.fromkeys(
        f"{edge.how} {_clean(edge.what)}".strip() + (" (a guess)" if edge.guess else "") for edge in edges
    )
    return cut(", ".join(found), NAME_CHARACTERS)


def _line(answer: BlastRadius, depth: int, key: RunKey, because: str, first: bool) -> str:
    run, tasks = answer.runs[key], answer.tasks[key]
    shape = answer.shapes.get(key.dag_id)
    indent = "  " * min(depth, MOST_DEPTH)
    begin = f"{indent}{'-> ' if depth else ''}{moment(run.window)}  {_clean(key.dag_id)}  {_clean(key.run_id)}"
    if not first:
        return f"{begin}  [{because}] see above"
    part = "" if tasks is None or (shape and len(tasks) == len(shape.downstream)) else f"  {_part(tasks)}"
    ended = f", ended {moment(run.ended)}" if run.ended is not None else ""
    return f"{begin}  {_clean(run.state)}{ended}{part}" + (f"  [{because}]" if because else "")


def _part(tasks: frozenset[str]) -> str:
    return cut("tasks: " + ", ".join(map(_clean, sorted(tasks))), NAME_CHARACTERS)


def moment(seconds: float) -> str:
    """Return a time in UTC, with seconds only where it has some. SQLite's times are wrong by up to 0.1 milliseconds."""
    whole = round(seconds)
    return datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%d %H:%M:%S UTC" if whole % 60 else "%Y-%m-%d %H:%M UTC")


def _clean(text: str, limit: int = NAME_CHARACTERS) -> str:
    """Return a text without line breaks and what steers a terminal, which names in a database may have."""
    return cut("".join(sign if sign.isprintable() else "?" for sign in text), limit)
