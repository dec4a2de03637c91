"""One task run with one job, and a patience that a test scripts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_agari_provider.scoring.jobs import SparkJob
from airflow_agari_provider.scoring.submission import Patience
from airflow_agari_provider.scoring.task_run import TaskRun

JOB = SparkJob("score", "s3://agari/score.py", ("--hour", "5"))
RUN = TaskRun("telemetry", "hour_5", "score", -1, 0, datetime.now(UTC) - timedelta(days=1))


def patience(*actions: Callable[[], object], **arguments: Any) -> Patience:
    """One that never sleeps: each pause carries out the next action instead."""
    left, now = list(actions), [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds
        if left and seconds:
            left.pop(0)()

    return Patience(sleep=sleep, clock=lambda: now[0], **arguments)
