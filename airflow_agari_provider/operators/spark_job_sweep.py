"""Cancel the Spark jobs of tasks that no longer wait for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_agari_provider.airflow_compat import AirflowException, BaseOperator
from airflow_agari_provider.airflow_runs import state_of_owner
from airflow_agari_provider.exceptions import require_one_of
from airflow_agari_provider.hooks.spark_jobs import swept
from airflow_agari_provider.scoring.targets import SparkTarget

if TYPE_CHECKING:
    from airflow_agari_provider.airflow_compat import Context

ON_ORPHAN = ("cancel", "report")


class SparkJobSweepOperator(BaseOperator):
    """
    Find live jobs of ``EmrSparkScoringOperator`` whose task instance has ended, and cancel them.

    Run it every few minutes in a DAG of its own. A job that an earlier sweep has cancelled and that is still there is
    killed. A job is left alone if Airflow does not know its task instance, or its task has ``cancel_on_kill=False``.

    Returns ``{"owned", "cancelled", "left", "unknown", "failed"}``, each a list of jobs.

    :param target: only what this target has: the clusters of this name or id, the application of EMR Serverless, the
        virtual cluster, the Livy server; None: every live cluster of the account and region. If several Airflows share
        it and have DAGs of the same name, each needs a target of its own.
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
        target: SparkTarget | None = None,
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
        only_report = self.on_orphan == "report"
        done = swept(self.aws_conn_id, self.region_name, self.target, state_of_owner, only_report)
        counts = ", ".join(f"{name} {len(jobs)}" for name, jobs in asdict(done).items())
        self.log.info("Live jobs: %s", counts)
        if done.failed:
            raise AirflowException(
                "Jobs without an owner could not be cancelled and may still run; the next sweep tries again. "
                + "; ".join(done.failed)
            )
        return asdict(done)
