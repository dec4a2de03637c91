"""Cancel the Spark jobs of tasks that no longer wait for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_agari_provider.airflow_compat import AirflowException, BaseOperator
from airflow_agari_provider.airflow_runs import task_state
from airflow_agari_provider.exceptions import require_one_of
from airflow_agari_provider.hooks.emr_jobs import spark_jobs
from airflow_agari_provider.scoring.emr_cluster import EmrCluster
from airflow_agari_provider.scoring.emr_serverless import EmrServerless
from airflow_agari_provider.scoring.job_owner import JobOwner
from airflow_agari_provider.scoring.sweep import sweep

if TYPE_CHECKING:
    from airflow_agari_provider.airflow_compat import Context

ON_ORPHAN = ("cancel", "report")


class SparkJobSweepOperator(BaseOperator):
    """
    Find live jobs of ``EmrSparkScoringOperator`` whose task instance has ended, and cancel them.

    Run it every few minutes in a DAG of its own. A job that an earlier sweep has cancelled and that is still there is
    killed. A job is left alone if Airflow does not know its task instance, or its task has ``cancel_on_kill=False``.

    Returns ``{"owned", "cancelled", "left", "unknown", "failed"}``, each a list of jobs.

    :param target: only the clusters of this name or id, or the application of ``EmrServerless(...)``; None: every live
        cluster of the account and region. If several Airflows share an account and have DAGs of the same name, name
        the clusters of this one.
    :param on_orphan: ``cancel``, or ``report``: only log and return them.
    :param aws_conn_id: AWS connection for EMR; None: boto3's own credentials.
    :param region_name: region of the clusters; None: the connection's.
    :raises AirflowException: EMR does not list the jobs, or a job without an owner could not be cancelled.
    """

    template_fields: Sequence[str] = ("target", "on_orphan", "aws_conn_id", "region_name")
    ui_color = "#f9c915"

    def __init__(
        self,
        *,
        target: EmrCluster | EmrServerless | None = None,
        on_orphan: str = "cancel",
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.target = target
        self.on_orphan = on_orphan
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name

    def execute(self, context: Context) -> dict[str, list[str]]:
        require_one_of("on_orphan", self.on_orphan, ON_ORPHAN)
        kind = self.target.kind if self.target else EmrCluster.kind
        backend = spark_jobs(self.aws_conn_id, self.region_name, kind, self.target)

        def state_of(owner: JobOwner) -> str | None:
            return task_state(owner.dag_id, owner.run_id, owner.task_id, owner.map_index)

        done = sweep(backend.live_jobs(), state_of, backend.cancel, self.on_orphan == "report")
        counts = ", ".join(f"{name} {len(jobs)}" for name, jobs in asdict(done).items())
        self.log.info("Live jobs: %s", counts)
        if done.failed:
            raise AirflowException(
                "Jobs without an owner could not be cancelled and may still run; the next sweep tries again. "
                + "; ".join(done.failed)
            )
        return asdict(done)
