"""``agari jobs``: the sweep of Spark jobs without an owner."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from airflow_agari_provider.scoring.job_owner import JobOwner
from airflow_agari_provider.scoring.targets import (
    EmrCluster,
    EmrOnEks,
    EmrServerless,
    LivySpark,
    SparkTarget,
    StandaloneSpark,
)

NOT_NEEDED = "not needed to list jobs"  # what a target has to have, but only to submit

_PLACES: dict[str, tuple[str, Callable[[str], SparkTarget]]] = {
    "--cluster": ("EMR clusters of this name", lambda name: EmrCluster(name=name)),
    "--cluster-id": ("one EMR cluster", lambda cluster_id: EmrCluster(cluster_id=cluster_id)),
    "--application": (
        "the EMR Serverless application of this name",
        lambda name: EmrServerless(name=name, execution_role_arn=NOT_NEEDED),
    ),
    "--application-id": (
        "one EMR Serverless application",
        lambda application_id: EmrServerless(application_id, execution_role_arn=NOT_NEEDED),
    ),
    "--virtual-cluster-id": (
        "one virtual cluster of EMR on EKS",
        lambda cluster_id: EmrOnEks(cluster_id, execution_role_arn=NOT_NEEDED, release_label=NOT_NEEDED),
    ),
    "--livy-conn-id": ("the Livy server of this connection", LivySpark),
}


def add_to(rooms: Any) -> None:
    """Add ``jobs`` to the commands."""
    room = rooms.add_parser("jobs", help="Spark jobs: cancel those without an owner")
    commands = room.add_subparsers(required=True, metavar="COMMAND")
    says = "cancel live Spark jobs whose task no longer waits for them; for cron"
    sweep = commands.add_parser("sweep", help=says, description=says[0].upper() + says[1:] + ".")
    where = sweep.add_mutually_exclusive_group()
    for option, (place, make) in _PLACES.items():
        where.add_argument(option, dest="target", type=make, metavar="X", help=f"only the jobs on {place}")
    where.add_argument(
        "--spark-master",
        dest="master",
        nargs=2,
        metavar=("REST_URL", "NOTES_URL"),
        help="only the jobs on a stand-alone Spark: the addresses of its REST API and of the notes on S3",
    )
    sweep.add_argument("--report", action="store_true", help="cancel nothing, only tell")
    sweep.add_argument("--aws-conn-id", default="aws_default", metavar="ID", help="connection to AWS (aws_default)")
    sweep.add_argument("--region", metavar="NAME", help="AWS region (default: the connection's)")
    sweep.add_argument(
        "--airflow-api-conn-id",
        metavar="ID",
        help="connection to the API of Airflow 3: host, login and password (default: [agari] airflow_api_conn_id)",
    )
    sweep.set_defaults(run=_sweep)


def _sweep(told: argparse.Namespace) -> tuple[int, str]:
    from airflow_agari_provider.hooks.spark_jobs import swept

    state_of = _states(told.airflow_api_conn_id)
    target = StandaloneSpark(*told.master) if told.master else told.target
    done = swept(told.aws_conn_id, told.region, target, state_of, told.report)
    lists = asdict(done)
    counts = ", ".join(f"{name} {len(jobs)}" for name, jobs in lists.items())
    jobs = [f"{name}: {job}" for name, jobs in lists.items() if name != "owned" for job in jobs]
    return (1 if done.failed else 0), "\n".join([counts, *jobs])


def _states(airflow_api_conn_id: str | None) -> Callable[[JobOwner], str | None]:
    """Return what tells the state of a job's task instance, outside of a task."""
    from airflow_agari_provider.airflow_runs import state_of_owner
    from airflow_agari_provider.slas.airflow_api import RunsByApi
    from airflow_agari_provider.slas.maintenance import api_named

    api = api_named(airflow_api_conn_id, in_a_dag="SparkJobSweepOperator")
    if not api:
        return state_of_owner
    runs = RunsByApi(api)
    return lambda owner: runs.task_state(owner.dag_id, owner.run_id, owner.task_id, owner.map_index)
