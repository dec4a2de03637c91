"""What a scoring task runs: the operator's arguments as a Spark job, with its local files uploaded."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from airflow_agari_provider.airflow_errors import no_retry
from airflow_agari_provider.s3.urls import split_url
from airflow_agari_provider.scoring.job_files import UploadPlaceMissing, upload
from airflow_agari_provider.scoring.job_owner import OWNER_PROPERTY, owner_text
from airflow_agari_provider.scoring.jobs import SparkJob
from airflow_agari_provider.scoring.task_run import TaskRun


def spark_job(operator: Any, ti: Any, run: TaskRun, s3: Callable[[], Any]) -> SparkJob:
    """
    Return the job of one task run; uploads its files.

    :param operator: an ``EmrSparkScoringOperator`` with rendered templates.
    :param s3: makes an S3 client.
    """
    for name in ("arguments", "jars", "py_files"):
        if isinstance(getattr(operator, name), str):
            raise TypeError(f"{name} must be a list of strings, not one string: {getattr(operator, name)!r}")
    if operator.counts_url:
        split_url(operator.counts_url)  # a wrong URL should fail before the job runs, not after it
    url = partial(upload, s3, prefix=operator.script_prefix)
    with no_retry(UploadPlaceMissing):
        return SparkJob(
            name=f"{ti.dag_id}.{ti.task_id} {ti.run_id}" + (f" [{ti.map_index}]" if ti.map_index >= 0 else ""),
            script=url(operator.script),
            arguments=tuple(map(str, operator.arguments)),
            spark_conf={**operator.spark_conf, OWNER_PROPERTY: owner_text(run, operator.cancel_on_kill)},
            jars=tuple(map(url, operator.jars)),
            py_files=tuple(map(url, operator.py_files)),
            avro=operator.avro,
            main_class=operator.main_class or "",
        )
