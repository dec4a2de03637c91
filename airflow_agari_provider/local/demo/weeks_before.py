"""The history of the weeks before the demo's day, so that the check has learnt what is usual."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta

from airflow_agari_provider.discrepancy.check_history import CheckHistory
from airflow_agari_provider.discrepancy.comparisons import default_comparisons
from airflow_agari_provider.discrepancy.report import DiscrepancyReport
from airflow_agari_provider.discrepancy.table import DiscrepancyTable
from airflow_agari_provider.local.demo.published_day import DAY, Organisation
from airflow_agari_provider.local.demo.runs import DAG_ID, REPORT
from airflow_agari_provider.local.demo.senders import chance_of
from airflow_agari_provider.local.demo.target_database import TargetDatabase

WEEKS = 5
NOISE = 0.05
SERIES = "24 h of all"  # as the example DAG names windows of a day
VERDICTS = {"trusted": 0.90, "suspicious": 0.07, "untrusted": 0.03}  # of an undisturbed day


def write_weeks_before(database: TargetDatabase, organisations: Sequence[Organisation]) -> None:
    """Store a run for each day of the weeks before, in which every organisation sent about as much as on this day."""
    placeholder = "?" if json.loads(database.airflow_connection)["conn_type"] == "sqlite" else "%s"
    history = CheckHistory(database.connect, placeholder, DAG_ID, REPORT, kept_runs=WEEKS * 7, series=SERIES)
    for ago in range(WEEKS * 7, 0, -1):
        day = DAY - timedelta(days=ago)
        chance = chance_of("weeks before", day)

        def about(count: int) -> int:
            return round(count * (1 + NOISE * (2 * chance() - 1)))  # noqa: B023 (used in this turn only)

        collected = {str(each.org_id): about(each.collector) for each in organisations}
        scored = {
            str(each.org_id): collected[str(each.org_id)] * each.scored // max(1, each.collector)
            for each in organisations
        }
        counts = {"Collector": collected, "Agg": scored, "DB": scored}
        verdicts = {verdict: about(round(sum(scored.values()) * share)) for verdict, share in VERDICTS.items()}
        window = f"{day} 00:00:00"
        report = DiscrepancyReport(
            DiscrepancyTable(counts, default_comparisons(list(counts))),
            [],
            run=f"{DAG_ID} completed {window}",
            title="Message counts",
            window=window,
            shares={"verdict": verdicts},
        )
        history.exchange(window, f"scheduled__{day}T00:00:00+00:00", report)
