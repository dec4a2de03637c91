"""What reports that a late task, or a late run, has finished."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_agari_provider.airflow_runs import planned_start, run_date, tasks_of_run
from airflow_agari_provider.alerts.context_facts import told, told_moment, told_run
from airflow_agari_provider.alerts.sla import Run, Watch, due_between
from airflow_agari_provider.alerts.task_states import DONE
from airflow_agari_provider.slas.follow_up import RECOVERY_FOR, tell_recovery_or_close

logger = logging.getLogger(__name__)

# Seconds after which no further try begins for a run: Airflow ends a process that works on a DAG's file for 50 s, and
# each request to a service that does not answer takes 10 s.
RUN_RECOVERY_FOR = 20.0


class OnSuccess:
    """
    ``on_success_callback`` of a task or DAG with an SLA, and ``on_skipped_callback`` of a task; silent unless a miss
    was reported.

    :param watch: the SLA, with the alerts of every step.
    """

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.__name__ = f"agari_sla_recovery_of_{watch.task_id or 'run'}"

    def __call__(self, context: Mapping[str, Any]) -> None:
        try:
            self._tell(context)
        except Exception:  # the task has succeeded, even if its alert fails
            logger.exception("The recovery of %s could not be sent", self.watch.task_id or "the run")

    def _tell(self, context: Mapping[str, Any]) -> None:
        ti, facts = context.get("ti"), context.get("dag_run")
        dag_id, run_id = told_run(context, self.watch.dag_id)
        if self.watch.task_id is not None and self._others_are_open(ti, dag_id, run_id):
            return
        at = datetime.now(UTC)
        planned, kind = planned_start(facts), told(facts, "run_type") or "scheduled"
        logical_date, started = told_moment(facts, "logical_date"), told_moment(facts, "start_date")
        run = Run(dag_id, run_id, run_date(facts) or planned or at, str(getattr(kind, "value", kind)))
        if run.run_type in self.watch.silent_for:
            return
        earliest, latest = due_between(self.watch, planned, logical_date, started)
        is_late = earliest is not None and earliest < at  # as far as can be known without claims
        if not is_late and (earliest is not None or not self.watch.claims):
            return  # certainly in time: then a claims database that hangs does not hold up the task
        if self.watch.task_id is not None:
            tell_recovery_or_close(self.watch, run, at, latest, RECOVERY_FOR)
            return
        # Airflow 3 calls back for a run in the process that works on the DAG's file. There it answers nothing about
        # runs: a question that it does not know waits for ever.
        tell_recovery_or_close(self.watch, run, at, latest, RUN_RECOVERY_FOR, runs=None)

    def _others_are_open(self, ti: Any, dag_id: str, run_id: str) -> bool:
        """Whether other indexes of a mapped task are not done yet."""
        if getattr(ti, "map_index", None) is None or ti.map_index < 0:
            return False
        _, tasks = tasks_of_run(dag_id, run_id, self.watch.mapped, self.watch.lookalikes)
        others = (task for task in tasks if task.task_id == ti.task_id and task.map_index not in (ti.map_index, -1))
        return any(task.state not in DONE for task in others)
