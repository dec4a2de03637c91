"""Deadlines of Airflow 3, with which SLAs are watched there."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from airflow_agari_provider.airflow_compat import AIRFLOW_3, AirflowPlugin
from airflow_agari_provider.alerts.history import FromHistory
from airflow_agari_provider.alerts.time_of_day import first_after
from airflow_agari_provider.exceptions import cut

NAME_CHARACTERS = 250  # column "name" of Airflow's table deadline_alert
DAGS_HAVE_DEADLINES = AIRFLOW_3  # 2.11 has SLAs of tasks instead


try:
    from airflow.sdk import BaseDeadlineReference  # type: ignore[attr-defined]  # Airflow's stubs lack it
except ImportError:  # before 3.2
    BaseDeadlineReference = object


@dataclass(frozen=True)
class TimeOfDayDeadline(BaseDeadlineReference):  # type: ignore[misc]
    """
    Reference of Airflow 3.2's deadlines: the first time of day ``by`` after the run's planned start.

    The scheduler builds it again from its serialized form when it creates a run.

    :param by: time of day, such as ``06:00:00 Europe/Berlin``.
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


@dataclass(frozen=True)
class HistoryDeadline(BaseDeadlineReference):  # type: ignore[misc]
    """
    Reference of Airflow 3.2's deadlines: as long after the run was queued as earlier runs say.

    :param task_id: empty for the run.
    :param history: text of a :class:`~airflow_agari_provider.alerts.history.FromHistory`.
    """

    required_kwargs: ClassVar[set[str]] = {"dag_id", "run_id"}
    reference_name: ClassVar[str] = "HistoryDeadline"
    task_id: str
    history: str

    def serialize_reference(self) -> dict[str, str]:
        return {"reference_type": self.reference_name, "task_id": self.task_id, "history": self.history}

    @classmethod
    def deserialize_reference(cls, reference: Mapping[str, str]) -> HistoryDeadline:
        return cls(reference["task_id"], reference["history"])

    def _evaluate_with(self, *, session: Any, dag_id: str, run_id: str) -> datetime | None:
        from airflow.models.dagrun import DagRun

        history = FromHistory.from_text(self.history)
        sla = history.sla(durations(session, dag_id, run_id, self.task_id or None, history.runs))
        (queued,) = session.query(DagRun.queued_at).filter_by(dag_id=dag_id, run_id=run_id).one()
        return queued + sla if sla and queued else None


def durations(session: Any, dag_id: str, run_id: str, task_id: str | None, runs: int) -> list[float]:
    """
    Return how long a task, or the run, took in the last successful runs: seconds from when each run was queued.

    :param session: of Airflow's database.
    :param run_id: the run that is not to count.
    :param task_id: ``None`` for the run.
    """
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance

    last = (
        session.query(DagRun.run_id, DagRun.queued_at, DagRun.end_date)
        .filter(DagRun.dag_id == dag_id, DagRun.run_id != run_id, DagRun.state == "success")
        .filter(DagRun.queued_at.isnot(None))
        .order_by(DagRun.queued_at.desc())
        .limit(runs)
        .all()
    )
    ends = {run: end for run, _, end in last}
    if task_id is not None:
        found = session.query(TaskInstance.run_id, TaskInstance.end_date).filter(
            TaskInstance.dag_id == dag_id,
            TaskInstance.task_id == task_id,
            TaskInstance.state == "success",
            TaskInstance.run_id.in_(list(ends)),
        )
        ends = {}
        for run, end in found:
            ends[run] = max(end, ends.get(run) or end) if end else ends.get(run)
    return [(end - queued).total_seconds() for run, queued, _ in last if (end := ends.get(run))]


def makes_runs_without_a_date(timetable: Any) -> bool:
    """Whether a DAG's timetable makes runs without a logical date, as Airflow 3 does for assets and for partitions."""
    if not AIRFLOW_3:
        return False
    by_partition = getattr(timetable, "partitioned_at_runtime", False) or "Partition" in type(timetable).__name__
    return bool(getattr(timetable, "asset_condition", None)) or by_partition


def deadline_alert(
    reference: str | HistoryDeadline, interval: timedelta, callback: str, kwargs: dict[str, Any], name: str = ""
) -> Any:
    """
    Return Airflow 3's deadline of a run; its callback runs in the triggerer.

    :param reference: ``queued_at``, ``logical_date``, a time of day, or what history says; the interval counts from
        there.
    :param callback: dotted path of a coroutine function in an installed package.
    :param name: what Airflow's page of deadlines shows, from the version on that has names.
    """
    try:
        from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference  # type: ignore[attr-defined]
    except ImportError:  # before 3.2
        from airflow.sdk.definitions.deadline import AsyncCallback, DeadlineAlert, DeadlineReference

    references = {
        "queued_at": DeadlineReference.DAGRUN_QUEUED_AT,
        "logical_date": DeadlineReference.DAGRUN_LOGICAL_DATE,
    }
    if reference not in references and not hasattr(AirflowPlugin, "deadline_references"):
        kind = f"by a time of day ({reference})" if isinstance(reference, str) else "from history"
        raise ValueError(f"An SLA {kind} needs Airflow 3.2, or 2.11. Give a timedelta.")
    begin = reference
    if isinstance(reference, str):
        begin = references.get(reference) or TimeOfDayDeadline(reference)
    named = {"name": cut(name, NAME_CHARACTERS)} if "name" in inspect.signature(DeadlineAlert).parameters else {}
    return DeadlineAlert(begin, interval, AsyncCallback(callback, kwargs=kwargs), **named)
