"""Which task instance a live job belongs to: the job carries its address, so that a job without an owner is found."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from airflow_agari_provider.scoring.task_run import TaskRun, run_token

OWNER_PROPERTY = "spark.agari.task_run"
_WHOLE = re.compile("-?[0-9]{1,9}")


@dataclass(frozen=True)
class JobOwner:
    """
    The task instance that submitted a job.

    :param map_index: -1 for a task that is not mapped.
    :param cancel_on_kill: False: its DAG's author wants the job to go on when the task is killed.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    cancel_on_kill: bool

    def __str__(self) -> str:
        mapped = f"[{self.map_index}]" if self.map_index >= 0 else ""
        return f"{self.dag_id}.{self.task_id}{mapped} of run {self.run_id}"


def owner_text(run: TaskRun, cancel_on_kill: bool) -> str:
    """Return the value of ``OWNER_PROPERTY``: six parts between slashes, percent-encoded."""
    parts = (run.dag_id, run.run_id, run.task_id, str(run.map_index), str(run.generation))
    return "/".join(quote(part, safe="") for part in (*parts, "cancel" if cancel_on_kill else "keep"))


def read_owner(text: str, token: str) -> JobOwner | None:
    """
    Return the owner that a job names; None if it names none.

    :param token: the job's run token. An address that does not belong to it is none: the job may be somebody else's.
    """
    parts = [unquote(part) for part in text.split("/")]
    if len(parts) != 6 or not _WHOLE.fullmatch(parts[3]) or not _WHOLE.fullmatch(parts[4]):
        return None
    dag_id, run_id, task_id, map_index, generation, kept = parts
    if run_token(dag_id, run_id, task_id, int(map_index), int(generation)) != token:
        return None
    return JobOwner(dag_id, run_id, task_id, int(map_index), kept != "keep")
