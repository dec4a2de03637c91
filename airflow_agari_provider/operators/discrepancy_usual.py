"""A discrepancy check and its history: what is usual, what this run adds to it, and what the runs before found."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_agari_provider.airflow_runs import task_name
from airflow_agari_provider.discrepancy.baseline import Baseline, moment_of_window
from airflow_agari_provider.discrepancy.check_history import LARGEST_KEYS, CheckHistory
from airflow_agari_provider.discrepancy.counted import Counted, UnusableCounts
from airflow_agari_provider.discrepancy.distribution import MOST_BUCKETS
from airflow_agari_provider.discrepancy.finding import Finding
from airflow_agari_provider.discrepancy.history import LOG, Past, named_windows
from airflow_agari_provider.discrepancy.history_database import HistoryUnavailable
from airflow_agari_provider.discrepancy.reading import Source, StageNotRead
from airflow_agari_provider.discrepancy.report import DiscrepancyReport
from airflow_agari_provider.discrepancy.table import DiscrepancyTable
from airflow_agari_provider.discrepancy.unusual import EarlierRuns, unusual_shares, unusual_volumes, usual_bands
from airflow_agari_provider.exceptions import cut
from airflow_agari_provider.operators.discrepancy_sources import hook_of, moment_of_run, source_of

if TYPE_CHECKING:
    from airflow_agari_provider.airflow_compat import Context
    from airflow_agari_provider.operators.discrepancy_check import DiscrepancyCheckOperator

logger = logging.getLogger(__name__)

NOT_SKIPPED = "(not skipped)"
Shares = Mapping[str, Mapping[str, int]]


def sources_of_distributions(
    check: DiscrepancyCheckOperator, aws_conn_id: str | None, region_name: str | None
) -> tuple[list[Source], list[Exception]]:
    """Return how the distributions are read, and why some cannot be."""
    sources: list[Source] = []
    problems: list[Exception] = []
    for each in check.distributions:
        try:
            if not each["of_skips"]:
                sources.append(source_of(each, "auto", {}, aws_conn_id, region_name))
        except (StageNotRead, UnusableCounts) as error:
            problems.append(error)
    return sources, problems


def counts_of_distributions(
    check: DiscrepancyCheckOperator, table: DiscrepancyTable, read: Sequence[Counted], not_read: Sequence[Exception]
) -> tuple[Shares, list[str]]:
    """
    Return the counts by value of each distribution, and sentences about those that are not known.

    They keep nobody from being told of a loss.

    :param not_read: why some could not be read.
    """
    found = {}
    problems = list(not_read)
    for each in read:
        if len(each.counts) > MOST_BUCKETS:
            many = (
                f"{len(each.counts):,} different values are no distribution, at most {MOST_BUCKETS:,} are: group them"
            )
            problems.append(UnusableCounts(each.stage, many))
        else:
            found[each.stage] = each.counts
    whole = sum(sum(table.column(each.base)) for each in table.comparisons if table.balances(each))
    skips = table.skip_totals
    of_skips = {**skips, NOT_SKIPPED: max(0, whole - sum(skips.values()))}
    found.update({each["name"]: of_skips for each in check.distributions if each["of_skips"]})
    for problem in problems:
        logger.error("A distribution is not judged: %s", problem)
    return found, [f"A distribution is not judged: {cut(str(problem), 500, '...')}" for problem in problems]


def unusual_in(
    check: DiscrepancyCheckOperator, context: Context, table: DiscrepancyTable, window: str, distributions: Shares
) -> tuple[list[Finding], list[str], dict[str, tuple[int, int]]]:
    """Return what is unlike the runs before, sentences about what is not judged, and the usual volumes of stages."""
    if not (check.expected or check.distributions):
        return [], [], {}
    names = [*(each.name for each in check.expected), *(f"Distribution {name}" for name in distributions)]
    try:
        moment = moment_of_window(window, moment_of_run(context))
        history = _history_of(check, context)
        with_keys = any(each.keys for each in check.expected)
        runs = history.past_runs(moment, names, with_keys, bool(distributions))
    except Exception as error:  # noqa: BLE001 - whatever the history raises, the stages are still compared
        logger.error("What is usual is not known. %s: %s", type(error).__name__, error)
        return [], [f"Not judged, since the history cannot be read: {', '.join(names)}."], {}
    past = EarlierRuns(runs, moment, history.accepted)
    volumes, remarks = unusual_volumes(table, check.expected, past)
    settings = {
        each["name"]: (each, distributions[each["name"]])
        for each in check.distributions
        if each["name"] in distributions
    }
    shares, more = unusual_shares(settings, past)
    return [*volumes, *shares], [*remarks, *more], usual_bands(check.expected, past)


def with_history(
    report: DiscrepancyReport, check: DiscrepancyCheckOperator, context: Context
) -> tuple[DiscrepancyReport, CheckHistory | None, Past | None]:
    """
    Store a run, and return its report with what the runs before found, the history, and all its runs.

    If the history cannot be used, the log and the report say so, and nobody knows of the runs before.
    """
    ti, history, past = context["ti"], None, None
    try:
        history = _history_of(check, context)
        past, problem = history.exchange(moment_of_run(context, exactly=True), ti.run_id, report)
    except Exception as error:  # noqa: BLE001 - whatever the history raises, everybody is told
        known = isinstance(error, HistoryUnavailable)
        problem = str(error if known else HistoryUnavailable(f"{type(error).__name__}: {error}"))
    if problem:
        logger.error("%s", problem)
        report = replace(report, remarks=[*report.remarks, problem])
    return replace(report, earlier=past.earlier(LOG) if past else None), history, past


def _history_of(check: DiscrepancyCheckOperator, context: Context) -> CheckHistory:
    ti, hook = context["ti"], hook_of(str(check.history_conn_id))
    baselines = [each.baseline for each in check.expected] + [
        Baseline(**each["baseline"]) for each in check.distributions
    ]
    return CheckHistory(
        hook.get_conn,
        hook.placeholder,
        ti.dag_id,
        task_name(ti),
        kept_runs=max([check.history_runs, *(baseline.kept_runs for baseline in baselines)]),
        growth=check.growth,
        accepted=named_windows(check.accepted_windows),
        series=str(check.series or ""),  # a template may render to a number
        largest_keys=max([LARGEST_KEYS, *(each.keys for each in check.expected)]),
    )
