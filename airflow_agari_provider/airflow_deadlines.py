"""Deadlines of Airflow 3, with which SLAs are watched there."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from airflow_agari_provider.airflow_compat import AIRFLOW_3, AirflowPlugin
from airflow_agari_provider.alerts.history import FromHistory
from airflow_agari_provider.alerts.time_of_day import first_after
from airflow_agari_provider.alerts.variable_sla import FromVariable
from airflow_agari_provider.exceptions import cut

logger = logging.getLogger(__name__)

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


@dataclass(frozen=True)
class VariableDeadline(BaseDeadlineReference):  # type: ignore[misc]
    """
    Reference of Airflow 3.2's deadlines: as long after the run was queued, or its logical date, as a Variable says.

    :param variable: text of a :class:`~airflow_agari_provider.alerts.variable_sla.FromVariable`.
    :param begin: ``queued_at`` or ``logical_date``.
    """

    required_kwargs: ClassVar[set[str]] = {"dag_id", "run_id"}
    reference_name: ClassVar[str] = "VariableDeadline"
    variable: str
    begin: str

    def serialize_reference(self) -> dict[str, str]:
        return {"reference_type": self.reference_name, "variable": self.variable, "begin": self.begin}

    @classmethod
    def deserialize_reference(cls, reference: Mapping[str, str]) -> VariableDeadline:
        return cls(reference["variable"], reference["begin"])

    def _evaluate_with(self, *, session: Any, dag_id: str, run_id: str) -> datetime | None:
        from airflow.models.dagrun import DagRun

        begin = getattr(DagRun, self.begin)
        (begun,) = session.query(begin).filter_by(dag_id=dag_id, run_id=run_id).one()
        known = FromVariable.from_text(self.variable)
        return begun + known.sla(variable_value(session, known.key)) if begun else None


def variable_value(session: Any, key: str) -> str | None:
    """
    Return the value of an Airflow Variable; ``None`` if there is none, or it cannot be read.

    ``Variable.get`` would commit what a scheduler has begun in this session.

    :param session: of Airflow's database.
    """
    from airflow.configuration import ensure_secrets_loaded
    from airflow.models.variable import Variable
    from airflow.secrets.metastore import MetastoreBackend

    for backend in ensure_secrets_loaded():
        try:
            if isinstance(backend, MetastoreBackend):
                found = session.query(Variable).filter_by(key=key).first()
                value = found.val if found else None
            else:
                value = backend.get_variable(key=key)
        except Exception:  # of any backend; the scheduler must go on
            logger.exception("Airflow Variable %s cannot be read from %s", key, type(backend).__name__)
            continue
        if value is not None:
            return str(value)
    return None


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
    """
    Whether runs of a DAG may have no logical date by its timetable: on Airflow 3 those for assets and partitions, and,
    where there is no schedule, those that are triggered without one.
    """
    if not AIRFLOW_3:
        return False
    by_partition = any(getattr(timetable, name, False) for name in ("partitioned", "partitioned_at_runtime"))
    name = type(timetable).__name__
    return bool(getattr(timetable, "asset_condition", None)) or by_partition or "Partition" in name or "Null" in name


def deadline_alert(
    reference: str | HistoryDeadline | VariableDeadline,
    interval: timedelta,
    callback: str,
    kwargs: dict[str, Any],
    name: str = "",
) -> Any:
    """
    Return Airflow 3's deadline of a run; its callback runs in the triggerer.

    :param reference: ``queued_at``, ``logical_date``, a time of day, or what history or a Variable says; the interval
        counts from there.
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
        other = "from history" if isinstance(reference, HistoryDeadline) else "from a Variable"
        kind = f"by a time of day ({reference})" if isinstance(reference, str) else other
        raise ValueError(f"An SLA {kind} needs Airflow 3.2, or 2.11. Give a timedelta.")
    begin = reference
    if isinstance(reference, str):
        begin = references.get(reference) or TimeOfDayDeadline(reference)
    named = {"name": cut(name, NAME_CHARACTERS)} if "name" in inspect.signature(DeadlineAlert).parameters else {}
    return DeadlineAlert(begin, interval, AsyncCallback(callback, kwargs=kwargs), **named)
