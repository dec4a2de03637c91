"""The rows of the claims: their columns, and the few statements that read and change them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_agari_provider.databases.base import Dialect

TABLE = "agari_alert_claims"
# The columns that a claim itself needs, then those that tell later readers what the alert was about. Columns that a
# table of an older version lacks are added, and are NULL in its rows.
_KINDS: Mapping[str, str] = {
    "id": "text",
    "alert": "text",
    "owner": "text",
    "state": "text",
    "claimed_at": "double",
    "first_at": "double",
    "reference": "text",
    "run": "text",
    "task": "text",
    "destination": "text",
    "incident": "text",
    "due_at": "double",
    "payload": "text",
    "recovered_at": "double",
}
COLUMNS = tuple(_KINDS)


@dataclass(frozen=True)
class About:
    """
    What an alert is about: the columns of its row by which others find it.

    :param run: name of the run: environment, DAG and run id.
    :param task: task id; empty for the run itself.
    :param destination: where the alert goes.
    :param incident: identity of the incident that it opens, which misses may share.
    :param due_at: when the SLA was over; seconds since the epoch.
    :param payload: the SLA and the run, as :func:`~airflow_agari_provider.alerts.sla_payload.row_payload` writes them:
        with them a later process can send what follows, such as a recovery.
    """

    run: str = ""
    task: str = ""
    destination: str = ""
    incident: str = ""
    due_at: float | None = None
    payload: str = ""


UNKNOWN = About()


@dataclass
class ClaimRows:
    """
    The table on one connection.

    :param connection: DB-API connection, prepared by its dialect.
    :param is_wanted: whether anybody still waits for what is changed; if not, it is not committed.
    """

    dialect: Dialect
    connection: Any
    is_wanted: Callable[[], bool] = lambda: True

    def create(self) -> None:
        """Create the table, or add the columns that it lacks."""
        from airflow_agari_provider.avro.columns import Column
        from airflow_agari_provider.databases.base import Target
        from airflow_agari_provider.databases.statements import add_column, create_table, reading, table_columns

        with reading(self.connection):
            there = self.dialect.table_exists(self.connection, TABLE)
            present = table_columns(self.dialect, self.connection, TABLE) if there else []
        columns = tuple(Column(name, None, kind) for name, kind in _KINDS.items())  # type: ignore[arg-type]
        if not there:
            create_table(self.dialect, self.connection, Target(TABLE, columns, ("id",)))
            return
        for column in columns:
            if column.name not in present:
                add_column(self.dialect, self.connection, TABLE, column)
                self.connection.commit()

    def insert(self, row: Mapping[str, Any]) -> int:
        """
        Insert a row if there is none with its id. Return how many were inserted.

        It has a transaction of its own: if it went on to an UPDATE, two such transactions could deadlock in MySQL.
        """
        verb, suffix = self.dialect.insert_if_absent
        places = ", ".join("?" * len(row))
        return self.change(f"{verb} INTO {TABLE} ({', '.join(row)}) VALUES ({places}) {suffix}", tuple(row.values()))

    def change(self, sql: str, values: tuple[Any, ...]) -> int:
        """Run a statement in a transaction of its own. Return how many rows it changed."""
        from airflow_agari_provider.databases.statements import execute, transaction, with_placeholders

        with transaction(self.dialect, self.connection):
            changed = execute(self.connection, with_placeholders(sql, self.dialect.placeholder), values)
            if not self.is_wanted():
                raise TimeoutError("nobody waits for this change any more")
            return changed

    def rows(self, select: str, where: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        from airflow_agari_provider.databases.statements import query, reading, with_placeholders

        with reading(self.connection):
            sql = with_placeholders(f"{select} FROM {TABLE} {where}", self.dialect.placeholder)
            return query(self.connection, sql, values)
