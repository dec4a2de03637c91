"""Whether the primary node of an EMR cluster has room for the drivers of as many steps as may run at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_agari_provider.scoring.jobs import SparkJob

DRIVER_MEMORY = "spark.driver.memory"
_UNITS = {"k": 1 / 1024, "": 1.0, "m": 1.0, "g": 1024.0, "t": 1024.0**2}  # in MiB, which a bare number means


def mebibytes(text: str) -> float | None:
    """Return a size in Spark's notation, such as ``4g`` or ``512m``, in MiB; None if it is none."""
    found = re.fullmatch(r"(\d+)\s*([kmgt]?)b?", text.strip().lower())
    return None if found is None else int(found[1]) * _UNITS[found[2]]


def drivers_too_large(job: SparkJob, cluster: Mapping[str, Any], instance_type: str, node_mib: float) -> str | None:
    """
    Return a warning if as many drivers as the cluster runs steps at once do not fit into its primary node.

    :param cluster: EMR's ``Cluster``.
    :param instance_type: of its primary node, for the text.
    :param node_mib: the node's memory.
    """
    driver = mebibytes(str(job.spark_conf.get(DRIVER_MEMORY, "")))
    steps = int(cluster.get("StepConcurrencyLevel") or 1)
    if driver is None or driver * steps <= node_mib:
        return None
    return (
        f"EMR cluster {cluster['Id']} runs {steps} steps at once, each with its driver of {driver:.0f} MiB on the "
        f"primary node, but {instance_type} has only {node_mib:.0f} MiB: drivers may be killed. Lower {DRIVER_MEMORY} "
        "or the cluster's StepConcurrencyLevel, or take a larger primary node."
    )


def runs_beside_others(job: SparkJob, cluster: Mapping[str, Any]) -> bool:
    """Whether a job's driver is on the primary node, and may share it with the drivers of other steps."""
    client_mode = job.spark_conf.get("spark.submit.deployMode", "client") == "client"
    return client_mode and int(cluster.get("StepConcurrencyLevel") or 1) > 1
