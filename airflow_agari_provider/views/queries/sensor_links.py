"""Which runs waited for these, by ExternalTaskSensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_agari_provider.blast_radius.dag_shape import DagShape, Sensor
from airflow_agari_provider.blast_radius.graph import Edge, Found, Reached, Run, Unknown
from airflow_agari_provider.blast_radius.sensor_offset import sensor_offset
from airflow_agari_provider.views.queries.linked_runs import runs_dated
from airflow_agari_provider.views.queries.stored_dags import StoredDags
from airflow_agari_provider.views.queries.task_links import purged


def sensor_links(session: Any, level: Sequence[Reached], dags: StoredDags) -> Found:
    """
    Return the runs with sensors that wait for these runs.

    Airflow stores no such wait: it follows from the dates of the runs, and from how far back the sensor looks, which
    the DAG's file tells. Where the file does not tell it, the same date is assumed.
    """
    found = Found()
    by_dag: dict[str, list[Reached]] = {}
    for one in level:
        by_dag.setdefault(one.run.key.dag_id, []).append(one)
    for shape in dags.waiting():
        for sensor in shape.sensors:
            if sensor.dag_id is None:
                found.unknown.append(_by_template(shape, sensor))
                continue
            spoiled = [one for one in by_dag.get(sensor.dag_id, ()) if sensor.waits_for(one.tasks, one.shape)]
            dated = [one.run for one in spoiled if one.run.logical is not None]
            if dated:
                found.add(_of_sensor(session, dated, shape, sensor, dags))
    return found


def _of_sensor(session: Any, runs: Sequence[Run], shape: DagShape, sensor: Sensor, dags: StoredDags) -> Found:
    found = Found()
    offset = sensor_offset(dags.source(shape.dag_id), sensor.task_id)
    if offset is None:
        text = (
            f"Which runs sensor {sensor.task_id} of DAG {shape.dag_id} waits for is not stored: its file has an "
            "execution_delta or execution_date_fn that is no plain timedelta. Runs of the same date are assumed."
        )
        found.unknown.append(Unknown("guess", text, (shape.dag_id,), len(runs)))
    waiting = {run.window + (offset or 0.0): run for run in runs}
    those = runs_dated(session, shape.dag_id, waiting)
    task = _waited_task(sensor)
    for date, run in waiting.items():
        if other := those.get(date):
            found.runs[other.key] = other
            edge = Edge(run.key, task, other.key, sensor.task_id, "sensor", sensor.task_id, guess=offset is None)
            found.edges.append(edge)
    lacking = [date for date in waiting if date not in those]
    found.unknown += purged(session, {shape.dag_id: lacking} if lacking else {})
    return found


def _waited_task(sensor: Sensor) -> str:
    """Return the task that it waits for, if that is one; else it waits for several or for the run."""
    return next(iter(sensor.tasks)) if len(sensor.tasks) == 1 else ""


def _by_template(shape: DagShape, sensor: Sensor) -> Unknown:
    text = (
        f"Sensor {sensor.task_id} of DAG {shape.dag_id} waits for a DAG that only its runs know: a template names it."
    )
    return Unknown("no_link", text, (shape.dag_id,))
