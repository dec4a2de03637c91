"""Reports of three stages' counts, and keys that must not break them."""

from __future__ import annotations

from airflow_agari_provider.discrepancy.comparisons import Tolerance, default_comparisons
from airflow_agari_provider.discrepancy.findings import find_discrepancies
from airflow_agari_provider.discrepancy.report import DiscrepancyReport
from airflow_agari_provider.discrepancy.table import DiscrepancyTable

RUN = "ep_telemetry_v2 on etl-00.ep-old.prod.agari.com completed 2016-02-03 00:00:00"
# Keys that mean something in HTML, Slack or a spreadsheet.
HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "=cmd()", "a&b", "<!channel>", "`x`", "x\ny"]


def report_of(collector, agg, db, skips=None, **more):
    table = table_of(collector, agg, db, skips)
    return DiscrepancyReport(
        table=table,
        findings=find_discrepancies(table, Tolerance(), {}),
        **{"run": RUN, "title": "EP_STAGE Message counts", "window": "2016-04-28", **more},
    )


def table_of(collector, agg, db, skips=None):
    return DiscrepancyTable(
        {"Collector": collector, "Agg": agg, "DB": db}, default_comparisons(["Collector", "Agg", "DB"]), skips=skips
    )
