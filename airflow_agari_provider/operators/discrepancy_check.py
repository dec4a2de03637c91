"""Count the same messages at every stage of a pipeline, and say where some were lost."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow_agari_provider.airflow_compat import BaseHook, BaseOperator, default_deferrable
from airflow_agari_provider.airflow_errors import no_retry
from airflow_agari_provider.airflow_runs import run_date, task_name
from airflow_agari_provider.discrepancy.comparisons import (
    Comparison,
    Tolerance,
    check_names,
    check_skips,
    default_comparisons,
)
from airflow_agari_provider.discrepancy.counts import (
    UnusableCounts,
    counts_from_rows,
    counts_from_value,
    key_text,
    keys_from_value,
    skips_from_value,
)
from airflow_agari_provider.discrepancy.errors import HighDiscrepancies, ReportNotDelivered
from airflow_agari_provider.discrepancy.findings import find_discrepancies
from airflow_agari_provider.discrepancy.history import EarlierRun, exchange_findings
from airflow_agari_provider.discrepancy.report import DiscrepancyReport, Recheck
from airflow_agari_provider.discrepancy.report_text import text_report
from airflow_agari_provider.discrepancy.stage import Stage
from airflow_agari_provider.discrepancy.table import DiscrepancyTable
from airflow_agari_provider.exceptions import require_one_of
from airflow_agari_provider.notifications.discrepancy_report import ReportDelivery
from airflow_agari_provider.notifications.sla_miss_notifier import environment_or_default

if TYPE_CHECKING:
    from airflow_agari_provider.airflow_compat import Context

__all__ = ["Comparison", "DiscrepancyCheckOperator", "Stage", "Tolerance"]


class DiscrepancyCheckOperator(BaseOperator):
    """
    Compare the counts of each key at several stages; report by mail, and on a discrepancy alert, page, and fail.

    With stages named ``Collector``, ``Agg``, ``DB`` and optionally ``NRT DB``, the default comparisons are those of the
    report that Agari published. With any other stages, each stage is compared with the next.

    :param stages: two or more, in the order of the pipeline.
    :param comparisons: differences to show and to judge.
    :param skips: ``{reason: {key: count}}``, a task's output, or a template that renders to one: how many messages were
        rightly skipped in the comparison that is judged by its gains (by default: between ``Collector`` and ``Agg``).
        What they do not account for exactly is then a discrepancy. ``None``: they are not counted.
    :param tolerance: how much may differ without being a discrepancy.
    :param tolerances: key -> tolerance of that key alone, which replaces every other tolerance.
    :param expected_keys: keys that have a row even if every stage is silent about them: a list, a task's output, or a
        template that renders to one.
    :param notes: key -> text for the last column.
    :param title: what the report is about.
    :param environment: such as ``EP_STAGE``; stands before the title. Default: ``[agari] environment``.
    :param window: the time that was counted, for the report's header and the alert; default: the run's logical date.
    :param facts: further figures for the report's header, name -> value.
    :param greeting: first words of the mail, before its head: one line for each of the ``facts``, and the messages.
        ``None``: the mail has no head.
    :param key_name: heading of the first column.
    :param unit: what is counted; follows the stages' names in the headings.
    :param on_discrepancy: ``"fail"`` sends the report and the alerts, and then fails the task without retry;
        ``"alert"`` only sends them.
    :param recheck_after: on a discrepancy, wait this long and count again before sending anything, for databases that
        are still catching up; ``None`` sends at once. Stages that are not queries keep their counts.
    :param history_conn_id: connection of a database that keeps what each run found (table ``agari_discrepancies``). The
        report then says which discrepancies are new, growing, the same or recovered, and Slack gets only new and
        growing ones. ``None`` keeps no history.
    :param email_to: addresses that get the report after every run.
    :param email_from: sender; default: the SMTP connection's ``from_email``.
    :param smtp_conn_id: connection to the mail server.
    :param slack_conn_id: connection (``slack`` or ``slackwebhook``) for the alert, which is sent only on a discrepancy
        (with a history: only if one is new or growing).
    :param slack_channel: channel of the alert; only with an API token.
    :param victorops_conn_id: connection through which a discrepancy (with a history: one that is new or growing) opens
        an incident. A retry, or a run after the task was cleared, closes it if it finds no discrepancy. ``None`` or
        empty: no incident.
    :param deferrable: wait for the recheck in the triggerer rather than in a worker's slot.

    Returns ``{"verdict": "ok" | "high discrepancies", "keys", "discrepant", "columns", "rows", "totals", "findings",
    "skipped", "text"}``; with more than 1,000 keys ``rows`` holds the 50 worst. It is pushed to XCom even if the task
    fails.

    A service that is down never hides the verdict. If there is no discrepancy, the task then succeeds, with an error in
    its log. If there is one, a message that could not be sent fails the task; with ``on_discrepancy="alert"`` Airflow
    may then retry it.
    """

    template_fields: Sequence[str] = (
        "stages",
        "skips",
        "expected_keys",
        "notes",
        "title",
        "environment",
        "window",
        "facts",
        "greeting",
        "history_conn_id",
        "email_to",
        "email_from",
        "smtp_conn_id",
        "slack_conn_id",
        "slack_channel",
        "victorops_conn_id",
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"stages": "json"}  # noqa: RUF012 (Airflow's own form)

    def __init__(
        self,
        *,
        stages: Sequence[Stage],
        comparisons: Sequence[Comparison] | None = None,
        skips: Any | None = None,
        tolerance: Tolerance = Tolerance(),  # noqa: B008 (immutable)
        tolerances: Mapping[Any, Tolerance] | None = None,
        expected_keys: Any | None = None,
        notes: Mapping[Any, str] | None = None,
        title: str = "Message counts",
        environment: str | None = None,
        window: str | None = None,
        facts: Mapping[str, Any] | None = None,
        greeting: str | None = None,
        key_name: str = "Org_ID",
        unit: str = "Msgs",
        on_discrepancy: Literal["fail", "alert"] = "fail",
        recheck_after: timedelta | None = None,
        history_conn_id: str | None = None,
        email_to: str | Sequence[str] | None = None,
        email_from: str | None = None,
        smtp_conn_id: str = "smtp_default",
        slack_conn_id: str | None = None,
        slack_channel: str | None = None,
        victorops_conn_id: str | None = None,
        deferrable: bool = default_deferrable(),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require_one_of("on_discrepancy", on_discrepancy, ("fail", "alert"))
        self.stages = stages
        self.comparisons = comparisons
        self.skips = skips
        # a template may render to None: then it is not known what was skipped or expected, which does not mean nothing
        self._counts_skips = skips is not None
        self.tolerance = tolerance
        self.tolerances = tolerances
        self.expected_keys = expected_keys
        self._expects_keys = expected_keys is not None
        self.notes = notes
        self.title = title
        self.environment = environment
        self.window = window
        self.facts = facts
        self.greeting = greeting
        self.key_name = key_name
        self.unit = unit
        self.on_discrepancy = on_discrepancy
        self.recheck_after = recheck_after
        self.history_conn_id = history_conn_id
        self.email_to = email_to
        self.email_from = email_from
        self.smtp_conn_id = smtp_conn_id
        self.slack_conn_id = slack_conn_id
        self.slack_channel = slack_channel
        self.victorops_conn_id = victorops_conn_id
        self.deferrable = deferrable
        names = [stage["name"] for stage in stages]
        check_names(names, comparisons or (), self._hidden)
        if self._counts_skips:
            check_skips(comparisons or default_comparisons(names, self._hidden))

    def execute(self, context: Context) -> dict[str, Any]:
        report = self._count(context)
        if not (report.findings and self.recheck_after and any(stage["sql"] for stage in self.stages)):
            return self._conclude(context, report)
        self.log.warning("%s Counting again in %s, before the report is sent", report.summary, self.recheck_after)
        if self.deferrable:
            from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger

            self.defer(
                trigger=TimeDeltaTrigger(self.recheck_after),
                method_name="execute_recheck",
                kwargs={"discrepant_keys": report.discrepant},
            )
        time.sleep(self.recheck_after.total_seconds())
        return self.execute_recheck(context, discrepant_keys=report.discrepant)

    def execute_recheck(
        self, context: Context, event: Any = None, discrepant_keys: int | None = None
    ) -> dict[str, Any]:
        """
        Count again after the wait; this second count decides.

        :param event: the trigger's event; not used.
        :param discrepant_keys: how many keys the first count found; ``airflow dags test`` does not pass it on.
        """
        assert self.recheck_after is not None
        return self._conclude(context, self._count(context, Recheck(discrepant_keys, self.recheck_after)))

    def _count(self, context: Context, recheck: Recheck | None = None) -> DiscrepancyReport:
        with no_retry(UnusableCounts):
            counts = {stage["name"]: self._counts_of(stage) for stage in self.stages}
            skips = skips_from_value(self.skips) if self._counts_skips else None
            expected = keys_from_value(self.expected_keys) if self._expects_keys else ()
        table = DiscrepancyTable(
            counts=counts,
            comparisons=self.comparisons or default_comparisons(list(counts), self._hidden),
            skips=skips,
            hidden=self._hidden,
            expected_keys=expected,
            notes={key_text(key): str(note) for key, note in (self.notes or {}).items()},
            key_name=self.key_name,
            unit=self.unit,
        )
        tolerances = {key_text(key): tolerance for key, tolerance in (self.tolerances or {}).items()}
        window = self.window or _moment_of_run(context)
        ti = context["ti"]
        return DiscrepancyReport(
            table=table,
            findings=find_discrepancies(table, self.tolerance, tolerances),
            run=f"{ti.dag_id} on {getattr(ti, 'hostname', None) or socket.getfqdn()} completed {window}",
            title=" ".join(filter(None, (environment_or_default(self.environment), self.title))),
            window=window,
            facts={name: str(value) for name, value in (self.facts or {}).items()},
            greeting=self.greeting,
            recheck=recheck,
            log_url=getattr(ti, "log_url", None),
        )

    def _counts_of(self, stage: Mapping[str, Any]) -> dict[str, int]:
        if not stage["sql"]:
            return counts_from_value(stage["name"], stage["counts"])
        rows = BaseHook.get_connection(stage["conn_id"]).get_hook().get_records(stage["sql"])
        return counts_from_rows(stage["name"], rows)

    def _conclude(self, context: Context, report: DiscrepancyReport) -> dict[str, Any]:
        if self.history_conn_id:
            report = replace(report, earlier=self._exchange_findings(context, report))
        text = text_report(report)
        self.log.log(logging.WARNING if report.findings else logging.INFO, "%s\n%s", report.subject, text)
        result = report.result(text)
        if report.findings and self.do_xcom_push:
            context["ti"].xcom_push(key="return_value", value=result)  # now: what follows may fail
        undelivered = self._delivery.send(context["ti"], report, text)
        if report.findings and (self.on_discrepancy == "fail" or undelivered):
            if self.on_discrepancy == "alert":
                raise ReportNotDelivered(report.run, undelivered)
            with no_retry(HighDiscrepancies):
                raise HighDiscrepancies(report.run, len(report.findings), str(report.findings[0]), undelivered)
        return result

    @property
    def _hidden(self) -> set[str]:
        return {stage["name"] for stage in self.stages if not stage["shown"]}

    @property
    def _delivery(self) -> ReportDelivery:
        return ReportDelivery(
            self.email_to,
            self.email_from,
            self.smtp_conn_id,
            self.slack_conn_id,
            self.slack_channel,
            self.victorops_conn_id,
            self.environment,
        )

    def _exchange_findings(self, context: Context, report: DiscrepancyReport) -> EarlierRun | None:
        ti = context["ti"]
        hook = BaseHook.get_connection(self.history_conn_id).get_hook()
        with closing(hook.get_conn()) as connection:
            return exchange_findings(
                connection, hook.placeholder, ti.dag_id, task_name(ti), _moment_of_run(context), report.findings
            )


def _moment_of_run(context: Context) -> str:
    """Return the run's date, in UTC, as text that sorts by time."""
    date = run_date(context["dag_run"])
    assert date is not None, "a run has a logical date, or a time at which it was due"
    return date.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
