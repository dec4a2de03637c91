"""
The one place that knows Airflow 2.11 from Airflow 3.

Names come from the common.compat provider where it has them: it finds each at its home in the running Airflow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from airflow import __version__ as airflow_version
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowException,
    AirflowFailException,
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
    TaskDeferred,
    TaskGroup,
    TriggerRule,
    Variable,
    XCom,
    conf,
    task,
    timezone,
)
from airflow.triggers.base import BaseTrigger, TriggerEvent

AIRFLOW_3 = not airflow_version.startswith("2.")
TRIGGERS_HAVE_ON_KILL = hasattr(BaseTrigger, "on_kill")  # 3.3; before, a trigger is cancelled and has to find out why

Result = TypeVar("Result")

if AIRFLOW_3:
    from airflow.sdk import CronDataIntervalTimetable
else:
    from airflow.timetables.interval import CronDataIntervalTimetable

__all__ = [
    "AIRFLOW_3",
    "DAG",
    "TRIGGERS_HAVE_ON_KILL",
    "AirflowException",
    "AirflowFailException",
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
    "TaskDeferred",
    "TaskGroup",
    "TriggerEvent",
    "TriggerRule",
    "Variable",
    "XCom",
    "conf",
    "default_deferrable",
    "in_thread",
    "is_deferred",
    "task",
    "timezone",
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
    from airflow.utils.session import create_session

    with create_session() as session:
        this_one = {"dag_id": ti.dag_id, "task_id": ti.task_id, "run_id": ti.run_id, "map_index": ti.map_index}
        return bool(session.query(TaskInstance.state).filter_by(**this_one).scalar() == "deferred")
