"""What tells that a late task, or a late run, has come in."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from airflow_agari_provider.alert_claims import ClaimsUnavailable
from airflow_agari_provider.notifications.told_by_context import tasks_of_run
from airflow_agari_provider.sla_miss.states import DONE
from airflow_agari_provider.sla_miss.watch import Run, Watch, due_after
from airflow_agari_provider.slas.dispatch import tell_recovery

logger = logging.getLogger(__name__)


class OnSuccess:
    """
    ``on_success_callback`` of a task or DAG with an SLA; silent unless a miss was told.

    :param watch: the SLA, with the alerts of every step.
    """

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.__name__ = f"agari_sla_recovery_of_{watch.task_id or 'run'}"

    def __call__(self, context: Mapping[str, Any]) -> None:
        try:
            self._tell(context)
        except Exception:  # the task has succeeded, whatever becomes of its alert
            logger.exception("Recovery of %s could not be told", self.watch.task_id or "the run")

    def _tell(self, context: Mapping[str, Any]) -> None:
        ti, facts = context.get("ti"), context.get("dag_run")
        dag_id = ti.dag_id if ti else context["dag"].dag_id
        run_id = str(ti.run_id if ti else context["run_id"])
        if self.watch.task_id is not None and self._others_are_open(ti, dag_id, run_id):
            return
        at = datetime.now(UTC)
        date = (facts.logical_date or getattr(facts, "run_after", None)) if facts else None
        run = Run(dag_id, run_id, date or at)
        if not self.watch.claims and not self._is_late(facts, at):
            return
        try:
            tell_recovery(self.watch, run, at)
        except ClaimsUnavailable as error:
            logger.error("Recovery of %s is told without claims. %s", self.watch.task_id or "the run", error)
            if self._is_late(facts, at):
                tell_recovery(replace(self.watch, claims=""), run, at)

    def _others_are_open(self, ti: Any, dag_id: str, run_id: str) -> bool:
        """Whether other indexes of a mapped task are still to come."""
        if ti.map_index is None or ti.map_index < 0:
            return False
        _, tasks = tasks_of_run(dag_id, run_id, self.watch.mapped, self.watch.lookalikes)
        others = (task for task in tasks if task.task_id == ti.task_id and task.map_index not in (ti.map_index, -1))
        return any(task.state not in DONE for task in others)

    def _is_late(self, facts: Any, at: datetime) -> bool:
        """Whether there has been a miss, as far as can be known without claims."""
        if not (facts and facts.start_date):
            return False
        planned = getattr(facts, "run_after", None) or facts.data_interval_end  # Airflow 3, 2.11
        return due_after(self.watch, planned if self.watch.by else facts.start_date) < at
