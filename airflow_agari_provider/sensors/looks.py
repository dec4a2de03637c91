"""How a sensor that looks in workers waits in the triggerer between two looks."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from airflow_agari_provider.airflow_compat import BaseSensorOperator


def defer_to_next_look(sensor: BaseSensorOperator, pause: float, deadline: float, kept: dict[str, Any]) -> None:
    """
    Come back in a new worker after a pause, in the sensor's ``look_again``.

    The looks are made in workers, because a database's driver blocks: a look that hangs in the triggerer would
    keep one of its few threads from all other deferred tasks.

    :param deadline: seconds since 1970 at which the wait times out.
    :param kept: what the next look needs; JSON.
    """
    from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger

    left = max(deadline - time.time(), 0)
    sensor.defer(
        trigger=TimeDeltaTrigger(timedelta(seconds=min(pause, left))),
        method_name="look_again",
        kwargs={"kept": kept},
        timeout=timedelta(seconds=left + sensor.poke_interval + 60),  # for when no triggerer runs
    )
