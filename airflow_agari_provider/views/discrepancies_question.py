"""The parameters of the discrepancies' API."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airflow_agari_provider.exceptions import BadQuestion
from airflow_agari_provider.views.parameters import LATEST, parsed

HOUR, DAY = 3600.0, 86400.0
_WINDOW: dict[str, dict[str, Any]] = {
    "days": {
        "type": "integer",
        "minimum": 1,
        "maximum": 366,
        "default": 30,
        "description": "Only runs that were checked in so many days.",
    },
    "until": {
        "type": "number",
        "minimum": 0,
        "maximum": LATEST,
        "description": "Epoch seconds: the end of these days; default: now.",
    },
    "problems": {
        "type": "string",
        "enum": ["true", "false"],
        "default": "false",
        "description": "Only checks that somebody should look at, and runs that are not ok.",
    },
}
CHECKS_PARAMETERS: dict[str, dict[str, Any]] = {
    **_WINDOW,
    "dag_id": {"type": "array", "items": {"type": "string"}, "description": "Only checks of these DAGs."},
}
RUNS_PARAMETERS: dict[str, dict[str, Any]] = {
    "dag_id": {"type": "string", "required": True, "description": "DAG of the check."},
    "task_id": {
        "type": "string",
        "required": True,
        "description": "Task of the check; of a mapped task with its index, such as check[3].",
    },
    **_WINDOW,
}


@dataclass(frozen=True)
class ChecksQuestion:
    """
    A request for all checks, or for the runs of one.

    :param days: length of the window.
    :param until: its end, in seconds since the epoch; ``None``: now.
    :param problems: only what is not ok.
    :param dag_ids: all DAGs if empty; that of the one check.
    :param task: id of the one check's task; empty for all checks.
    """

    days: int
    until: float | None
    problems: bool
    dag_ids: tuple[str, ...]
    task: str = ""

    def window(self, now: float) -> tuple[float, float]:
        """
        Return since when and until when, in seconds since the epoch.

        Days begin at a full hour, so that an answer without news stays the same. A window without an end has none:
        the clock of who checks may be ahead.
        """
        end = now if self.until is None else self.until
        return (end - self.days * DAY) // HOUR * HOUR, LATEST if self.until is None else self.until


def checks_question(arguments: Iterable[tuple[str, str]]) -> ChecksQuestion:
    """Parse the parameters of a request for all checks. :raises BadQuestion: one of them is not allowed."""
    values = parsed(arguments, CHECKS_PARAMETERS)
    return ChecksQuestion(values["days"], values["until"], values["problems"] == "true", values["dag_id"])


def runs_question(arguments: Iterable[tuple[str, str]]) -> ChecksQuestion:
    """Parse the parameters of a request for one check. :raises BadQuestion: one is not allowed, or is missing."""
    values = parsed(arguments, RUNS_PARAMETERS)
    for name in ("dag_id", "task_id"):
        if not values[name]:
            raise BadQuestion(name, "", f"Name the check by dag_id and task_id: {name} is missing.")
    chosen = (values["dag_id"],)
    return ChecksQuestion(values["days"], values["until"], values["problems"] == "true", chosen, values["task_id"])
