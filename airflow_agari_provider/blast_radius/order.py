"""In which order runs are to be run again, and which of them wait for each other in a circle."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from airflow_agari_provider.blast_radius.graph import Edge, Run, RunKey

MOST_CYCLES = 20  # that are shown; there may be many ways round between the same few DAGs


def in_order(runs: Mapping[RunKey, Run], edges: Iterable[Edge]) -> tuple[list[RunKey], list[RunKey]]:
    """
    Return the runs so that each comes after all that fed it, the earliest window first.

    :return: the runs in order; and those that wait for each other in a circle, or for such a run, by window.
    """
    feeds: dict[RunKey, set[RunKey]] = {key: set() for key in runs}
    waits = dict.fromkeys(runs, 0)
    for edge in edges:
        if edge.to_run not in feeds[edge.run]:
            feeds[edge.run].add(edge.to_run)
            waits[edge.to_run] += 1
    ready = [(runs[key].window, key) for key, count in waits.items() if not count]
    heapq.heapify(ready)
    order: list[RunKey] = []
    while ready:
        _, key = heapq.heappop(ready)
        order.append(key)
        for following in feeds[key]:
            waits[following] -= 1
            if not waits[following]:
                heapq.heappush(ready, (runs[following].window, following))
    left = sorted(runs.keys() - set(order), key=lambda key: (runs[key].window, key))
    return order, left


def dag_cycles(edges: Iterable[Edge]) -> Iterator[tuple[str, ...]]:
    """
    Return DAGs that feed each other in a circle, each circle from its first name on; at most twenty.

    Their runs need not: the next run of a DAG may be fed by the last run of the other.
    """
    fed_by: dict[str, set[str]] = {}
    for edge in edges:
        fed_by.setdefault(edge.to_run.dag_id, set()).add(edge.run.dag_id)
    for _ in range(MOST_CYCLES):
        try:
            TopologicalSorter({dag_id: sorted(others) for dag_id, others in sorted(fed_by.items())}).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1][:-1]  # each feeds the next; the first stands at the end too
        else:
            return
        fed_by[circle[0]].discard(circle[-1])  # so that the next one is found
        first = circle.index(min(circle))
        yield (*circle[first:], *circle[:first])
