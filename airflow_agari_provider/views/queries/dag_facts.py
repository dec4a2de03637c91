"""Facts about a DAG other than its tries: whether it exists, its runs' deadlines, what its file says about tasks."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from airflow_agari_provider.alerts.sla import Watch
from airflow_agari_provider.charts.rows import RunRow, TaskFacts
from airflow_agari_provider.slas.deadline_callback import ON_DEADLINE
from airflow_agari_provider.views.queries.tables import (
    DAG,
    DEADLINE,
    DEADLINE_ALERT,
    LOGICAL_DATE,
    MISSED,
    RUN,
    SERIALIZED,
    SLA_MISS,
    VERSION,
    dialect,
    epoch,
)

IN_TRIGGER = "start_from_trigger"  # Airflow's name for a task that begins in the triggerer
QUEUED = "DagRunQueuedAtDeadline"  # Airflow's name for the moment from which an SLA counts by default


def dag_exists(session: Any, dag_id: str) -> bool:
    return session.execute(sa.select(DAG.c.dag_id).where(DAG.c.dag_id == dag_id)).first() is not None


def display_name(session: Any, dag_id: str) -> str:
    """Return what Airflow shows instead of the DAG's id, or the id."""
    return session.execute(sa.select(DAG.c.dag_display_name).where(DAG.c.dag_id == dag_id)).scalar() or dag_id


def deadlines(session: Any, dag_id: str, runs: Sequence[RunRow]) -> dict[int, tuple[float | None, bool]]:
    """
    Return for the id of each run its earliest deadline, and whether it missed a deadline.

    Airflow 3 deletes the deadlines that a run met. Airflow 2 has no deadlines for runs; there, missed means that a task
    of the run missed its SLA.
    """
    if not runs:
        return {}
    if DEADLINE is not None:  # MISSED is set, too
        time = epoch(sa.func.min(DEADLINE.c.deadline_time), dialect(session))
        missed = sa.func.max(sa.case((MISSED, 1), else_=0))
        query = sa.select(DEADLINE.c.dagrun_id, time, missed).where(DEADLINE.c.dagrun_id.in_([run.id for run in runs]))
        rows = session.execute(query.group_by(DEADLINE.c.dagrun_id))
        return {row[0]: (row[1], bool(row[2])) for row in rows}
    if SLA_MISS is None:
        return {}
    dates = (SLA_MISS.c.dag_id == RUN.c.dag_id, SLA_MISS.c.execution_date == LOGICAL_DATE)
    query = sa.select(RUN.c.id).where(RUN.c.dag_id == dag_id, RUN.c.run_id.in_([run.run_id for run in runs]), *dates)
    return dict.fromkeys(session.execute(query.distinct()).scalars(), (None, True))


def task_facts(session: Any, dag_id: str) -> dict[str, TaskFacts]:
    """Return for each task what the newest version of the DAG's file says about it."""
    query = sa.select(SERIALIZED)
    if VERSION is None:
        query = query.where(SERIALIZED.c.dag_id == dag_id)
    else:
        newest = sa.select(VERSION.c.id).where(VERSION.c.dag_id == dag_id).order_by(VERSION.c.version_number.desc())
        query = query.where(SERIALIZED.c.dag_version_id == newest.limit(1).scalar_subquery())
    row = session.execute(query).first()
    if row is None:
        return {}
    data = json.loads(zlib.decompress(row.data_compressed)) if row.data is None else row.data
    dag = (json.loads(data) if isinstance(data, str) else data)["dag"]
    slas = _slas_of_deadlines(_deadline_alerts(session, dag, row))
    return dict(_task_fact(task.get("__var", task), slas) for task in dag["tasks"])


def begin_in_triggers(session: Any, dag_id: str) -> set[str]:
    """Return the tasks that begin in the triggerer."""
    return {task_id for task_id, facts in task_facts(session, dag_id).items() if facts.in_trigger}


def _deadline_alerts(session: Any, dag: Any, row: Any) -> list[tuple[Any, Any]]:
    """Return each deadline's reference and callback: Airflow 3.1 has them in the DAG, later versions in a table."""
    if DEADLINE_ALERT is None:
        alerts = [alert.get("__var", alert) for alert in dag.get("deadline") or []]
        return [(alert["reference"], alert["callback"]) for alert in alerts]
    columns = DEADLINE_ALERT.c.reference, DEADLINE_ALERT.c.callback_def
    return [
        tuple(one) for one in session.execute(sa.select(*columns).where(DEADLINE_ALERT.c.serialized_dag_id == row.id))
    ]


def _slas_of_deadlines(alerts: Iterable[tuple[Any, Any]]) -> dict[str | None, float]:
    """
    Return for each task its SLA in seconds after the run was queued.

    Airflow 3 has no SLAs: ``set_slas`` stores them in the arguments of its deadline callback.
    """
    slas: dict[str | None, float] = {}
    for reference, callback in alerts:
        called = callback.get("__data__", {})
        if called.get("path") == ON_DEADLINE and reference.get("reference_type") == QUEUED:
            watch = Watch.from_json(called["kwargs"]["watch"])
            slas[watch.task_id] = watch.sla
    return slas


def _task_fact(task: Any, slas: Mapping[str | None, float]) -> tuple[str, TaskFacts]:
    sla = task.get("sla", slas.get(task["task_id"]))
    sla = sla.get("__var") if isinstance(sla, dict) else sla
    reschedules = task.get("reschedule") is True or task.get("partial_kwargs", {}).get("mode") == "reschedule"
    mapped = bool(task.get("_is_mapped"))
    shown = {**task.get("partial_kwargs", {}), **task}
    name = shown.get("_task_display_name") or shown.get("task_display_name")
    # 2.11 has an argument of a mapped task only in partial_kwargs, and the class's own value beside it
    in_trigger = bool(task.get("partial_kwargs", {}).get(IN_TRIGGER) or task.get(IN_TRIGGER))
    in_trigger &= mapped or task.get("start_trigger_args") is not None
    downstream = tuple(sorted(task.get("downstream_task_ids", ())))
    facts = TaskFacts(sla if isinstance(sla, int | float) else None, reschedules, mapped, name, in_trigger, downstream)
    return str(task["task_id"]), facts
