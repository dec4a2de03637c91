"""Whose job a Spark job is: one token for each run of a task."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime


def run_token(dag_id: str, run_id: str, task_id: str, map_index: int, generation: int) -> str:
    """32 hexadecimal digits: the same for every attempt of a task run, another one once a person has cleared it."""
    parts = (dag_id, run_id, task_id, str(map_index), str(generation))
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class TaskRun:
    """
    Whose job it is.

    :param map_index: -1 for a task that is not mapped.
    :param generation: 0; once a person has cleared the task, the number of attempts there had been.
    :param since: no job of this run is older than this.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    generation: int
    since: datetime

    @property
    def token(self) -> str:
        return run_token(self.dag_id, self.run_id, self.task_id, self.map_index, self.generation)

    @property
    def earlier_tokens(self) -> tuple[str, ...]:
        """Tokens from before a person cleared the task: their jobs are not wanted any more."""
        name = (self.dag_id, self.run_id, self.task_id, self.map_index)
        return tuple(run_token(*name, generation) for generation in range(self.generation))


def generation_of(max_tries: int, retries: int) -> int:
    """
    How many attempts there had been when a person last cleared the task; 0 if nobody has.

    Clearing sets ``max_tries`` to the attempts so far plus the task's retries; nothing else changes it. A task whose
    ``retries`` were raised while it ran counts as not cleared.
    """
    return max(0, max_tries - retries)
