"""Read the claims as a record of alerts. Nothing is changed, and tables of older versions are read too."""

from __future__ import annotations

from airflow_agari_provider.alerts.alert_database import AlertDatabase
from airflow_agari_provider.alerts.claim_rows import CLAIMS
from airflow_agari_provider.alerts.recorded_miss import RECOVERY, AlertRow
from airflow_agari_provider.alerts.table_rows import TableRows

MOST_ROWS = 50_000  # read at once, the newest: about ten megabytes


def read_alerts(
    database: AlertDatabase, since: float, until: float, open_since: float, most: int = MOST_ROWS
) -> tuple[list[AlertRow], bool] | None:
    """
    Return the rows of alerts about SLAs that were over within a time, and of older and newer ones that are still open.

    :param since, until: seconds since the epoch.
    :param open_since: of the open ones, only those whose SLA was over since then.
    :param most: the newest rows are returned.
    :return: the rows, and whether these are all; ``None`` if there is no table yet, because nobody was ever alerted.
    :raises ClaimsUnavailable: the database cannot be read now.
    """

    def read(rows: TableRows) -> tuple[list[AlertRow], bool]:
        from airflow_agari_provider.databases.statements import reading, table_columns

        with reading(rows.connection):
            there = table_columns(rows.dialect, rows.connection, CLAIMS.name)
        columns = [name if name in there else f"NULL AS {name}" for name in AlertRow._fields]
        still_open = " AND ".join(f"{name} IS NULL" for name in ("recovered_at", "closed_at") if name in there)
        found = rows.rows(
            f"SELECT {', '.join(columns)}",
            f"WHERE (due_at >= ? AND due_at < ?) OR (due_at >= ? AND {still_open}) "
            f"OR (due_at IS NULL AND first_at >= ? AND alert LIKE ?) ORDER BY first_at DESC LIMIT {most + 1:d}",
            (since, until, open_since, min(since, open_since), f"{RECOVERY}%"),
        )
        return list(map(AlertRow._make, found[:most])), len(found) <= most

    return database.read(CLAIMS, read, None)
