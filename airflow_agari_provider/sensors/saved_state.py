"""What a waiting task must remember after a reschedule, or in its next try."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_agari_provider.airflow_compat import AirflowFailException, AirflowSensorTimeout, Context, Variable
from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.triggers.sqs_drain import DESCRIPTION


class WaitMemory:
    """
    A dict that outlives the process: an Airflow Variable, since Airflow clears a task's XComs whenever the task starts.

    The Variable's name is made from the dag, run, task, map index and generation, so that a cleared task starts without
    memory; and from the run's start, so that a new run under an old run's id does too.

    :param retries: the task's own; ``max_tries`` is larger by the number of tries made before the last clear.
    :param needed: False stores nothing: a task that is neither retried nor rescheduled needs no Variable.
    """

    def __init__(self, context: Context, retries: int, needed: bool) -> None:
        ti = context["ti"]
        self._needed = needed
        self._no_try_follows = ti.try_number > (ti.max_tries or 0)
        generation = (ti.max_tries or 0) - retries
        identity = (ti.dag_id, ti.run_id, ti.task_id, ti.map_index, generation, context["dag_run"].start_date)
        self.name = "agari_wait_" + hashlib.sha256(repr(identity).encode()).hexdigest()[:32]

    def recall(self) -> dict[str, Any] | None:
        """Return what was remembered last; None if nothing was."""
        kept: dict[str, Any] | None = Variable.get(self.name, None, deserialize_json=True) if self._needed else None
        return kept

    def remember(self, what: dict[str, Any]) -> None:
        """Replace what is remembered; ``what`` must be JSON, and must hold no secret."""
        if self._needed:
            Variable.set(self.name, what, DESCRIPTION, serialize_json=True)

    def forget(self) -> None:
        """Delete the Variable."""
        if self._needed:
            Variable.delete(self.name)

    @contextmanager
    def forgotten_with_the_last_try(self) -> Iterator[None]:
        """Forget if the block fails and Airflow makes no further try."""
        try:
            yield
        except (AirflowFailException, AirflowSensorTimeout):  # Airflow does not retry these
            self.forget()
            raise
        except AgariError:
            if self._no_try_follows:
                self.forget()
            raise
