"""What a waiting task must know again after a reschedule or in its next try."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_agari_provider.airflow_compat import AirflowFailException, AirflowSensorTimeout, Context, Variable
from airflow_agari_provider.exceptions import AgariError

DESCRIPTION = "What a waiting task has seen so far. Its task deletes it; left over by a killed task it may be deleted."


class WaitMemory:
    """
    A dict that outlives the process: an Airflow Variable, since Airflow clears a task's XComs whenever it starts again.

    Its name follows from dag, run, task, map index and generation, so that a person's clear begins without memory, and
    from the run's start, so that a run created anew under an old id does.

    :param retries: the task's own; ``max_tries`` exceeds it by the tries made before the last clear.
    :param needed: False makes it forgetful: a task that neither retries nor is rescheduled needs no Variable.
    """

    def __init__(self, context: Context, retries: int, needed: bool) -> None:
        ti = context["ti"]
        self._needed = needed
        self._no_try_follows = ti.try_number > (ti.max_tries or 0)
        generation = (ti.max_tries or 0) - retries
        identity = (ti.dag_id, ti.run_id, ti.task_id, ti.map_index, generation, context["dag_run"].start_date)
        self.name = "agari_wait_" + hashlib.sha256(repr(identity).encode()).hexdigest()[:32]

    def recall(self) -> dict[str, Any] | None:
        """What was remembered last, if anything."""
        kept: dict[str, Any] | None = Variable.get(self.name, None, deserialize_json=True) if self._needed else None
        return kept

    def remember(self, what: dict[str, Any]) -> None:
        """Replace what is remembered; ``what`` must be JSON, and no secret."""
        if self._needed:
            Variable.set(self.name, what, DESCRIPTION, serialize_json=True)

    def forget(self) -> None:
        """Delete the Variable."""
        if self._needed:
            Variable.delete(self.name)

    @contextmanager
    def forgotten_with_the_last_try(self) -> Iterator[None]:
        """Forget when the block fails and no try follows."""
        try:
            yield
        except (AirflowFailException, AirflowSensorTimeout):  # Airflow does not retry these
            self.forget()
            raise
        except AgariError:
            if self._no_try_follows:
                self.forget()
            raise
