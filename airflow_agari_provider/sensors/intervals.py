"""How long a sensor of this package waits between two looks."""

from __future__ import annotations

# Seconds. With less, Airflow queues a poke before the worker of the last one has ended, and fails the task:
# "Executor reported that the task instance finished with state success, but its state attribute is running".
SHORTEST_RESCHEDULE = 60


def require_long_enough(poke_interval: float, mode: str, deferrable: bool) -> None:
    """:raises ValueError: Airflow cannot start the sensor again that fast."""
    if mode == "reschedule" and not deferrable and poke_interval < SHORTEST_RESCHEDULE:
        raise ValueError(
            f"poke_interval={poke_interval:.0f} is too short for mode='reschedule': Airflow may start a poke "
            "before the worker of the last one has ended, and then fails the task. "
            f"Give {SHORTEST_RESCHEDULE} s or more, or deferrable=True."
        )
