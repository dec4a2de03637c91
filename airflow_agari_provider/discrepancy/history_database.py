"""The database of the history: one connection for each use, and a limited time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_agari_provider.alerts.threads import Patience
from airflow_agari_provider.exceptions import AgariError

if TYPE_CHECKING:
    from airflow_agari_provider.databases.base import Dialect

ANSWERS_WITHIN = 20.0  # seconds, for connecting and all statements of one use
SILENT_FOR = 120.0  # seconds for which a database that did not answer is not asked again

Result = TypeVar("Result")


def usual_patience() -> Patience:
    return Patience(ANSWERS_WITHIN, SILENT_FOR)


class HistoryUnavailable(AgariError):
    """
    The history could be neither read nor written.

    :param problem: the error of the database, or of what opens connections to it.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return (
            f"The history cannot be used: {self.problem}. So every finding counts as new, and a repaired window is not"
            " recognised. Check the connection of history_conn_id, and the rights of its user."
        )


@dataclass(frozen=True)
class HistoryDatabase:
    """
    Where the history is.

    :param connect: opens a DB-API connection.
    :param placeholder: of a value in SQL, as the connection's hook has it.
    :param patience: for how long the database may take; shared by all that use one database.
    """

    connect: Callable[[], Any]
    placeholder: str
    patience: Patience = field(default_factory=usual_patience)

    def use(self, work: Callable[[Dialect, Any], Result]) -> Result:
        """
        Work on a new connection, in a thread of its own, for a limited time.

        :raises HistoryUnavailable: whatever went wrong; no other error is raised.
        """
        from airflow_agari_provider.databases.dialects import any_dialect_of

        def on_connection(is_wanted: Callable[[], bool]) -> Result:
            with closing(self.connect()) as connection:
                dialect = any_dialect_of(connection, self.placeholder)
                dialect.prepare(connection)
                return work(dialect, connection)

        try:
            return self.patience.run(on_connection)
        except Exception as error:  # any error of a driver, or of what opens the connections
            raise HistoryUnavailable(f"{type(error).__name__}: {error}") from error
