"""Histories of one run of a DAG, as Airflow writes them. Times are seconds after ``EPOCH``."""

from __future__ import annotations

from airflow_agari_provider.views.queries.tables import INSTANCE

NOW = 5000.0
AIRFLOW_2 = "id" not in INSTANCE.c  # Airflow 2 does not log when a task goes to the triggerer


class Rows:
    """Write rows of the run ``r`` of a DAG, due at second 0."""

    def __init__(self, metadata, dag_id):
        self.metadata, self.dag_id = metadata, dag_id

    def old(self, task, number, state, **times):
        self.metadata.old_try(self.dag_id, "r", task, number, state, **times)

    def now(self, task, number, state, **times):
        return self.metadata.instance(self.dag_id, "r", task, number, state, **times)

    def events(self, task, number=1, **times):
        for name, moments in times.items():
            if AIRFLOW_2 and name != "running":
                continue
            for when in moments:
                self.metadata.event(self.dag_id, "r", task, number, name, when)

    def looks(self, instance, task, number, moments):
        """Write pokes of two seconds each; Airflow 3 keeps only those of the newest try."""
        for when in moments:
            if AIRFLOW_2 or instance:
                self.metadata.look(self.dag_id, "r", task, number, when, when + 2, ti_id=instance)
        self.events(task, number, running=moments, up_for_reschedule=[when + 2 for when in moments])


def failed_deferred_tasks(rows):
    rows.old("score", 1, "failed", scheduled=999, queued=999, start=10, end=1010)
    rows.events("score", running=[10, 1000], deferred=[20])
    rows.now("score", 2, "failed", scheduled=3599, queued=3599, start=2010, end=3620)
    rows.events("score", 2, running=[2010, 3600], deferred=[2020])
