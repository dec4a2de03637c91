"""How Airflow calls the callbacks of SLAs: with a deadline that has passed, a success, or a recorded miss."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from airflow_agari_provider.alerts.sla import Run
from airflow_agari_provider.notifications.slack_sla_miss import SlackSlaMissNotifier
from airflow_agari_provider.notifications.victorops_sla_miss import VictorOpsSlaMissNotifier
from airflow_agari_provider.slas.deadline_callback import on_deadline
from airflow_agari_provider.slas.recovery_callback import OnSuccess

RUN_ID = "scheduled__2016-02-26T18:00:00+00:00"
DATE = datetime(2016, 2, 26, 18, tzinfo=UTC)
RUN = Run("telemetry", RUN_ID, DATE)
MISSED = "EP_STAGE - telemetry SLA Miss for task load on 2016-02-26T18:00:00"
RECOVERED = "EP_STAGE - telemetry SLA Miss recovered for task load on 2016-02-26T18:00:00"
SLACK = SlackSlaMissNotifier(slack_conn_id="slack_api", channel="C012AB3CD")
WEBHOOK = SlackSlaMissNotifier(slack_conn_id="slack_hook")
VICTOROPS = VictorOpsSlaMissNotifier(victorops_conn_id="victorops")


def context(deadline="1", run_type="scheduled"):
    return {
        "dag_run": {
            "dag_id": "telemetry",
            "dag_run_id": RUN_ID,
            "logical_date": "2016-02-26T18:00:00Z",
            "run_type": run_type,
        },
        "deadline": {"id": deadline, "deadline_time": datetime.now(UTC) - timedelta(seconds=2)},
    }


def as_object(told):
    """The same context with objects in place of dicts, as Airflow's next version gives it."""
    run = {("run_id" if name == "dag_run_id" else name): value for name, value in told["dag_run"].items()}
    run |= {"logical_date": DATE, "run_type": SimpleNamespace(value=run["run_type"])}
    return {"dag_run": SimpleNamespace(**run), "deadline": SimpleNamespace(**told["deadline"])}


def missed(watch, **changes):
    return json.loads(asyncio.run(on_deadline(watch.to_json(), context(**changes))))


def succeeded(watch, map_index=-1, start=DATE, task_id="load", **facts):
    ti = SimpleNamespace(dag_id="telemetry", task_id=task_id, run_id=RUN_ID, map_index=map_index)
    run = SimpleNamespace(**{"logical_date": DATE, "start_date": start, "run_after": start, **facts})
    OnSuccess(watch)({"ti": ti, "dag_run": run})


def recorded(minutes_ago, task_id="load"):
    """A miss of an SLA of half an hour, found when that was over."""
    planned = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    return SimpleNamespace(
        task_id=task_id, execution_date=planned, timestamp=planned + timedelta(minutes=30), description=None
    )
