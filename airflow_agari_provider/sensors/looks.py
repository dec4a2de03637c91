"""Sensors that look in workers, and wait in the triggerer between two looks."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_agari_provider.airflow_compat import BaseSensorOperator

if TYPE_CHECKING:
    from airflow_agari_provider.airflow_compat import Context, PokeReturnValue


class LooksInWorkers(BaseSensorOperator):
    """
    A sensor whose looks are made in workers, because a database's driver blocks.

    A look that hangs in the triggerer would keep one of its few threads from all other deferred tasks.
    """

    def look_again(self, context: Context, event: Any = None, kept: dict[str, Any] | None = None) -> dict[str, Any]:
        """Continue after a deferral: the look's result, or another deferral."""
        self._begin(kept, kept["try_number"] if kept else 0)  # a deferral does not outlive its try
        looked: PokeReturnValue = self.poke(context)
        figures: dict[str, Any] = looked.xcom_value
        return figures

    def defer_to_next_look(self, pause: float, deadline: float, kept: dict[str, Any]) -> None:
        """
        Come back in a new worker after a pause, in ``look_again``.

        :param deadline: seconds since 1970 at which the wait times out.
        :param kept: what the next look needs; JSON.
        """
        from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger

        left = max(deadline - time.time(), 0)
        self.defer(
            trigger=TimeDeltaTrigger(timedelta(seconds=min(pause, left))),
            method_name="look_again",
            kwargs={"kept": kept},
            timeout=timedelta(seconds=left + self.poke_interval + 60),  # for when no triggerer runs
        )

    def _begin(self, kept: dict[str, Any] | None, try_number: int) -> None:
        """Begin the wait; or go on with that of the last look, but in another try begin a new one."""
        raise NotImplementedError
