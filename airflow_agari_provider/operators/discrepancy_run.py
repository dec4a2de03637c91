"""One run of a discrepancy check: count, judge, store, tell, and end as the verdict says."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_agari_provider.airflow_errors import no_retry
from airflow_agari_provider.alerts.context_facts import moment
from airflow_agari_provider.discrepancy.comparisons import default_comparisons
from airflow_agari_provider.discrepancy.counted import UnusableCounts, settle_nulls_and_booleans
from airflow_agari_provider.discrepancy.counts import mapping_from_value, skips_from_value, texts_of_keys
from airflow_agari_provider.discrepancy.errors import HighDiscrepancies, ReportNotDelivered
from airflow_agari_provider.discrepancy.findings import Limits, judge
from airflow_agari_provider.discrepancy.keys import KeyRule
from airflow_agari_provider.discrepancy.reading import read_all, remarks_on, require_closed
from airflow_agari_provider.discrepancy.recheck import Recheck
from airflow_agari_provider.discrepancy.report import DiscrepancyReport
from airflow_agari_provider.discrepancy.report_text import text_report
from airflow_agari_provider.discrepancy.table import DiscrepancyTable
from airflow_agari_provider.notifications.discrepancy_report import ReportDelivery
from airflow_agari_provider.notifications.sla_miss_notifier import environment_or_default
from airflow_agari_provider.operators.discrepancy_lineage import send_gauges
from airflow_agari_provider.operators.discrepancy_sources import (
    keys_from,
    moment_of_run,
    s3_client,
    source_of,
)
from airflow_agari_provider.operators.discrepancy_usual import (
    counts_of_distributions,
    sources_of_distributions,
    unusual_in,
    with_history,
)
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
    :raises StageNotRead: a stage could not be read.
    :raises WindowStillOpen: messages of the window may still come.
    """
    require_closed(_end_of_window(check), datetime.now(UTC))
    key = check.key
    with no_retry(UnusableCounts):
        pool: dict[Any, str] = {}
        aws = (check.aws_conn_id, check.region_name)
        sources = [source_of(stage, key, pool, *aws) for stage in check.stages]
        distributions, not_read = sources_of_distributions(check, *aws)
        counted = read_all(sources, distributions, not_read.append)
        stages, shares = counted[: len(sources)], counted[len(sources) :]
        skips = skips_from_value(check.skips, key) if check.counts_skips else None
        settle_nulls_and_booleans(stages, (skips or {}).values() if isinstance(check.skips, str) else ())
        expected = keys_from(check.expected_keys, key) if check.expects_keys else ()
        notes = _by_key(mapping_from_value("notes", check.notes), key)
        facts = mapping_from_value("facts", check.facts)
    counts = {stage.stage: stage.counts for stage in stages}
    table = DiscrepancyTable(
        counts=counts,
        comparisons=check.comparisons or default_comparisons(list(counts), check.hidden_stages),
        skips=skips,
        hidden=check.hidden_stages,
        expected_keys=expected,
        distinct={stage.stage: stage.distinct for stage in stages if stage.with_distinct},
        notes={each: str(note) for each, note in notes.items()},
        key_name=check.key_name if isinstance(check.key_name, str) else " | ".join(check.key_name),
        unit=check.unit,
    )
    window = str(check.window or moment_of_run(context))
    counts_by_value, untold = counts_of_distributions(check, table, shares, not_read)
    unusual, untaught, usual = unusual_in(check, context, table, window, counts_by_value)
    judgement = judge(table, _limits(check), recheck.first if recheck else None, unusual)
    pairs = [(each.base, each.other) for each in table.comparisons if each.judge != "nothing"]
    remarks = [*judgement.remarks, *remarks_on({stage.stage: stage for stage in stages}, pairs), *untold, *untaught]
    ti = context["ti"]
    return DiscrepancyReport(
        table=table,
        findings=judgement.findings,
        alarms=judgement.alarms,
        discrepant_keys=judgement.discrepant,
        run=f"{ti.dag_id} on {getattr(ti, 'hostname', None) or socket.getfqdn()} completed {window}",
        title=" ".join(filter(None, (environment_or_default(check.environment), str(check.title)))),
        window=window,
        facts={str(name): str(value) for name, value in facts.items()},
        greeting=check.greeting,
        recheck=recheck,
        log_url=getattr(ti, "log_url", None),
        remarks=remarks,
        shares=counts_by_value,
        usual=usual,
    )


def conclude(check: DiscrepancyCheckOperator, context: Context, report: DiscrepancyReport) -> dict[str, Any]:
    """
    Tell everybody who should hear of it, and return the result.

    :raises AirflowFailException: there are discrepancies, and they should fail the task.
    :raises ReportNotDelivered: there are findings of which a channel could not be told; a retry tells it.
    """
    ti, history, past = context["ti"], None, None
    not_written: list[str] = []
    if check.report_url:
        report, not_written = _with_whole_table(check, report)
    if check.history_conn_id:
        report, history, past = with_history(report, check, context)
    check.concluded = report
    send_gauges(ti, report)
    text = text_report(report)
    logger.log(logging.WARNING if report.findings else logging.INFO, "%s\n%s", report.subject, text)
    result = report.result(text)
    if report.findings and check.do_xcom_push:
        _push(ti, result)  # now: the task may fail
    undelivered = [*not_written, *_delivery(check).send(ti, report, text, history, past, _generation(ti))]
    fails = _fails(check, report)
    if report.findings and undelivered and (past or not fails):
        # after a failure that cannot be retried, these channels would never hear of it
        raise ReportNotDelivered(report.run, undelivered)
    if fails:
        with no_retry(HighDiscrepancies):
            unusual = all(finding.is_unusual for finding in report.alarming)
            raise HighDiscrepancies(report.run, report.alarms or 0, str(report.alarming[0]), undelivered, unusual)
    return result


def _with_whole_table(
    check: DiscrepancyCheckOperator, report: DiscrepancyReport
) -> tuple[DiscrepancyReport, list[str]]:
    """Write the whole table to S3, and return the report that links to it; if that fails, all others are still told."""
    from airflow_agari_provider.discrepancy.report_csv import upload_table

    url = str(check.report_url)
    try:
        upload_table(s3_client(check.aws_conn_id, check.region_name), report.table, url)
    except Exception as error:
        logger.exception("The whole table could not be written to %s", url)
        problem = f"The whole table could not be written to {url}: {type(error).__name__}: {error}."
        return replace(report, remarks=[*report.remarks, problem]), ["S3"]
    return replace(report, report_url=url), []


def _end_of_window(check: DiscrepancyCheckOperator) -> datetime | None:
    """:raises ValueError: it is no time."""
    if not check.window_end:
        return None
    try:
        end = moment(check.window_end)
    except ValueError as error:
        raise ValueError(f"window_end is {check.window_end!r}, which is no time in ISO 8601") from error
    return (end if end.tzinfo else end.replace(tzinfo=UTC)) + check.grace


def _by_key(values: Mapping[Any, Any], key: KeyRule) -> dict[str, Any]:
    return dict(zip(texts_of_keys(values, key), values.values(), strict=True))


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
    with no_retry(UnusableCounts):
        tolerances = _by_key(check.tolerances or {}, check.key)
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
