"""How the SLA of a run stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from airflow_agari_provider.airflow_runs import link, tasks_of_run
from airflow_agari_provider.alerts.miss import SlaMiss
from airflow_agari_provider.alerts.sla import Run, Watch, miss_of
from airflow_agari_provider.alerts.sla_payload import unpacked
from airflow_agari_provider.alerts.task_states import is_late
from airflow_agari_provider.slas.claiming import reported_tasks


@dataclass(frozen=True)
class Observation:
    """
    What Airflow's answer about the tasks of a run means for an SLA.

    :param miss: the miss to report; ``None`` if there is nothing to report.
    :param came_in: whether the task or run is done. If false, there may still be no miss: a failure that the SLA does
        not report.
    """

    miss: SlaMiss | None
    came_in: bool


def observe(watch: Watch, run: Run, due: datetime) -> Observation:
    """Ask Airflow how the SLA of a run stands; blocks. :param due: when the SLA was over."""
    run_state, told = tasks_of_run(run.dag_id, run.run_id, watch.mapped, watch.lookalikes)
    watch, tasks = unpacked(watch, told)
    miss = miss_of(watch, run, run_state, tasks, due, datetime.now(UTC), link, lambda: reported_tasks(watch, run))
    return Observation(miss, came_in=not is_late(tasks, run_state, watch.task_id))
