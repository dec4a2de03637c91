"""How the SLA of a run stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from airflow_agari_provider.airflow_runs import link, tasks_of_run
from airflow_agari_provider.alerts.miss import SlaMiss
from airflow_agari_provider.alerts.sla import Run, Watch, miss_of
from airflow_agari_provider.alerts.task_states import is_late


@dataclass(frozen=True)
class Observation:
    """
    An answer of Airflow about the tasks of a run, seen by an SLA.

    :param miss: what is to be told; ``None`` if that is nothing.
    :param came_in: whether that is because it is done, and not because nobody wants to hear that it failed.
    """

    miss: SlaMiss | None
    came_in: bool


def observe(watch: Watch, run: Run, due: datetime) -> Observation:
    """Ask Airflow; blocks. :param due: when the SLA was over."""
    run_state, tasks = tasks_of_run(run.dag_id, run.run_id, watch.mapped, watch.lookalikes)
    miss = miss_of(watch, run, run_state, tasks, due, datetime.now(UTC), link)
    return Observation(miss, came_in=not is_late(tasks, run_state, watch.task_id))
