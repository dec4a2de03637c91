"""The parameters of the alerts' API."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airflow_agari_provider.alerts.miss_figures import DAY, month_window
from airflow_agari_provider.exceptions import BadQuestion, cut
from airflow_agari_provider.views.parameters import parsed

HOUR = 3600.0
MOST_LISTED = 50_000  # misses in one answer: some megabytes
MONTH = r"^20[0-9]{2}-(0[1-9]|1[0-2])$"
ALERTS_PARAMETERS: dict[str, dict[str, Any]] = {
    "days": {"type": "integer", "minimum": 1, "maximum": 366, "default": 30, "description": "Days back from now."},
    "month": {
        "type": "string",
        "pattern": MONTH,
        "description": "A month of the calendar, in UTC, such as 2026-11, instead of days.",
    },
    "dag_id": {"type": "array", "items": {"type": "string"}, "description": "Only these DAGs."},
    "limit": {
        "type": "integer",
        "minimum": 1,
        "maximum": MOST_LISTED,
        "default": 200,
        "description": "How many misses are listed, the open ones first, then the latest; figures are of all of them.",
    },
}


@dataclass(frozen=True)
class AlertsQuestion:
    """
    A request for the alerts.

    :param days: length of the window, back from now; not used with ``month``.
    :param month: such as ``2026-11``; empty for none.
    :param dag_ids: all DAGs if empty.
    :param limit: how many misses are listed.
    """

    days: int
    month: str
    dag_ids: tuple[str, ...]
    limit: int = 200

    def window(self, now: float) -> tuple[float, float]:
        """
        Return since when and until when, in seconds since the epoch.

        Days begin at a full hour, as in the charts: an answer without news stays the same.
        """
        if not self.month:
            return (now - self.days * DAY) // HOUR * HOUR, now
        since, until = month_window(self.month)
        return since, min(until, max(now, since))


def alerts_question(arguments: Iterable[tuple[str, str]]) -> AlertsQuestion:
    """Parse the parameters of a request. :raises BadQuestion: a parameter or a value is not allowed."""
    values = parsed(arguments, ALERTS_PARAMETERS)
    month = values["month"] or ""
    if month and not re.fullmatch(MONTH, month):
        raise BadQuestion("month", month, f"month is a year and a month such as 2026-11, not {cut(month, 80)!r}.")
    return AlertsQuestion(values["days"], month, values["dag_id"], values["limit"])
