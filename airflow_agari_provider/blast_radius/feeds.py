"""Edges that a person declares, where nothing records that one DAG reads what another wrote."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow_agari_provider.exceptions import require_one_of

PARAM = "agari_feeds"  # the task's parameter that holds them: Airflow stores parameters with the DAG
WINDOWS = ("same", "same hour", "day of")


@dataclass(frozen=True)
class Feeds:
    """
    A task's output is read by runs of another DAG, and Airflow does not know it.

    Airflow knows assets, triggered runs and external sensors. It does not know that a report reads a table, or a folder
    on S3, whose writer it never names. Declare that where the writing task is made, with :meth:`of`.

    :param what: what is read, in words that people know: ``scored/``, or a table's name. It is only shown.
    :param dag: id of the DAG whose runs read it.
    :param window: which runs: ``"same"``: those with the same logical date; ``"same hour"``: those whose logical date
        is in the same hour; ``"day of"``: those whose logical date is on the same day. A run without a logical date
        counts by when it was due.
    :param timezone: whose hours and days these are, such as ``Europe/Berlin``.
    :raises ValueError: there is no such window, or no such time zone, or ``what`` or ``dag`` is empty.
    """

    what: str
    dag: str
    window: str = "same"
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        require_one_of("window", self.window, WINDOWS)
        for name in ("what", "dag"):
            if not str(getattr(self, name)).strip():
                raise ValueError(f"Feeds needs {name!r}: what is read, and by which DAG.")
        try:
            ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError) as error:  # a KeyError is how it says that it knows no such name
            raise ValueError(f"There is no time zone {self.timezone!r}; give a name such as Europe/Berlin.") from error

    def of(self, task: Any) -> Feeds:
        """
        Declare it for a task, mapped or not. Return it.

        It becomes part of the task's parameter ``agari_feeds``, which Airflow stores with the DAG.
        """
        declared = [*feeds_in(task.params.get(PARAM)), self]
        task.params[PARAM] = json.dumps([asdict(one) for one in declared])
        return self

    def span(self, window: float) -> tuple[float, float]:
        """
        Return from when on, and before when, the logical dates of the fed runs lie; epoch seconds.

        :param window: logical date of the run that feeds them, or when it was due.
        """
        if self.window == "same":
            return window, window
        local = datetime.fromtimestamp(window, ZoneInfo(self.timezone))
        if self.window == "same hour":  # by the clock of UTC: an hour that summer time repeats is two hours
            begin = local.astimezone(UTC) - timedelta(minutes=local.minute, seconds=local.second)
            begin -= timedelta(microseconds=local.microsecond)
            return begin.timestamp(), (begin + timedelta(hours=1)).timestamp()
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        return midnight.timestamp(), (midnight + timedelta(days=1)).timestamp()  # a local day: 23 to 25 hours


def feeds_in(stored: Any) -> Sequence[Feeds]:
    """Return what a task's parameter declares; a value that is none of ours declares nothing."""
    try:
        return [Feeds(**one) for one in json.loads(stored)] if isinstance(stored, str) else []
    except (ValueError, TypeError, KeyError):
        return []
