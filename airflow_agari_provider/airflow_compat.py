"""
How Airflow 2.11 and Airflow 3 differ for DAGs, operators and triggers.

Few other modules know versions: ``KNOWS_VERSIONS`` in ``tests/test_architecture.py`` lists them.

Names come from the common.compat provider if it has them: it imports each from where the running Airflow keeps it.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar

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
    task,
    timezone,
)
from airflow.triggers.base import BaseTrigger, TriggerEvent

NEWEST_TRIED = "3.4"  # the newest Airflow that this package was tried with; pyproject.toml lists them all
AIRFLOW_3 = not airflow_version.startswith("2.")
TRIGGERS_HAVE_ON_KILL = hasattr(BaseTrigger, "on_kill")  # since 3.3; earlier, a cancelled trigger must find out why
NOTIFIERS_TAKE_CONTEXT = "context" in inspect.signature(BaseNotifier.__init__).parameters  # since 3.1

Result = TypeVar("Result")

try:
    from airflow.sdk.log import mask_secret
except ImportError:  # 2.11; the common.compat provider has it only since 1.22
    from airflow.utils.log.secrets_masker import mask_secret

try:
    from airflow.sdk import CronDataIntervalTimetable
except ImportError:  # before 3.2
    from airflow.timetables.interval import CronDataIntervalTimetable

__all__ = [
    "AIRFLOW_3",
    "DAG",
    "NEWEST_TRIED",
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
    "Stats",
    "TaskDeferred",
    "TaskGroup",
    "TriggerEvent",
    "TriggerRule",
    "Variable",
    "XCom",
    "airflow_version",
    "conf",
    "default_deferrable",
    "in_thread",
    "is_mapped",
    "mask_secret",
    "task",
    "timezone",
]


def default_deferrable() -> bool:
    """``[operators] default_deferrable`` of the running Airflow: a parameter's default, as in its own operators."""
    return bool(conf.getboolean("operators", "default_deferrable", fallback=False))


def is_mapped(task: Any) -> bool:
    """Whether a task is mapped by itself, and not only by a task group that it is in."""
    if AIRFLOW_3:
        return bool(task.is_mapped)
    from airflow.models.mappedoperator import MappedOperator

    return isinstance(task, MappedOperator)


async def in_thread(function: Callable[..., Result], *arguments: Any, pool: ThreadPoolExecutor | None = None) -> Result:
    """
    Run a trigger's blocking call in a thread, where it may ask Airflow for connections.

    Before 3.3 the triggerer of Airflow 3 only answers threads that asgiref started.

    :param pool: where the thread is from; default: the pool that all of the process shares.
    """
    if AIRFLOW_3 and not TRIGGERS_HAVE_ON_KILL:
        from asgiref.sync import sync_to_async

        return await sync_to_async(function, thread_sensitive=False, executor=pool)(*arguments)
    call = partial(copy_context().run, function, *arguments)
    return await asyncio.get_running_loop().run_in_executor(pool, call)
