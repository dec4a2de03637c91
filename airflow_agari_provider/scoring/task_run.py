"""Which task run a Spark job belongs to: one token for each task run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime


def run_token(dag_id: str, run_id: str, task_id: str, map_index: int, generation: int) -> str:
    """
    Return 32 hexadecimal digits that identify a task run.

    All attempts have the same token, until a person clears the task: then the attempts that follow have another one.
    """
    parts = (dag_id, run_id, task_id, str(map_index), str(generation))
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class TaskRun:
    """
    The task run that a job belongs to.

    :param map_index: -1 for a task that is not mapped.
    :param generation: 0 if the task was never cleared, otherwise the number of attempts before a person cleared it.
    :param since: no job of this run was submitted before this time.
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
        """Tokens from before a person cleared the task: the results of their jobs are no longer wanted."""
        name = (self.dag_id, self.run_id, self.task_id, self.map_index)
        return tuple(run_token(*name, generation) for generation in range(self.generation))


def generation_of(max_tries: int, retries: int) -> int:
    """
    Return how many attempts there were before a person last cleared the task; 0 if it was never cleared.

    Clearing sets ``max_tries`` to the attempts so far plus the task's retries; nothing else changes it. A task whose
    ``retries`` were raised while it ran counts as not cleared.
    """
    return max(0, max_tries - retries)
