"""
The one place that knows Airflow 2.11 from Airflow 3.

Names come from the common.compat provider where it has them: it finds each at its home in the running Airflow.
"""

from __future__ import annotations

from airflow import __version__ as airflow_version
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowException,
    AirflowFailException,
    AirflowPlugin,
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
    XCom,
    conf,
    task,
    timezone,
)
from airflow.triggers.base import BaseTrigger, TriggerEvent

AIRFLOW_3 = not airflow_version.startswith("2.")

if AIRFLOW_3:
    from airflow.sdk import CronDataIntervalTimetable
else:
    from airflow.timetables.interval import CronDataIntervalTimetable

__all__ = [
    "AIRFLOW_3",
    "DAG",
    "AirflowException",
    "AirflowFailException",
    "AirflowPlugin",
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
    "XCom",
    "conf",
    "default_deferrable",
    "task",
    "timezone",
]


def default_deferrable() -> bool:
    """``[operators] default_deferrable`` of the running Airflow; read for signatures, as Airflow's own operators do."""
    return bool(conf.getboolean("operators", "default_deferrable", fallback=False))
