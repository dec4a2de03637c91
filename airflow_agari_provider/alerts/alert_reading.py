"""
Read the claims as a record of alerts. Nothing is changed, and tables of older versions are read too.

The database itself gathers what figures need of the closed misses. Only open misses, and those of a list, are read with
all of their alerts: a month may have ten thousand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from airflow_agari_provider.alerts.alert_database import AlertDatabase
from airflow_agari_provider.alerts.claim_rows import CLAIMS
from airflow_agari_provider.alerts.miss_figures import COUNTED_STATES, SlaMisses
from airflow_agari_provider.alerts.recorded_miss import RECOVERY, AlertRow, RecordedMiss, named, recorded_misses
from airflow_agari_provider.alerts.table_rows import TableRows

MOST_ROWS = 50_000  # of alerts, the newest; as many rows are about ten megabytes
FIRST_ROWS = 600  # read for a list at first: 200 misses that were told to three places
MOST_NAMED = 500  # in a statement: DAGs, runs or alerts
COLUMNS = ", ".join(AlertRow._fields)
FIGURED = "environment, dag_id, run, task, sla, task_owner, due_at, recovered_at, closed_at, state, first_at"
RECOVERIES = "due_at IS NULL AND first_at >= ? AND alert LIKE ?"


class Window(NamedTuple):
    """
    What is asked for; in seconds since the epoch.

    :param since, until: SLAs that were over in this time.
    :param open_since: of open misses from outside of it, only those whose SLA was over since then.
    """

    since: float
    until: float
    open_since: float


class Listing(NamedTuple):
    """
    Closed misses of a window, with all of their alerts; the latest first.

    :param complete: whether these are all; if not, the oldest are missing.
    """

    misses: Sequence[RecordedMiss]
    complete: bool

    def of(self, dag_ids: Collection[str]) -> list[RecordedMiss]:
        return [miss for miss in self.misses if miss.dag_id in dag_ids]


class AlertRecord(NamedTuple):
    """
    What the claims tell of a window.

    :param closed: figures of the closed misses, by SLA.
    :param open: the open misses of the window, and those before and after it; the latest first.
    :param newest: the first closed misses of a list.
    :param complete: whether the window has no more alerts than were read.
    """

    closed: Sequence[SlaMisses]
    open: Sequence[RecordedMiss]
    newest: Listing
    complete: bool


def read_alerts(database: AlertDatabase, window: Window, most: int = MOST_ROWS) -> AlertRecord | None:
    """
    Return what the claims tell of a window.

    :param most: of the alerts of a longer window only the newest are read.
    :return: ``None`` if there is no table yet, because nobody was ever alerted.
    :raises ClaimsUnavailable: the database cannot be read now.
    """
    return database.read(CLAIMS, lambda rows: _Claims(rows, window, most).record(), None)


def read_closed(database: AlertDatabase, window: Window, dag_ids: Collection[str], at_least: int) -> Listing:
    """
    Return the latest closed misses of some DAGs.

    :param at_least: how many, if there are so many.
    :raises ClaimsUnavailable: the database cannot be read now.
    """

    def read(rows: TableRows) -> Listing:
        claims = _Claims(rows, window, MOST_ROWS)
        found = claims.listing(min(MOST_ROWS, max(FIRST_ROWS, 3 * at_least)), dag_ids)
        is_enough = found.complete or len(found.of(dag_ids)) >= at_least
        return found if is_enough else claims.listing(MOST_ROWS, dag_ids)

    return database.read(CLAIMS, read, Listing([], True))


class _Claims:
    """The table of the claims, read for one window."""

    def __init__(self, rows: TableRows, window: Window, most: int) -> None:
        from airflow_agari_provider.databases.statements import reading, table_columns

        with reading(rows.connection):
            there = table_columns(rows.dialect, rows.connection, CLAIMS.name)
        missing = "".join(f", NULL AS {name}" for name in AlertRow._fields if name not in there)
        # What an older version has not recorded is NULL in what is read
        self._table = f"(SELECT claims.*{missing} FROM {CLAIMS.name} claims)" if missing else CLAIMS.name  # noqa: S608
        self._rows, self._window, self._most = rows, window, most

    def record(self) -> AlertRecord:
        open_rows = self._open_rows()
        recoveries = self._recoveries(min([self._window.since, *(row.first_at for row in open_rows)]))
        opened = [miss for miss in recorded_misses(open_rows, recoveries) if miss.is_open and self._is_shown(miss)]
        closed, complete = self._closed()
        closed += self._troubled(recoveries, {row.alert for miss in opened for row in miss.alerts})
        return AlertRecord(closed, opened, self.listing(FIRST_ROWS, (), recoveries), complete)

    def listing(self, most: int, dag_ids: Collection[str], recoveries: Mapping[str, str] | None = None) -> Listing:
        """Return the closed misses of the latest alerts, whose rows are all read."""
        among, values = self._among(dag_ids)
        found = self._read(
            f"due_at >= ? AND due_at < ?{among} ORDER BY due_at DESC LIMIT {most + 1:d}",
            (self._window.since, self._window.until, *values),
        )
        if recoveries is None:
            recoveries = self._recoveries(min((row.first_at for row in found), default=self._window.until))
        rows = sorted(found, key=attrgetter("alert"))  # so that readers get the same list each time
        closed = [miss for miss in recorded_misses(rows, recoveries) if not miss.is_open]
        if len(found) <= most or most >= MOST_ROWS:
            return Listing(closed, True)
        # Of the last miss not all rows may be among these
        return Listing([miss for miss in closed if miss.due_at > (found[-1].due_at or 0.0) + 1], False)

    def _closed(self) -> tuple[list[SlaMisses], bool]:
        """Return the closed misses of the window, and whether these are of all of its alerts."""
        within, values = "due_at >= ? AND due_at < ? AND run <> ''", (self._window.since, self._window.until)
        ((alerts,),) = self._rows.query(f"SELECT COUNT(*) FROM {self._table} claim WHERE {within}", values)  # noqa: S608
        newest = f"ORDER BY first_at DESC LIMIT {self._most:d}" if alerts > self._most else ""
        key, joined = self._rows.dialect.text_key, self._rows.dialect.joined
        counts = ", ".join(f"SUM({state})" for state in COUNTED_STATES)
        run_of_old = "CASE WHEN dag_id IS NULL THEN run END"
        same_sla = ("environment", "dag_id", run_of_old, "task", "sla", "task_owner")
        found = self._rows.query(
            f"SELECT {', '.join(f'MIN({name})' for name in same_sla)}, "  # noqa: S608 - constants
            f"{joined.format(number='due_at - ?')}, {joined.format(number='came_in_at - due_at')}, {counts} "
            f"FROM ({self._misses(f'{within} {newest}')}) miss "
            f"GROUP BY {', '.join(key.format(text=name) for name in same_sla)}",
            (self._window.since, *values),
        )
        return [self._sla(*row) for row in found], alerts <= self._most

    def _misses(self, where: str) -> str:
        """Return SQL for a row of each closed miss, by the rules of ``recorded_misses``."""
        same_miss = ("run", "COALESCE(task, '')", "COALESCE(sla, CAST(ROUND(due_at) AS CHAR(20)))")
        same = ", ".join(self._rows.dialect.text_key.format(text=text) for text in same_miss)
        facts = ("environment", "dag_id", "run", "task", "sla", "due_at", "task_owner")
        first = ", ".join(f"MIN({name}) AS {name}" for name in facts)
        count = ", ".join(f"SUM(CASE WHEN state = '{state}' THEN 1 ELSE 0 END) AS {state}" for state in COUNTED_STATES)
        return (
            f"SELECT {first}, MIN(recovered_at) AS came_in_at, {count} "  # noqa: S608 - constants
            f"FROM (SELECT {FIGURED} FROM {self._table} claim WHERE {where}) newest GROUP BY {same} "
            "HAVING MIN(recovered_at) IS NOT NULL OR MIN(closed_at) IS NOT NULL"
        )

    def _sla(
        self,
        environment: str | None,
        dag_id: str | None,
        run: str | None,
        task: str | None,
        sla: str | None,
        owner: str | None,
        due: str,
        late: str | None,
        *states: int,
    ) -> SlaMisses:
        environment, dag_id, _ = named(environment, dag_id, None, run)
        return SlaMisses(
            environment,
            dag_id,
            task or "",
            sla or "",
            owner or "",
            [self._window.since + seconds for seconds in _numbers(due)],
            [max(0.0, seconds) for seconds in _numbers(late)],
            0,
            Counter({state: int(count) for state, count in zip(COUNTED_STATES, states, strict=True)}),
        )

    def _open_rows(self) -> list[AlertRow]:
        """Return all rows of runs that have anything open."""
        shown, values = "((due_at >= ? AND due_at < ?) OR due_at >= ?)", tuple(self._window)
        still_open = f"{shown} AND recovered_at IS NULL AND closed_at IS NULL ORDER BY due_at DESC LIMIT {MOST_ROWS:d}"
        found = self._rows.query(f"SELECT run FROM {self._table} claim WHERE {still_open}", values)  # noqa: S608
        runs = list(dict.fromkeys(run for (run,) in found if run))
        parts = [runs[first : first + MOST_NAMED] for first in range(0, len(runs), MOST_NAMED)]
        return [row for part in parts for row in self._read(f"{shown} AND run IN ({_marks(part)})", (*values, *part))]

    def _is_shown(self, miss: RecordedMiss) -> bool:
        since, until, open_since = self._window
        return since <= miss.due_at < until or miss.due_at >= open_since

    def _recoveries(self, since: float) -> dict[str, str]:
        """Return the state of each recovery that was begun since a time, by the name of its alert."""
        found = self._rows.query(
            f"SELECT alert, state FROM {self._table} claim WHERE {RECOVERIES} "  # noqa: S608
            f"AND (run IS NULL OR run = '') ORDER BY first_at DESC LIMIT {MOST_ROWS:d}",
            (since, f"{RECOVERY}%"),
        )
        return {alert.removeprefix(RECOVERY): state for alert, state in found}

    def _troubled(self, recoveries: Mapping[str, str], is_open: Collection[str]) -> list[SlaMisses]:
        """Return the states of recoveries that are doubtful and the like, as figures without a miss."""
        names = [name for name, state in recoveries.items() if state in COUNTED_STATES and name not in is_open]
        found: list[SlaMisses] = []
        for first in range(0, len(names), MOST_NAMED):
            some = names[first : first + MOST_NAMED]
            rows = self._read(
                f"due_at >= ? AND due_at < ? AND alert IN ({_marks(some)})",
                (self._window.since, self._window.until, *some),
            )
            for row in rows:
                if row.alert in recoveries:  # MySQL takes "a" and "A" for the same
                    environment, dag_id, _ = named(row.environment, row.dag_id, None, row.run)
                    states = Counter({recoveries[row.alert]: 1})
                    found.append(SlaMisses(environment, dag_id, row.task or "", row.sla or "", "", (), (), 0, states))
        return found

    def _among(self, dag_ids: Collection[str]) -> tuple[str, Sequence[str]]:
        if not dag_ids or len(dag_ids) > MOST_NAMED:
            return "", ()
        return f" AND (dag_id IS NULL OR dag_id IN ({_marks(dag_ids)}))", sorted(dag_ids)

    def _read(self, where: str, values: Sequence[Any]) -> list[AlertRow]:
        found = self._rows.query(f"SELECT {COLUMNS} FROM {self._table} claim WHERE {where}", values)  # noqa: S608
        return list(map(AlertRow._make, found))


def _numbers(joined: str | None) -> list[float]:
    return [float(number) for number in joined.split(",")] if joined else []


def _marks(values: Collection[str]) -> str:
    return ", ".join("?" * len(values))
