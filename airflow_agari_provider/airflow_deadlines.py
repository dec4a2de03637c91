"""Deadlines of Airflow 3, with which SLAs are watched there."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from airflow_agari_provider.airflow_compat import AIRFLOW_3, AirflowPlugin
from airflow_agari_provider.alerts.time_of_day import first_after
from airflow_agari_provider.exceptions import cut

NAME_CHARACTERS = 250  # column "name" of Airflow's table deadline_alert
DAGS_HAVE_DEADLINES = AIRFLOW_3  # 2.11 has SLAs of tasks instead


@dataclass(frozen=True)
class TimeOfDayDeadline:
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


def makes_runs_without_a_date(timetable: Any) -> bool:
    """Whether a DAG's timetable makes runs without a logical date, as Airflow 3 does for assets and for partitions."""
    if not AIRFLOW_3:
        return False
    by_partition = getattr(timetable, "partitioned_at_runtime", False) or "Partition" in type(timetable).__name__
    return bool(getattr(timetable, "asset_condition", None)) or by_partition


def deadline_alert(reference: str, interval: timedelta, callback: str, kwargs: dict[str, Any], name: str = "") -> Any:
    """
    Return Airflow 3's deadline of a run; its callback runs in the triggerer.

    :param reference: ``queued_at``, ``logical_date`` or a time of day; the interval counts from there.
    :param callback: dotted path of a coroutine function in an installed package.
    :param name: what Airflow's page of deadlines shows, from the version on that has names.
    """
    from airflow.sdk.definitions.deadline import AsyncCallback, DeadlineAlert, DeadlineReference  # since 3.1

    references = {
        "queued_at": DeadlineReference.DAGRUN_QUEUED_AT,
        "logical_date": DeadlineReference.DAGRUN_LOGICAL_DATE,
    }
    if reference not in references and not hasattr(AirflowPlugin, "deadline_references"):
        raise ValueError(f"An SLA by a time of day ({reference}) needs Airflow 3.2, or 2.11. Give a timedelta.")
    begin = references.get(reference) or TimeOfDayDeadline(reference)
    named = {"name": cut(name, NAME_CHARACTERS)} if "name" in inspect.signature(DeadlineAlert).parameters else {}
    return DeadlineAlert(begin, interval, AsyncCallback(callback, kwargs=kwargs), **named)
