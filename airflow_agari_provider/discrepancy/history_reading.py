"""Read the history as a record of checks. Nothing is changed, and tables of older versions are read too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_agari_provider.discrepancy.history_database import HistoryDatabase
from airflow_agari_provider.discrepancy.history_tables import CHECKS, KEYS, STAGES, TELLINGS
from airflow_agari_provider.discrepancy.stored_run import Difference, StoredRun, Telling, check_id, read_counts

if TYPE_CHECKING:
    from airflow_agari_provider.databases.base import Dialect

MOST_LISTED = 50_000  # runs of all checks that are read at once, the newest: about ten megabytes
MOST_RUNS = 1000  # of one check
KEYS_OF_A_RUN = 100  # the worst; a run may store a thousand
MOST_ROWS = 200_000  # of one other table
_RUN = (
    "run_at",
    "run_id",
    "window_name",
    "verdict",
    "checked_at",
    "key_count",
    "alarms",
    "discrepant",
    "report_url",
    "series",
    "accepted",
)
_STAGE = ("run_at", "stage", "total", "usual_low", "usual_high")
_KEY = (
    "discrepant_key",
    "comparison",
    "difference",
    "percent_of",
    "severity",
    "counts",
    "good_stage",
    "bad_stage",
)


class CheckRun(NamedTuple):
    """A run of one of several checks, without its totals and keys. :param task: its id, with its index if mapped."""

    dag_id: str
    task: str
    run: StoredRun


@dataclass(frozen=True)
class RecordedRuns:
    """
    The stored runs of one check.

    :param runs: the oldest first.
    :param complete: whether these are all that are stored.
    """

    runs: Sequence[StoredRun]
    complete: bool


def read_checks(
    database: HistoryDatabase, since: float, until: float, most: int = MOST_LISTED
) -> tuple[list[CheckRun], bool] | None:
    """
    Return the runs of all checks that were checked last within a time, the newest first.

    :param since, until: seconds since the epoch.
    :param most: so many are returned, of those that were checked last.
    :return: the runs, and whether these are all; ``None`` if there is no table yet, because nothing was ever stored.
    :raises HistoryUnavailable: the database cannot be read now.
    """

    def read(dialect: Dialect, connection: Any) -> tuple[list[CheckRun], bool] | None:
        tables = _Tables(dialect, connection)
        where = "WHERE checked_at >= ? AND checked_at < ? ORDER BY checked_at DESC"
        found = tables.rows(CHECKS, ("dag_id", "task_id", *_RUN), where, (since, until), most + 1)
        if found is None:
            return None
        runs = [CheckRun(row[0] or "", row[1] or "", _run(row[2:])) for row in found[:most]]
        return sorted(runs, key=lambda each: each.run.run_at, reverse=True), len(found) <= most

    return database.use(read)


def read_runs(database: HistoryDatabase, dag_id: str, task: str, most: int = MOST_RUNS) -> RecordedRuns | None:
    """
    Return the stored runs of one check, each with its totals, its worst keys, and what was told of it.

    :param most: the newest are returned.
    :return: ``None`` if there is no table yet.
    :raises HistoryUnavailable: the database cannot be read now.
    """
    check = check_id(dag_id, task)

    def read(dialect: Dialect, connection: Any) -> RecordedRuns | None:
        tables = _Tables(dialect, connection)
        found = tables.rows(CHECKS, _RUN, "WHERE check_id = ? ORDER BY run_at DESC", (check,), most + 1)
        if found is None:
            return None
        runs = [_run(row) for row in found[:most]]
        if not runs:
            return RecordedRuns([], True)
        since = "WHERE check_id = ? AND run_at >= ?"
        start = (check, runs[-1].run_at)
        totals: dict[str, dict[str, int]] = {}
        usual: dict[str, dict[str, tuple[int, int]]] = {}
        for run_at, stage, total, low, high in tables.of_runs(STAGES, _STAGE, since, start, "place"):
            totals.setdefault(run_at, {})[stage or ""] = int(total or 0)
            if low is not None and high is not None:
                usual.setdefault(run_at, {})[stage or ""] = int(low), int(high)
        keys: dict[str, list[Difference]] = {}
        worst = f"{since} AND place < {KEYS_OF_A_RUN:d}"
        for run_at, *row in tables.of_runs(KEYS, ("run_at", *_KEY), worst, start, "place"):
            keys.setdefault(run_at, []).append(_difference(row))
        told: dict[str, dict[str, Telling]] = {}
        for run_at, channel, kind, at in tables.of_runs(
            TELLINGS, ("run_at", "channel", "kind", "told_at"), since, start, "channel"
        ):
            told.setdefault(run_at, {})[channel] = Telling(kind or "", "", float(at or 0))
        whole = [
            replace(
                run,
                totals=totals.get(run.run_at, {}),
                differences=keys.get(run.run_at, ()),
                tellings=told.get(run.run_at, {}),
                usual=usual.get(run.run_at, {}),
            )
            for run in reversed(runs)
        ]
        return RecordedRuns(whole, len(found) <= most)

    return database.use(read)


def counts_of(difference: Difference) -> Mapping[str, int] | None:
    """Return the counts of all stages; ``None`` if they are not known, or were too long to be stored whole."""
    return read_counts(difference.counts)


def _run(row: Sequence[Any]) -> StoredRun:
    run_at, run_id, window, verdict, checked_at, *numbers, report_url, series, accepted = row
    keys, alarms, discrepant = (int(number or 0) for number in numbers)
    texts = (run_at, run_id or "", window or "", verdict or "")
    return StoredRun(
        *texts,
        float(checked_at or 0),
        keys,
        alarms,
        discrepant,
        report_url or "",
        series=series or "",
        accepted=bool(accepted),
    )


def _difference(row: Sequence[Any]) -> Difference:
    key, comparison, difference, percent_of, severity, *texts = row
    return Difference(
        key or "",
        comparison or "",
        int(difference or 0),
        int(percent_of or 0),
        severity or "",
        *(t or "" for t in texts),
    )


class _Tables:
    """Reads tables that may be missing, or lack columns that a newer version has: their values are then NULL."""

    def __init__(self, dialect: Dialect, connection: Any) -> None:
        self._dialect, self._connection = dialect, connection

    def of_runs(
        self, table: str, columns: Sequence[str], where: str, values: Sequence[Any], order: str
    ) -> list[tuple[Any, ...]]:
        """Return the rows, those of the newest run first."""
        return self.rows(table, columns, f"{where} ORDER BY run_at DESC, {order}", values, MOST_ROWS) or []

    def rows(
        self, table: str, columns: Sequence[str], where: str, values: Sequence[Any], most: int
    ) -> list[tuple[Any, ...]] | None:
        """Return so many rows; ``None`` if there is no such table."""
        from airflow_agari_provider.databases.statements import reading, table_columns, with_placeholders

        with reading(self._connection):
            if not self._dialect.table_exists(self._connection, table):
                return None
            there = {name.lower() for name in table_columns(self._dialect, self._connection, table)}
            chosen = [name if name in there else f"NULL AS {name}" for name in columns]
            sql = f"SELECT {', '.join(chosen)} FROM {table} {where}"  # noqa: S608 - names of our own
            with closing(self._connection.cursor()) as cursor:
                cursor.execute(with_placeholders(sql, self._dialect.placeholder), tuple(values))
                found = cursor.fetchmany(most)
        return [tuple(row.values() if isinstance(row, dict) else row) for row in found]
