"""
The one place that knows Airflow 2.11 from Airflow 3.

Names come from the common.compat provider where it has them: it finds each at its home in the running Airflow.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote

from airflow import __version__ as airflow_version
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    AirflowPlugin,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseHook,
    BaseNotifier,
    BaseOperator,
    BaseOperatorLink,
    BaseSensorOperator,
    Context,
    Label,
    Param,
    PokeReturnValue,
    Stats,
    TaskDeferred,
    TaskGroup,
    TriggerRule,
    Variable,
    XCom,
    conf,
    mask_secret,
    task,
    timezone,
)
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_agari_provider.sla_miss.time_of_day import first_after

AIRFLOW_3 = not airflow_version.startswith("2.")
TRIGGERS_HAVE_ON_KILL = hasattr(BaseTrigger, "on_kill")  # 3.3; before, a trigger is cancelled and has to find out why
NOTIFIERS_TAKE_CONTEXT = "context" in inspect.signature(BaseNotifier.__init__).parameters  # 3.1

Result = TypeVar("Result")

try:
    from airflow.sdk import CronDataIntervalTimetable
except ImportError:  # before 3.2
    from airflow.timetables.interval import CronDataIntervalTimetable

__all__ = [
    "AIRFLOW_3",
    "DAG",
    "NOTIFIERS_TAKE_CONTEXT",
    "TRIGGERS_HAVE_ON_KILL",
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowPlugin",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "BaseHook",
    "BaseNotifier",
    "BaseOperator",
    "BaseOperatorLink",
    "BaseSensorOperator",
    "BaseTrigger",
    "Context",
    "CronDataIntervalTimetable",
    "Label",
    "Param",
    "PokeReturnValue",
    "RunNotCreated",
    "Stats",
    "TaskDeferred",
    "TaskGroup",
    "TimeOfDayDeadline",
    "TriggerEvent",
    "TriggerRule",
    "Variable",
    "XCom",
    "base_url",
    "conf",
    "deadline_alert",
    "default_deferrable",
    "in_thread",
    "is_deferred",
    "late_run",
    "mask_secret",
    "read_run",
    "task",
    "timezone",
    "web_url",
]


def default_deferrable() -> bool:
    """``[operators] default_deferrable`` of the running Airflow; read for signatures, as Airflow's own operators do."""
    return bool(conf.getboolean("operators", "default_deferrable", fallback=False))


async def in_thread(function: Callable[..., Result], *arguments: Any) -> Result:
    """
    Run a trigger's blocking call in a thread, from where it may ask Airflow for connections.

    Before 3.3 the triggerer of Airflow 3 only answers threads that asgiref started.
    """
    if AIRFLOW_3 and not TRIGGERS_HAVE_ON_KILL:
        from asgiref.sync import sync_to_async

        return await sync_to_async(function, thread_sensitive=False)(*arguments)
    return await asyncio.to_thread(function, *arguments)


def _session_of_its_own() -> Any:
    """
    On Airflow 2.11: a session for what is only read, to be closed.

    ``create_session`` gives the one that Airflow holds in this thread: an error in a callback, or its end, would take
    Airflow's own rows, such as recorded SLA misses, out of it.
    """
    from airflow import settings
    from sqlalchemy.orm import Session

    return Session(settings.engine)


def is_deferred(task_instance: Any) -> bool:
    """
    Whether a task is still deferred; blocks. For the triggers of Airflow before 3.3.

    A trigger that is cancelled while its task is deferred moves to another triggerer; otherwise somebody has killed or
    cleared the task.
    """
    ti = task_instance
    if AIRFLOW_3:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        states = RuntimeTaskInstance.get_task_states(
            dag_id=ti.dag_id, map_index=ti.map_index, task_ids=[ti.task_id], run_ids=[ti.run_id]
        )
        return "deferred" in states.get(ti.run_id, {}).values()
    from airflow.models.taskinstance import TaskInstance

    with _session_of_its_own() as session:
        this_one = {"dag_id": ti.dag_id, "task_id": ti.task_id, "run_id": ti.run_id, "map_index": ti.map_index}
        return bool(session.query(TaskInstance.state).filter_by(**this_one).scalar() == "deferred")


@dataclass(frozen=True)
class TimeOfDayDeadline:
    """
    Reference of Airflow 3.2's deadlines: the first such time of day after the run's planned start.

    The scheduler makes it again, from what it is serialized to, when it creates a run.

    :param by: such as ``06:00:00 Europe/Berlin``.
    """

    required_kwargs: ClassVar[set[str]] = {"dag_id", "run_id"}
    reference_name: ClassVar[str] = "TimeOfDayDeadline"
    by: str

    def serialize_reference(self) -> dict[str, str]:
        return {"reference_type": self.reference_name, "by": self.by}

    @classmethod
    def deserialize_reference(cls, reference: Mapping[str, str]) -> TimeOfDayDeadline:
        return cls(reference["by"])

    def _evaluate_with(self, *, session: Any, dag_id: str, run_id: str) -> datetime:
        from airflow.models.dagrun import DagRun

        (planned,) = session.query(DagRun.run_after).filter_by(dag_id=dag_id, run_id=run_id).one()
        return first_after(planned, self.by)


def deadline_alert(reference: str, interval: timedelta, callback: str, kwargs: dict[str, Any]) -> Any:
    """
    Airflow 3's deadline of a run, whose callback runs in the triggerer.

    :param reference: ``queued_at``, ``logical_date`` or a time of day; the interval counts from there.
    :param callback: dotted path of a coroutine function in an installed package.
    """
    from airflow.sdk.definitions.deadline import AsyncCallback, DeadlineAlert, DeadlineReference  # all there since 3.1

    references = {
        "queued_at": DeadlineReference.DAGRUN_QUEUED_AT,
        "logical_date": DeadlineReference.DAGRUN_LOGICAL_DATE,
    }
    if reference not in references and not hasattr(AirflowPlugin, "deadline_references"):
        raise ValueError(f"An SLA by a time of day ({reference}) needs Airflow 3.2; give a timedelta.")
    begin = references.get(reference) or TimeOfDayDeadline(reference)
    return DeadlineAlert(begin, interval, AsyncCallback(callback, kwargs=kwargs))


def read_run(dag_id: str, run_id: str) -> tuple[str, list[dict[str, Any]]]:
    """
    State of a run, and of each of its task instances; blocks. On Airflow 3 for tasks and triggers only.

    Airflow 3 tells ``key`` and ``state``, 2.11 ``task_id``, ``map_index``, ``state``, ``try_number`` and ``since``.
    """
    if AIRFLOW_3:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        states = RuntimeTaskInstance.get_task_states(dag_id=dag_id, run_ids=[run_id]).get(run_id, {})
        run_state = RuntimeTaskInstance.get_dagrun_state(dag_id, run_id)
        return str(run_state), [{"key": key, "state": state} for key, state in states.items()]
    from airflow.models.dagrun import DagRun

    with _session_of_its_own() as session:
        run = session.query(DagRun).filter_by(dag_id=dag_id, run_id=run_id).one()
        tasks = [
            {
                "task_id": ti.task_id,
                "map_index": ti.map_index,
                "state": str(ti.state) if ti.state else None,
                "try_number": ti.try_number,
                "since": ti.start_date,
            }
            for ti in run.get_task_instances(session=session)
        ]
        return str(run.state), tasks


class RunNotCreated(AirflowException):
    """The run that a recorded SLA miss is about may still be created."""


def late_run(dag: Any, recorded: datetime) -> Mapping[str, Any] | None:
    """
    On Airflow 2.11: the run that a recorded SLA miss is about; ``None`` if there will never be one.

    2.11 records a miss under the logical date of the run after the late one, and may do so before the late one exists:
    its check does not wait for the scheduler, nor for ``max_active_runs``.

    :param recorded: ``execution_date`` of the ``SlaMiss``.
    :return: ``run_id``, ``logical_date``, ``run_type``, and ``planned``: the end of its data interval.
    :raises RunNotCreated: it is not there yet, and nor is any run after it.
    """
    from airflow.models.dagrun import DagRun

    with _session_of_its_own() as session:
        automatic = session.query(DagRun).filter(
            DagRun.dag_id == dag.dag_id, DagRun.run_type.in_(("scheduled", "backfill"))
        )
        run = automatic.filter(DagRun.execution_date < recorded).order_by(DagRun.execution_date.desc()).first()
        if run is not None:
            interval = dag.get_run_data_interval(run)
            following = dag.next_dagrun_info(interval, restricted=False)
            if following is not None and following.logical_date == recorded:
                found = {"run_id": run.run_id, "logical_date": run.execution_date, "run_type": str(run.run_type)}
                return {**found, "planned": interval.end}
        if automatic.filter(DagRun.execution_date >= recorded).first() is None:
            raise RunNotCreated(f"{dag.dag_id} has no run before {recorded} yet.")
        return None  # runs are created one after the other: this one was skipped, as after a pause without catchup


def base_url() -> tuple[str, str]:
    """Address of the web pages, without a slash at its end, and the name of the option it comes from."""
    section = "api" if AIRFLOW_3 else "webserver"
    return conf.get(section, "base_url", fallback="http://localhost:8080").rstrip("/"), f"[{section}] base_url"


def web_url(dag_id: str, run_id: str, task_id: str | None = None, map_index: int = -1, try_number: int = 0) -> str:
    """Address of the page of a run, or of a task instance in it."""
    base, _ = base_url()
    run = quote(run_id, safe="")
    if AIRFLOW_3:
        task = f"/tasks/{task_id}" if task_id else ""
        mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
        return f"{base}/dags/{dag_id}/runs/{run}{task}{mapped}" + (f"?try_number={try_number}" if try_number else "")
    task = f"&task_id={task_id}&tab=logs" if task_id else ""
    mapped = f"&map_index={map_index}" if map_index >= 0 else ""
    return f"{base}/dags/{dag_id}/grid?dag_run_id={run}{task}{mapped}"
