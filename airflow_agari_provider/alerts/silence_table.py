"""Silences in a table beside the claims."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

from airflow_agari_provider.alerts.alert_database import AlertDatabase
from airflow_agari_provider.alerts.silences import Silence, WrongSilence, checked
from airflow_agari_provider.alerts.table_rows import AlertTable, TableRows

TABLE = "agari_alert_silences"
SILENCES = AlertTable(
    TABLE,
    {
        "id": "text",
        "environment": "text",
        "dag_pattern": "text",
        "task_pattern": "text",
        "from_at": "double",
        "until_at": "double",
        "who": "text",
        "why": "text",
        "made_at": "double",
        "ended_at": "double",
        "ended_by": "text",
    },
    (("until_at",),),
)
_SELECT = "SELECT id, dag_pattern, task_pattern, from_at, until_at, who, why, environment, made_at, ended_at, ended_by"
MOST_SHOWN = 1000  # silences that are listed at once; the newest


class SilenceTable:
    """
    The silences.

    :param database: where they are. The table is made with the first silence.

    Every method raises :class:`~airflow_agari_provider.alerts.alert_database.ClaimsUnavailable` if it cannot be used.
    """

    def __init__(self, database: AlertDatabase) -> None:
        self._database = database

    def add(self, silence: Silence, now: float) -> Silence:
        """
        Keep a silence. Return it with its id.

        :param now: seconds since the epoch.
        :raises WrongSilence: it cannot be.
        """
        kept = replace(checked(silence, now), id=uuid4().hex[:8], made_at=now)
        if len(self.not_over(now)) >= MOST_SHOWN:  # each alert reads them all
            raise WrongSilence(f"There are {MOST_SHOWN:,} silences already. End some, or give one of them a pattern.")
        row = {
            "id": kept.id,
            "environment": kept.environment,
            "dag_pattern": kept.dag,
            "task_pattern": kept.task,
            "from_at": kept.since,
            "until_at": kept.until,
            "who": kept.who,
            "why": kept.why,
            "made_at": now,
            "ended_at": None,
            "ended_by": "",
        }
        self._database.run(SILENCES, lambda table: table.insert(row))
        return kept

    def end(self, id_: str, who: str, now: float) -> bool:
        """End a silence now. Return false if there is none with this id that has not ended yet."""
        sql = f"UPDATE {TABLE} SET ended_at = ?, ended_by = ? WHERE id = ? AND ended_at IS NULL AND until_at > ?"  # noqa: S608
        values = (now, who, id_, now)
        return self._database.read(SILENCES, lambda table: bool(table.change(sql, values)), False)

    def not_over(self, now: float) -> list[Silence]:
        """Return the silences that are not over yet; some may not have begun."""
        return self._read("WHERE until_at > ? AND (ended_at IS NULL OR ended_at > ?)", (now, now))

    def newest(self) -> list[Silence]:
        """Return the newest silences, up to a thousand."""
        return self._read(f"WHERE 1 = 1 ORDER BY made_at DESC LIMIT {MOST_SHOWN}", ())

    def prune(self, before: float) -> int:
        """Delete silences that were over before a time. Return how many."""
        sql = f"DELETE FROM {TABLE} WHERE until_at < ?"  # noqa: S608 - a constant
        return self._database.read(SILENCES, lambda table: table.change(sql, (before,)), 0)

    def _read(self, where: str, values: tuple[Any, ...]) -> list[Silence]:
        def read(table: TableRows) -> list[Silence]:
            return [Silence(*row) for row in table.rows(_SELECT, where, values)]

        return self._database.read(SILENCES, read, [])
