"""Which tasks come after which, as the newest version of a DAG has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from airflow_agari_provider.charts.rows import TaskFacts


def downstream(tasks: Sequence[str], facts: Mapping[str, TaskFacts]) -> list[list[int]]:
    """
    Return for each of the tasks the indexes of those of them that come next.

    A task that is not among them, as it never started, is passed over: what comes after it comes next.

    :param facts: what the DAG says about its tasks; a task that was removed from it has none, and nothing after it.
    """
    at = {task: index for index, task in enumerate(tasks)}
    return [sorted(set(_next(task, at, facts))) for task in tasks]


def _next(task: str, known: Mapping[str, int], facts: Mapping[str, TaskFacts]) -> Iterator[int]:
    seen: set[str] = set()
    ahead = list(facts[task].downstream) if task in facts else []
    while ahead:
        other = ahead.pop()
        if other in seen:
            continue
        seen.add(other)
        if other in known:
            yield known[other]
        elif other in facts:
            ahead += facts[other].downstream
