"""The report as HTML for a mail; Jinja, which Airflow brings, escapes everything in it."""

from __future__ import annotations

from pathlib import Path

from airflow_agari_provider.discrepancy.report import DiscrepancyReport
from airflow_agari_provider.discrepancy.table import cell_text

TEMPLATE = Path(__file__).with_name("report.html.jinja")


def html_report(report: DiscrepancyReport) -> str:
    """Return the report as HTML: header, verdict, findings and the table; the rows with findings are coloured."""
    from jinja2 import Environment

    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(TEMPLATE.read_text())
    guilty = {finding.key for finding in report.findings}
    return str(template.render(report=report, guilty=guilty, cell_text=cell_text))
