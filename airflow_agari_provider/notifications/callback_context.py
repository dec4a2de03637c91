"""Read what Airflow tells a callback, of any kind, as SLA misses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from airflow_agari_provider.airflow_runs import (
    RunNotCreated,
    late_run,
    link,
    run_date,
    tasks_of_run,
)
from airflow_agari_provider.alerts.context_facts import told_moment, told_run
from airflow_agari_provider.alerts.miss import Event, Scope, SlaMiss, TaskInState, date_text
from airflow_agari_provider.alerts.task_states import blocking_tasks, standing_of

_EVENTS: Mapping[str, Event] = {
    "failed": "failure",
    "up_for_retry": "retry",
    "success": "success",
    "running": "start",
}


def misses_of(context: Mapping[str, Any], environment: str, scope: Scope) -> Iterator[SlaMiss]:
    """
    Read the misses of a callback's context.

    :param context: context of an ``sla_miss_callback`` of Airflow 2.11, of a deadline of Airflow 3, of a task's
        callback, or of a DAG's callback.
    """
    if "slas" in context:
        yield from _of_slas(context, environment, scope)
    elif "deadline" in context:
        yield _of_deadline(context, environment, scope)
    else:
        yield _of_callback(context, environment, scope)


def _of_slas(context: Mapping[str, Any], environment: str, scope: Scope) -> Iterator[SlaMiss]:
    dag = context["dag"]
    for recorded in list(context["slas"]):
        try:
            run = late_run(dag, recorded.execution_date)
        except RunNotCreated:
            context["slas"].remove(recorded)  # Airflow shows it again at its next check
            continue
        if run is None:
            continue
        run_state, tasks = tasks_of_run(dag.dag_id, run["run_id"])
        task = dag.get_task(recorded.task_id)
        own = next((found for found in tasks if found.task_id == task.task_id), TaskInState(task.task_id, None))
        yield SlaMiss(
            dag_id=dag.dag_id,
            run_id=run["run_id"],
            task_id=task.task_id,
            date=date_text(run["logical_date"]),
            standing=standing_of(tasks, run_state, task.task_id),
            environment=environment,
            due=run["planned"] + task.sla if task.sla else None,
            at=datetime.now(UTC),
            owner=task.owner,
            blocking=blocking_tasks(tasks, {task.task_id, *task.get_flat_relative_ids(upstream=True)}),
            run_url=link(dag.dag_id, run["run_id"]),
            task_url=link(dag.dag_id, run["run_id"], own),
            scope=scope,
        )


def _of_deadline(context: Mapping[str, Any], environment: str, scope: Scope) -> SlaMiss:
    dag_id, run_id = told_run(context)
    run_state, tasks = tasks_of_run(dag_id, run_id)
    standing, blocking = standing_of(tasks, run_state, None), blocking_tasks(tasks, None)
    return replace(unknown_miss(context, environment, scope), standing=standing, blocking=blocking)


def unknown_miss(context: Mapping[str, Any], environment: str, scope: Scope) -> SlaMiss:
    """Return the miss of a deadline of which no more is known than what its context tells."""
    dag_id, run_id = told_run(context)
    return SlaMiss(
        dag_id=dag_id or "unknown DAG",
        run_id=run_id or "unknown run",
        task_id=None,
        date=date_text(run_date(context.get("dag_run")) or datetime.now(UTC)),
        standing="perhaps late",
        environment=environment,
        due=told_moment(context.get("deadline"), "deadline_time"),
        at=datetime.now(UTC),
        run_url=link(dag_id, run_id) if run_id else "",
        scope=scope,
    )


def _of_callback(context: Mapping[str, Any], environment: str, scope: Scope) -> SlaMiss:
    ti = context.get("ti")
    dag_id, run_id = told_run(context)
    date = run_date(context.get("dag_run"))
    facts: dict[str, Any] = {
        "dag_id": dag_id,
        "run_id": run_id,
        "date": date_text(date) if date else run_id,
        "environment": environment,
        "at": datetime.now(UTC),
        "run_url": link(dag_id, run_id),
        "scope": scope,
    }
    reason = context.get("reason")  # only callbacks of a DAG have it
    if reason is not None or ti is None:
        event: Event = "success" if reason == "success" else "failure"
        return SlaMiss(task_id=None, event=event, standing="late" if event == "success" else "failed", **facts)
    map_index = getattr(ti, "map_index", -1)
    own = TaskInState(ti.task_id, str(ti.state), -1 if map_index is None else map_index, ti.try_number)
    event = _EVENTS.get(str(ti.state), "failure")
    return SlaMiss(
        task_id=own.task_id,
        event=event,
        standing="failed" if event == "failure" else "late",
        owner=getattr(ti.task, "owner", ""),
        task_url=link(dag_id, run_id, own),
        **facts,
    )
