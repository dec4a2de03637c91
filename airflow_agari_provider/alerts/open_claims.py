"""The rows of the claims for those who look later: what is still open, how it ended, what is old."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from airflow_agari_provider.alerts.alert_database import AlertDatabase
from airflow_agari_provider.alerts.claim_rows import CLAIMS, TABLE
from airflow_agari_provider.alerts.claims import id_of
from airflow_agari_provider.alerts.table_rows import TableRows

MOST_OPEN = 5000  # rows that are read at once
AT_ONCE = 500  # rows that one statement changes, so that no other waits long for it

ClosedAs = Literal["recovered", "deleted", "given up"]


@dataclass(frozen=True)
class OpenClaim:
    """
    A row of an alert about a miss, of which something may still have to be told. Times are seconds since the epoch.

    :param state: as in the column ``state``.
    :param claimed_at: when it was claimed; of one that is postponed, silenced or doubtful, when it may be claimed
        again.
    :param payload: see :func:`~airflow_agari_provider.alerts.sla_payload.from_row`.
    """

    id: str
    state: str
    claimed_at: float
    first_at: float
    destination: str
    due_at: float
    payload: str
    standing: str
    failed_at: float | None


class OpenClaims:
    """
    What is open.

    :param database: where the claims are.

    Every method raises :class:`~airflow_agari_provider.alerts.alert_database.ClaimsUnavailable` if it cannot be used.
    """

    def __init__(self, database: AlertDatabase) -> None:
        self._database = database

    def open(self) -> list[OpenClaim]:
        """Return the open rows, up to five thousand: those that were not looked at for the longest time."""
        columns = "id, state, claimed_at, first_at, destination, due_at, payload, standing, failed_at"
        where = "WHERE closed_at IS NULL AND due_at IS NOT NULL ORDER BY COALESCE(swept_at, 0), first_at, id"

        def read(table: TableRows) -> list[OpenClaim]:
            return [OpenClaim(*row) for row in table.rows(f"SELECT {columns}", f"{where} LIMIT {MOST_OPEN}", ())]

        return self._database.run(CLAIMS, read)

    def close(self, ids: Collection[str], now: float, closed_as: ClosedAs) -> None:
        """Record that nothing is left to tell. What may just be on its way stays open, unless it is given up."""
        settled = "" if closed_as == "given up" else "AND state NOT IN ('sending', 'doubtful')"
        self._change("closed_at = ?, closed_as = ?", (now, closed_as), ids, f"AND closed_at IS NULL {settled}")

    def mark_swept(self, ids: Collection[str], now: float) -> None:
        """Record that they were looked at."""
        self._change("swept_at = ?", (now,), ids)

    def mark_failed(self, ids: Collection[str], now: float) -> None:
        """Record that it was told that the late task has failed."""
        self._change("failed_at = ?", (now,), ids)

    def prune(self, before: float) -> int:
        """
        Delete rows that were first claimed before a time. Return how many.

        Open ones are deleted too: the time is to be far beyond the one after which an open one is given up.
        """

        def delete(table: TableRows) -> int:
            found = table.rows("SELECT id", f"WHERE first_at < ? ORDER BY first_at LIMIT {MOST_OPEN}", (before,))
            return sum(
                table.change(f"DELETE FROM {TABLE} WHERE id IN ({_places(part)})", part)  # noqa: S608 - a constant
                for part in _parts([id_ for (id_,) in found])
            )

        return self._database.run(CLAIMS, delete)

    def bring_up_to_date(self) -> None:
        """Make the indexes that are missing, as in a table of an older version."""
        self._database.run(CLAIMS, lambda table: table.add_indexes())

    def _change(self, changes: str, values: Sequence[object], ids: Collection[str], where: str = "") -> None:
        def change(table: TableRows) -> None:
            for part in _parts(sorted(ids)):
                sql = f"UPDATE {TABLE} SET {changes} WHERE id IN ({_places(part)}) {where}"  # noqa: S608 - a constant
                table.change(sql, (*values, *part))

        if ids:
            self._database.run(CLAIMS, change)


def ids_of(keys: Iterable[str]) -> set[str]:
    """Return the ids of the rows of some alerts."""
    return {id_of(key) for key in keys}


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))


def _places(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
