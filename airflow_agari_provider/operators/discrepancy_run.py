"""One run of a discrepancy check: count, judge, store, tell, and end as the verdict says."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_agari_provider.airflow_compat import BaseHook
from airflow_agari_provider.airflow_errors import no_retry
from airflow_agari_provider.discrepancy.comparisons import default_comparisons
from airflow_agari_provider.discrepancy.counts import (
    UnusableCounts,
    counts_from_rows,
    counts_from_value,
    key_text,
    keys_from_value,
    skips_from_value,
)
from airflow_agari_provider.discrepancy.errors import HighDiscrepancies, ReportNotDelivered
from airflow_agari_provider.discrepancy.findings import Limits, judge
from airflow_agari_provider.discrepancy.history import named_windows
from airflow_agari_provider.discrepancy.report import DiscrepancyReport, Recheck
from airflow_agari_provider.discrepancy.report_text import text_report
from airflow_agari_provider.discrepancy.table import DiscrepancyTable
from airflow_agari_provider.notifications.discrepancy_report import ReportDelivery
from airflow_agari_provider.notifications.sla_miss_notifier import environment_or_default
from airflow_agari_provider.operators.discrepancy_sources import moment_of_run, with_history
from airflow_agari_provider.scoring.task_run import generation_of

if TYPE_CHECKING:
    from airflow_agari_provider.airflow_compat import Context
    from airflow_agari_provider.operators.discrepancy_check import DiscrepancyCheckOperator

logger = logging.getLogger(__name__)


def counted_report(
    check: DiscrepancyCheckOperator, context: Context, recheck: Recheck | None = None
) -> DiscrepancyReport:
    """
    Read every stage and judge the counts.

    :param recheck: the first reading, if this is the second.
    :raises AirflowFailException: counts, skips or expected keys are not usable.
    """
    with no_retry(UnusableCounts):
        counts = {stage["name"]: _counts_of(stage) for stage in check.stages}
        skips = skips_from_value(check.skips) if check.counts_skips else None
        expected = keys_from_value(check.expected_keys) if check.expects_keys else ()
    table = DiscrepancyTable(
        counts=counts,
        comparisons=check.comparisons or default_comparisons(list(counts), check.hidden_stages),
        skips=skips,
        hidden=check.hidden_stages,
        expected_keys=expected,
        notes={key_text(key): str(note) for key, note in (check.notes or {}).items()},
        key_name=check.key_name,
        unit=check.unit,
    )
    judgement = judge(table, _limits(check))
    window = check.window or moment_of_run(context)
    ti = context["ti"]
    return DiscrepancyReport(
        table=table,
        findings=judgement.findings,
        alarms=judgement.alarms,
        discrepant_keys=judgement.discrepant,
        run=f"{ti.dag_id} on {getattr(ti, 'hostname', None) or socket.getfqdn()} completed {window}",
        title=" ".join(filter(None, (environment_or_default(check.environment), check.title))),
        window=window,
        facts={name: str(value) for name, value in (check.facts or {}).items()},
        greeting=check.greeting,
        recheck=recheck,
        log_url=getattr(ti, "log_url", None),
    )


def conclude(check: DiscrepancyCheckOperator, context: Context, report: DiscrepancyReport) -> dict[str, Any]:
    """
    Tell everybody who should hear of it, and return the result.

    :raises AirflowFailException: there are discrepancies, and they should fail the task.
    :raises ReportNotDelivered: there are findings of which a channel could not be told; a retry tells it.
    """
    ti, history, past = context["ti"], None, None
    if check.history_conn_id:
        report, history, past = with_history(
            report,
            check.history_conn_id,
            context,
            kept_runs=check.history_runs,
            growth=check.growth,
            accepted=named_windows(check.accepted_windows),
        )
    text = text_report(report)
    logger.log(logging.WARNING if report.findings else logging.INFO, "%s\n%s", report.subject, text)
    result = report.result(text)
    if report.findings and check.do_xcom_push:
        _push(ti, result)  # now: the task may fail
    undelivered = _delivery(check).send(ti, report, text, history, past, _generation(ti))
    fails = _fails(check, report)
    if report.findings and undelivered and (past or not fails):
        # after a failure that cannot be retried, these channels would never hear of it
        raise ReportNotDelivered(report.run, undelivered)
    if fails:
        with no_retry(HighDiscrepancies):
            raise HighDiscrepancies(report.run, report.alarms or 0, str(report.alarming[0]), undelivered)
    return result


def _counts_of(stage: Mapping[str, Any]) -> dict[str, int]:
    if not stage["sql"]:
        return counts_from_value(stage["name"], stage["counts"])
    rows = BaseHook.get_connection(stage["conn_id"]).get_hook().get_records(stage["sql"])
    return counts_from_rows(stage["name"], rows)


def _push(ti: Any, result: dict[str, Any]) -> None:
    try:
        ti.xcom_push(key="return_value", value=result)
    except Exception:
        logger.exception("The result could not be pushed to XCom; the report is sent all the same")


def _fails(check: DiscrepancyCheckOperator, report: DiscrepancyReport) -> bool:
    """Whether what alarms should fail the task: that nothing was counted has a setting of its own."""
    settings = {check.on_empty if finding.scope == "empty" else check.on_discrepancy for finding in report.alarming}
    return "fail" in settings


def _limits(check: DiscrepancyCheckOperator) -> Limits:
    tolerances = {key_text(key): tolerance for key, tolerance in (check.tolerances or {}).items()}
    own = (check.total_tolerance, check.warn_tolerance, check.on_empty, check.on_silent)
    return Limits(check.tolerance, tolerances, *own)


def _delivery(check: DiscrepancyCheckOperator) -> ReportDelivery:
    return ReportDelivery(
        check.email_to,
        check.email_from,
        check.smtp_conn_id,
        check.slack_conn_id,
        check.slack_channel,
        check.victorops_conn_id,
        check.environment,
        one_incident=bool(check.history_conn_id),
    )


def _generation(ti: Any) -> int:
    return generation_of(getattr(ti, "max_tries", 0) or 0, getattr(getattr(ti, "task", None), "retries", 0) or 0)
