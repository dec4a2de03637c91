"""Count the same messages at every stage of a pipeline, and say where some were lost."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow_agari_provider.airflow_compat import BaseOperator, default_deferrable
from airflow_agari_provider.discrepancy.check_history import KEPT_RUNS
from airflow_agari_provider.discrepancy.comparisons import STRICT, Comparison, Tolerance
from airflow_agari_provider.discrepancy.distribution import Distribution
from airflow_agari_provider.discrepancy.expected_volume import Expected
from airflow_agari_provider.discrepancy.findings import identities
from airflow_agari_provider.discrepancy.history import GROWTH
from airflow_agari_provider.discrepancy.keys import KeyRule
from airflow_agari_provider.discrepancy.recheck import Recheck
from airflow_agari_provider.discrepancy.stage import Stage, may_change
from airflow_agari_provider.operators.discrepancy_arguments import require_arguments
from airflow_agari_provider.operators.discrepancy_lineage import check_lineage
from airflow_agari_provider.operators.discrepancy_run import conclude, counted_report

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_agari_provider.airflow_compat import Context
    from airflow_agari_provider.discrepancy.report import DiscrepancyReport

__all__ = ["Comparison", "DiscrepancyCheckOperator", "Distribution", "Expected", "Stage", "Tolerance"]


class DiscrepancyCheckOperator(BaseOperator):
    """
    Compare the counts of each key at several stages; report by mail, and on a discrepancy alert, page, and fail.

    With stages named ``Collector``, ``Agg``, ``DB`` and optionally ``NRT DB``, the default comparisons are those of the
    report that Agari published. With any other stages, each stage is compared with the next.

    :param stages: two or more, in the order of the pipeline.
    :param comparisons: differences to show and to judge.
    :param key: how keys are brought to text, so that they match between the stages: ``"auto"``, ``"text"`` (as they
        are), ``"int"``, ``"uuid"``, ``"bool"``, ``"date"``, ``"datetime"``, or a function of the key; a list of these
        for a key of several columns. NULL is a key of its own.
    :param skips: ``{reason: {key: count}}``, a task's output, or a template that renders to one: how many messages were
        rightly skipped in the comparison that is judged by its gains (by default: between ``Collector`` and ``Agg``).
        What they do not account for exactly is then a discrepancy. ``None``: they are not counted.
    :param tolerance: how much a key may differ without being a discrepancy.
    :param tolerances: key -> tolerance of that key alone, which replaces every other tolerance.
    :param total_tolerance: how much all keys may differ together that are each within their tolerance. ``None``: no
        more than one of them may.
    :param warn_tolerance: a key within its tolerance but beyond this one is a warning: mail and Slack tell it, nobody
        is paged, and the task succeeds. Not for keys of ``tolerances``. ``None``: no warnings.
    :param on_empty: if every judged stage is empty: ``"fail"`` tells it as a discrepancy and fails the task without
        retry; ``"alert"`` only tells it; ``"ok"``: nothing is wrong.
    :param expected_keys: keys that have a row even if every stage is silent about them: a list, a task's output, or a
        template that renders to one; or ``Stage(name, sql=, conn_id=)``, a query of the keys.
    :param on_silent: what an expected key is that is silent in every stage: ``"ok"``, which only the report's summary
        names; a ``"warn"``, as with ``warn_tolerance``; or an ``"alarm"``, which is a discrepancy.
    :param expected: stages whose volume is compared with what is usual at this hour; needs ``history_conn_id``.
    :param distributions: what is shared out among a few values, compared with what is usual at this hour; needs
        ``history_conn_id``.
    :param series: runs are compared only with runs of the same text, such as the length of the window, if that varies.
    :param notes: key -> text for the last column.
    :param title: what the report is about.
    :param environment: such as ``EP_STAGE``; stands before the title. Default: ``[agari] environment``.
    :param window: the time that was counted, for the report's header and the alert; default: the run's logical date.
    :param window_end: when the window ends: a time, or a template of one, in UTC if it has no zone. Before that, and
        the ``grace`` for messages that come late, the task fails, and may retry: the stages of an open window always
        differ. ``None``: not checked.
    :param grace: see ``window_end``.
    :param facts: further figures for the report's header, name -> value.
    :param greeting: first words of the mail, before its head: one line for each of the ``facts``, and the messages.
        ``None``: the mail has no head.
    :param key_name: heading of the first column; a list for a key of several columns.
    :param unit: what is counted; follows the stages' names in the headings.
    :param on_discrepancy: ``"fail"`` sends the report and the alerts, and then fails the task without retry;
        ``"alert"`` only sends them.
    :param recheck_after: on a discrepancy, wait this long and count again before sending anything, for databases that
        are still catching up; ``None`` sends at once. Only what differs both times is a discrepancy. Counts of other
        tasks do not change.
    :param history_conn_id: connection of a database that keeps what each run found and what was told of it (tables
        ``agari_checks`` and others). The report then says which discrepancies are new, growing, the same or recovered;
        Slack gets only new and growing ones and repaired windows; the check has one incident; and a retry tells only
        the channels that were not told. ``None`` keeps no history.
    :param history_runs: how many runs of the check are kept.
    :param growth: how much a difference may exceed what was told and still be the same: it must be beyond both limits,
        beyond twice its own square root, and its share of the messages beyond ``percent``.
    :param accepted_windows: windows whose loss a person has accepted, so that they no longer keep the incident open: a
        list, or a text or template with one in each line.
    :param report_url: S3 URL to which the whole table is written, such as
        ``s3://bucket/counts/{{ ts_nodash }}.csv.gz``; it ends with ``.csv``, ``.csv.gz`` or ``.parquet`` (which needs
        the extra ``[arrow]``). Mail and Slack link to it. ``None``: nowhere.
    :param email_to: addresses that get the report after every run.
    :param email_from: sender; default: the SMTP connection's ``from_email``.
    :param smtp_conn_id: connection to the mail server.
    :param slack_conn_id: connection (``slack`` or ``slackwebhook``) for the alert, which is sent only on a discrepancy
        (with a history: only if one is new or growing, and when windows are repaired).
    :param slack_channel: channel of the alert; only with an API token.
    :param victorops_conn_id: connection through which a discrepancy opens an incident. With a history, the check has
        one, which is closed when no window is bad any more. Without, each window has one, which a retry, or a run after
        the task was cleared, closes if it finds no discrepancy. ``None`` or empty: no incident.
    :param aws_conn_id: Airflow connection of AWS, for stages on S3 and for ``report_url``.
    :param region_name: AWS region; default: the connection's.
    :param deferrable: wait for the recheck in the triggerer rather than in a worker's slot.

    Returns ``{"verdict": "ok" | "warning" | "high discrepancies", "keys", "discrepant", "columns", "rows", "totals",
    "findings", "overall", "skipped", "report_url", "text"}``, at most 48 KiB as JSON: with more than 1,000 keys, or
    with long ones, ``rows`` holds the 50 worst. It is pushed to XCom even if the task fails.

    A service that is down never hides the verdict. If there is no discrepancy, the task then succeeds, with an error in
    its log. If there is one, a message that could not be sent fails the task; with ``on_discrepancy="alert"`` Airflow
    may then retry it.
    """

    template_fields: Sequence[str] = (
        "stages",
        "skips",
        "window_end",
        "expected_keys",
        "distributions",
        "series",
        "notes",
        "title",
        "environment",
        "window",
        "facts",
        "greeting",
        "history_conn_id",
        "accepted_windows",
        "report_url",
        "email_to",
        "email_from",
        "smtp_conn_id",
        "slack_conn_id",
        "slack_channel",
        "victorops_conn_id",
        "aws_conn_id",
        "region_name",
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"stages": "json", "distributions": "json"}  # noqa: RUF012 (Airflow's own form)

    def __init__(
        self,
        *,
        stages: Sequence[Stage],
        comparisons: Sequence[Comparison] | None = None,
        key: KeyRule = "auto",
        skips: Any | None = None,
        tolerance: Tolerance = STRICT,
        tolerances: Mapping[Any, Tolerance] | None = None,
        total_tolerance: Tolerance | None = None,
        warn_tolerance: Tolerance | None = None,
        on_empty: Literal["fail", "alert", "ok"] = "fail",
        expected_keys: Any | None = None,
        on_silent: Literal["ok", "warn", "alarm"] = "ok",
        expected: Sequence[Expected] = (),
        distributions: Sequence[Distribution] = (),
        series: str | None = None,
        notes: Mapping[Any, str] | None = None,
        title: str = "Message counts",
        environment: str | None = None,
        window: str | None = None,
        window_end: Any | None = None,
        grace: timedelta = timedelta(0),
        facts: Mapping[str, Any] | None = None,
        greeting: str | None = None,
        key_name: str | Sequence[str] = "Org_ID",
        unit: str = "Msgs",
        on_discrepancy: Literal["fail", "alert"] = "fail",
        recheck_after: timedelta | None = None,
        history_conn_id: str | None = None,
        history_runs: int = KEPT_RUNS,
        growth: Tolerance = GROWTH,
        accepted_windows: Any | None = None,
        report_url: str | None = None,
        email_to: str | Sequence[str] | None = None,
        email_from: str | None = None,
        smtp_conn_id: str = "smtp_default",
        slack_conn_id: str | None = None,
        slack_channel: str | None = None,
        victorops_conn_id: str | None = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        deferrable: bool = default_deferrable(),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.stages = stages
        self.comparisons = comparisons
        self.key = key
        self.skips = skips
        # a template may render to None: then it is not known what was skipped or expected, which does not mean nothing
        self.counts_skips = skips is not None
        self.tolerance = tolerance
        self.tolerances = tolerances
        self.total_tolerance = total_tolerance
        self.warn_tolerance = warn_tolerance
        self.on_empty = on_empty
        self.on_silent = on_silent
        self.expected_keys = expected_keys
        self.expects_keys = expected_keys is not None
        self.expected = expected
        self.distributions = distributions
        self.series = series
        self.notes = notes
        self.title = title
        self.environment = environment
        self.window = window
        self.window_end = window_end
        self.grace = grace
        self.facts = facts
        self.greeting = greeting
        self.key_name = key_name
        self.unit = unit
        self.on_discrepancy = on_discrepancy
        self.recheck_after = recheck_after
        self.history_conn_id = history_conn_id
        self.history_runs = history_runs
        self.growth = growth
        self.accepted_windows = accepted_windows
        self.report_url = report_url
        self.email_to = email_to
        self.email_from = email_from
        self.smtp_conn_id = smtp_conn_id
        self.slack_conn_id = slack_conn_id
        self.slack_channel = slack_channel
        self.victorops_conn_id = victorops_conn_id
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.deferrable = deferrable
        require_arguments(self)

    concluded: DiscrepancyReport | None = None  # for OpenLineage, which asks after the task has ended

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage | None:
        """Called by the OpenLineage provider, if it is installed, after the task; also if the verdict failed it."""
        return check_lineage(self.stages, self.concluded, task_instance) if self.concluded else None

    def execute(self, context: Context) -> dict[str, Any]:
        report = counted_report(self, context)
        if not (report.findings and self.recheck_after and any(map(may_change, [*self.stages, *self.distributions]))):
            return conclude(self, context, report)
        self.log.warning("%s Counting again in %s, before the report is sent", report.summary, self.recheck_after)
        first = identities(report.findings)
        if self.deferrable:
            from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger

            self.defer(
                trigger=TimeDeltaTrigger(self.recheck_after),
                method_name="execute_recheck",
                kwargs={"discrepant_keys": report.discrepant, "first": first},
            )
        time.sleep(self.recheck_after.total_seconds())
        return self.execute_recheck(context, discrepant_keys=report.discrepant, first=first)

    def execute_recheck(
        self, context: Context, event: Any = None, discrepant_keys: int | None = None, first: list[str] | None = None
    ) -> dict[str, Any]:
        """
        Count again after the wait; what differs in both counts is alarmed.

        :param event: the trigger's event; not used.
        :param discrepant_keys: how many keys the first count found; ``airflow dags test`` does not pass it on.
        :param first: what the first count found; ``None``: not known, or too much to remember.
        """
        assert self.recheck_after is not None
        recheck = Recheck(discrepant_keys, self.recheck_after, first)
        return conclude(self, context, counted_report(self, context, recheck))

    @property
    def hidden_stages(self) -> set[str]:
        """Names of the stages without a column."""
        return {stage["name"] for stage in self.stages if not stage["shown"]}
