"""The database of the alerts' tables: one connection for each use, and a limited time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any, TypeVar

from airflow_agari_provider.alerts.table_rows import AlertTable, TableRows
from airflow_agari_provider.alerts.threads import Patience
from airflow_agari_provider.exceptions import AgariError

ANSWERS_WITHIN = 4.0  # seconds for connecting and all statements; a task that may be late waits for them
SILENT_FOR = 15.0  # seconds for which a database that did not answer is not asked again

Result = TypeVar("Result")


class ClaimsUnavailable(AgariError):
    """
    The tables of the alerts could be neither read nor written.

    :param problem: the error of the database, or of what opens connections to it.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"The database of the claims cannot be used: {self.problem}"


class AlertDatabase:
    """
    Where the tables of the alerts are.

    :param connect: opens a DB-API connection to PostgreSQL, MySQL, MariaDB or SQLite.
    :param prepare: called before each use, and not in the thread that connects; for what Airflow answers only there.
    :param patience: for how long the database may take; shared by all that use one database.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        prepare: Callable[[], object] = lambda: None,
        patience: Patience | None = None,
    ) -> None:
        self._connect = connect
        self._prepare = prepare
        self.patience = patience or Patience(ANSWERS_WITHIN, SILENT_FOR)
        self._there: set[str] = set()

    def run(self, table: AlertTable, work: Callable[[TableRows], Result]) -> Result:
        """
        Work on a table, which is made if it is missing, on a new connection and for a limited time.

        :raises ClaimsUnavailable: the database cannot be used, or did not answer in time; no other error is raised.
        """
        return self._run(table, lambda rows: self._made(rows, work))

    def read(self, table: AlertTable, work: Callable[[TableRows], Result], missing: Result) -> Result:
        """Like :meth:`run`, but make nothing: return ``missing`` if there is no such table."""
        return self._run(table, lambda rows: work(rows) if self._exists(rows) else missing)

    def _run(self, table: AlertTable, work: Callable[[TableRows], Result]) -> Result:
        from airflow_agari_provider.databases.dialects import dialect_of

        def on_connection(is_wanted: Callable[[], bool]) -> Result:
            with closing(self._connect()) as connection:
                dialect = dialect_of(connection)
                dialect.prepare(connection)
                return work(TableRows(table, dialect, connection, is_wanted))

        try:
            self._prepare()
            return self.patience.run(on_connection)
        except Exception as error:  # any error of a driver, or of what opens the connections
            raise ClaimsUnavailable(f"{type(error).__name__}: {error}") from error

    def _made(self, rows: TableRows, work: Callable[[TableRows], Result]) -> Result:
        if rows.table.name not in self._there:
            rows.create()
            self._there.add(rows.table.name)
        return work(rows)

    def _exists(self, rows: TableRows) -> bool:
        if rows.table.name not in self._there and not rows.exists():
            return False
        self._there.add(rows.table.name)
        return True
