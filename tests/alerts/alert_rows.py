"""Rows of the claims, as tests of the alerts' record need them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

from airflow_agari_provider.alerts.claim_rows import CLAIMS
from airflow_agari_provider.alerts.claims import ClaimTable, id_of
from airflow_agari_provider.alerts.recorded_miss import AlertRow
from airflow_agari_provider.databases.dialects import dialect_of
from airflow_agari_provider.databases.statements import insert_sql

DUE = 1_780_000_000.0  # 2026-05-28 20:26:40 UTC


def alert_row(run_id: str = "r1", task: str = "load", **changed: Any) -> AlertRow:
    """An alert in Slack, a second after task ``load`` of DAG ``scoring`` should have been done."""
    run = f"EP|{changed.get('dag_id', 'scoring')}|{run_id}"
    sla, destination = changed.get("sla", "1800"), changed.get("destination", "Slack slack_default #late")
    row = AlertRow(
        alert=f"{run}|{task}|{sla}|0|{destination}",
        state="sent",
        claimed_at=DUE + 1,
        first_at=DUE + 1,
        reference="C012AB3CD:17.000001",
        run=run,
        task=task,
        destination=destination,
        incident=f"airflow/EP/scoring/{run_id}/{task or 'run'}",
        due_at=DUE,
        recovered_at=None,
        environment="EP",
        dag_id="scoring",
        run_id=run_id,
        task_owner="data",
        service="Slack",
        sla="1800",
    )
    return row._replace(**changed)


def write_rows(connect: Callable[[], Any], rows: Iterable[AlertRow]) -> None:
    """Write rows into the claims, whose table is made."""
    ClaimTable(connect).sent("")
    with closing(connect()) as connection, closing(connection.cursor()) as cursor:
        columns = ("id", *AlertRow._fields)
        sql = insert_sql(dialect_of(connection), CLAIMS.name, columns)
        cursor.executemany(sql, [(id_of(f"{number} {row.alert}"), *row) for number, row in enumerate(rows)])
        connection.commit()
