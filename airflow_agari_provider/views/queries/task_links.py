"""Which runs tasks triggered or named: TriggerDagRunOperator, ExternalTaskMarker, and declared edges."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from airflow_agari_provider.blast_radius.feeds import Feeds
from airflow_agari_provider.blast_radius.graph import Edge, Found, Reached, Run, RunKey, Unknown
from airflow_agari_provider.views.queries.linked_runs import (
    among,
    oldest_windows,
    runs_dated,
    runs_named,
    runs_of_window,
)
from airflow_agari_provider.views.queries.tables import INSTANCE, RENDERED, XCOM

TRIGGERED = "trigger_run_id"  # key below which Airflow's operator keeps the id of the run that it triggered
MOST_FED = 20_000  # runs of a declared edge
TaskOf = tuple[RunKey, str]  # a task of a run; of a mapped task, all indexes


def tasks_with(level: Sequence[Reached], of_shape: str) -> Iterator[tuple[Reached, Any]]:
    """Give each spoiled task that reaches into another DAG. :param of_shape: ``triggers`` or ``markers``."""
    for one in level:
        for task in getattr(one.shape, of_shape, ()):
            if one.covers(task.task_id):
                yield one, task


def trigger_links(session: Any, level: Sequence[Reached]) -> Found:
    """Return the runs that tasks triggered, by the id that the task kept in XCom."""
    found = Found()
    asked = {(one.run.key, trigger.task_id): trigger for one, trigger in tasks_with(level, "triggers")}
    if not asked:
        return found
    kept = _kept_runs(session, asked)
    by_template = [place for place, trigger in asked.items() if trigger.dag_id is None and place in kept]
    rendered = _rendered(session, by_template, "trigger_dag_id")
    named: dict[tuple[TaskOf, str], set[RunKey]] = {}
    nameless: Counter[tuple[str, str]] = Counter(
        (run.dag_id, task_id) for run, task_id in _ran(session, [place for place in asked if place not in kept])
    )
    for place, run_ids in kept.items():
        dag_id = asked[place].dag_id
        dag_ids = {dag_id} if dag_id else rendered.get(place, set())
        nameless[place[0].dag_id, place[1]] += not dag_ids
        named |= {(place, run_id): {RunKey(other, run_id) for other in dag_ids} for run_id in run_ids if dag_ids}
    there = runs_named(session, set().union(*named.values()))
    for ((run, task_id), run_id), keys in named.items():
        triggered = [there[key] for key in sorted(keys) if key in there]
        found.runs |= {other.key: other for other in triggered}
        found.edges += [Edge(run, task_id, other.key, "", "trigger", task_id) for other in triggered]
        if not triggered:
            gone = sorted(key.dag_id for key in keys)
            text = f"Run {run_id} of DAG {', '.join(gone)} is gone; task {task_id} of DAG {run.dag_id} triggered it."
            found.unknown.append(Unknown("no_run", text, (run.dag_id, *gone)))
    for (dag_id, task_id), count in (+nameless).items():
        text = f"Task {task_id} of DAG {dag_id} triggered runs, and which is not recorded any more: its XComs are gone."
        found.unknown.append(Unknown("no_link", text, (dag_id,), count))
    return found


def _of_tasks(
    session: Any, table: Any, places: Collection[TaskOf], columns: Sequence[Any], *more: Any
) -> Iterator[Any]:
    """Give the rows that a table has of these tasks; the first three columns name the task of a run."""
    wanted = set(places)
    task_ids = sorted({task_id for _, task_id in wanted})
    key = [table.c.dag_id, table.c.run_id, table.c.task_id]
    for condition in among(table, {run for run, _ in wanted}):
        query = sa.select(*key, *columns).where(condition, table.c.task_id.in_(task_ids), *more)
        for dag_id, run_id, task_id, *values in session.execute(query):
            place = RunKey(dag_id, run_id), task_id
            if place in wanted:
                yield place, *values


def _kept_runs(session: Any, places: Collection[TaskOf]) -> dict[TaskOf, set[str]]:
    found: dict[TaskOf, set[str]] = {}
    for place, value in _of_tasks(session, XCOM, places, [XCOM.c.value], XCOM.c.key == TRIGGERED):
        if run_id := _plain(value):
            found.setdefault(place, set()).add(run_id)
    return found


def _plain(value: Any) -> str | None:
    """Return a kept text: 2.11 keeps bytes of JSON, Airflow 3 JSON in JSON."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    try:
        read = json.loads(text) if isinstance(text, str) and text.startswith('"') else text
    except ValueError:
        return None
    return read if isinstance(read, str) else None


def _rendered(session: Any, places: Collection[TaskOf], *arguments: str) -> dict[TaskOf, set[str]]:
    """
    Return what an argument was, by task of a run; of several names, the first that the task has.

    Airflow keeps it for the last runs of a task only.
    """
    found: dict[TaskOf, set[str]] = {}
    for place, fields in _of_tasks(session, RENDERED, places, [RENDERED.c.rendered_fields]):
        values = json.loads(fields) if isinstance(fields, str) else fields or {}
        value = next((values[name] for name in arguments if name in values), None)
        if isinstance(value, str):
            found.setdefault(place, set()).add(value)
    return found


def _ran(session: Any, places: Collection[TaskOf]) -> set[TaskOf]:
    """Return those of the tasks that have succeeded: they have done what they do."""
    return {place for (place,) in _of_tasks(session, INSTANCE, places, [], INSTANCE.c.state == "success")}


def marker_links(session: Any, level: Sequence[Reached]) -> Found:
    """Return the tasks that markers name, of the runs with the date that the marker names."""
    found = Found()
    markers = list(tasks_with(level, "markers"))
    others = [(one.run.key, marker.task_id) for one, marker in markers if not marker.same_date]
    rendered = _rendered(session, others, "logical_date", "execution_date")
    dates: dict[tuple[str, float], list[tuple[RunKey, Any]]] = {}
    nameless: Counter[tuple[str, str]] = Counter()
    for one, marker in markers:
        place = one.run.key, marker.task_id
        named = {one.run.logical} if marker.same_date else set(map(_date, rendered.get(place, ())))
        if marker.dag_id is None or marker.to_task is None or not named:
            nameless[one.run.key.dag_id, marker.task_id] += 1
            continue
        for date in named:
            if date is not None:
                dates.setdefault((marker.dag_id, date), []).append((one.run.key, marker))
    for (dag_id, task_id), count in nameless.items():
        text = f"Task {task_id} of DAG {dag_id} marks a task of another DAG, and which run that is, is not recorded."
        found.unknown.append(Unknown("no_link", text, (dag_id,), count))
    lacking: dict[str, list[float]] = {}
    for dag_id, runs in _dated(session, dates).items():
        for date in [date for other, date in dates if other == dag_id]:
            if (run := runs.get(date)) is None:
                lacking.setdefault(dag_id, []).append(date)
                continue
            found.runs[run.key] = run
            found.edges += [
                Edge(source, marker.task_id, run.key, marker.to_task, "marker", marker.task_id)
                for source, marker in dates[dag_id, date]
            ]
    found.unknown += purged(session, lacking)
    return found


def _dated(session: Any, dates: Iterable[tuple[str, float]]) -> dict[str, dict[float, Run]]:
    by_dag: dict[str, set[float]] = {}
    for dag_id, date in dates:
        by_dag.setdefault(dag_id, set()).add(date)
    return {dag_id: runs_dated(session, dag_id, wanted) for dag_id, wanted in by_dag.items()}


def _date(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def purged(session: Any, lacking: dict[str, list[float]]) -> list[Unknown]:
    """
    Return the DAGs that lack runs because their history does not go back so far.

    A DAG that has older runs lacks none: it has no run of that date, as a daily DAG has none of most hours.

    :param lacking: for each DAG, dates of which it has no run.
    """
    oldest = oldest_windows(session, lacking) if lacking else {}
    found = []
    for dag_id, dates in sorted(lacking.items()):
        count = sum(1 for date in dates if date < oldest.get(dag_id, float("inf")))
        if count:
            text = f"DAG {dag_id} has no runs of that time any more, nor any older ones: its history was purged, or it "
            found.append(Unknown("purged", f"{text}did not exist then.", (dag_id,), count))
    return found


def feeds_links(session: Any, level: Sequence[Reached]) -> Found:
    """Return the runs that somebody declared to read what these runs wrote."""
    found = Found()
    declared: dict[str, list[tuple[Run, str, Feeds]]] = {}
    for one in level:
        for task_id, feeds in (one.shape.feeds if one.shape else {}).items():
            if one.covers(task_id):
                for feed in feeds:
                    declared.setdefault(feed.dag, []).append((one.run, task_id, feed))
    for dag_id, edges in declared.items():
        spans = [feed.span(run.window) for run, _, feed in edges]
        since, until = min(begin for begin, _ in spans), max(end for _, end in spans)
        fed = runs_of_window(session, dag_id, since, until, MOST_FED + 1)
        fed += [] if since == until else runs_of_window(session, dag_id, until, until, MOST_FED)
        if len(fed) > MOST_FED:
            text = f"More than {MOST_FED:,} runs of DAG {dag_id} are declared to be fed. Ask for a shorter window."
            found.unknown.append(Unknown("too_many", text, (dag_id,)))
        lacking = []
        for (run, task_id, feed), (begin, end) in zip(edges, spans, strict=True):
            own = [other for other in fed if other.window == begin or begin <= other.window < end]
            own = [other for other in own if other.key != run.key]
            found.runs |= {other.key: other for other in own}
            found.edges += [Edge(run.key, task_id, other.key, "", "declared", feed.what) for other in own]
            lacking += [] if own else [begin]
        found.unknown += purged(session, {dag_id: lacking} if lacking else {})
    return found
