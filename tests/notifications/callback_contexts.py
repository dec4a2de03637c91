"""Contexts that Airflow gives to a task's callbacks."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

from airflow_agari_provider.airflow_compat import DAG, BaseOperator, timezone

RUN_ID = "scheduled__2016-02-26T18:00:00+00:00"


def context_of_task(state, **changes):
    with DAG("telemetry", schedule=None, start_date=timezone.datetime(2016, 2, 1)) as dag:
        task = BaseOperator(task_id="load", owner="ada")
    ti = SimpleNamespace(
        dag_id="telemetry", task_id="load", run_id=RUN_ID, map_index=3, try_number=2, state=state, task=task
    )
    run = SimpleNamespace(logical_date=datetime(2016, 2, 26, 18, tzinfo=UTC), run_id=RUN_ID)
    return {"dag": dag, "ti": ti, "dag_run": run, "run_id": RUN_ID, **changes}
