"""What a discrepancy check gets from Airflow's connections: its stages' counts and its history."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Any

from airflow_agari_provider.airflow_compat import BaseHook
from airflow_agari_provider.airflow_runs import run_date, task_name
from airflow_agari_provider.discrepancy.check_history import CheckHistory, HistoryUnavailable
from airflow_agari_provider.discrepancy.history import LOG, Past
from airflow_agari_provider.discrepancy.report import DiscrepancyReport

if TYPE_CHECKING:
    from airflow_agari_provider.airflow_compat import Context

logger = logging.getLogger(__name__)


def with_history(
    report: DiscrepancyReport, conn_id: str, context: Context, **settings: Any
) -> tuple[DiscrepancyReport, CheckHistory | None, Past | None]:
    """
    Store a run, and return its report with what the runs before found, the history, and all its runs.

    If the history cannot be used, the log and the report say so, and nobody knows of the runs before.

    :param settings: of :class:`~airflow_agari_provider.discrepancy.check_history.CheckHistory`.
    """
    ti, history, past = context["ti"], None, None
    try:
        hook = hook_of(conn_id)
        history = CheckHistory(hook.get_conn, hook.placeholder, ti.dag_id, task_name(ti), **settings)
        past, problem = history.exchange(moment_of_run(context), ti.run_id, report)
    except Exception as error:  # noqa: BLE001 - whatever the history raises, everybody is told
        known = isinstance(error, HistoryUnavailable)
        problem = str(error if known else HistoryUnavailable(f"{type(error).__name__}: {error}"))
    if problem:
        logger.error("%s", problem)
        report = replace(report, remarks=[*report.remarks, problem])
    return replace(report, earlier=past.earlier(LOG) if past else None), history, past


def hook_of(conn_id: str) -> Any:
    """Return the hook of a connection, which any thread may use: it does not ask Airflow for the connection again."""
    connection = BaseHook.get_connection(conn_id)
    hook = connection.get_hook()
    hook.get_connection = lambda *_, **__: connection
    return hook


def moment_of_run(context: Context) -> str:
    """Return the run's date, in UTC, as text that sorts by time."""
    date = run_date(context["dag_run"])
    assert date is not None, "a run has a logical date, or a time at which it was due"
    return date.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
