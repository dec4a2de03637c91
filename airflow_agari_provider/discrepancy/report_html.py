"""The report as HTML for a mail: inline styles only, everything escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from airflow_agari_provider.discrepancy.report import DiscrepancyReport
from airflow_agari_provider.discrepancy.table import Cell, cell_text

# Mail programs ignore style sheets, so each cell has its own style.
CELL = "border:1px solid #d0d0d0;padding:3px 8px;text-align:right"
TEXT_CELL = CELL.replace("right", "left")
HEADING = CELL + ";background:#f0f0f0"
GUILTY = ";background:#ffe0e0"
TOTAL = ";font-weight:bold;background:#f7f7f7"


def html_report(report: DiscrepancyReport) -> str:
    """Return the report as HTML: header, verdict, findings and the table; the rows with findings are coloured."""
    guilty = {finding.key for finding in report.findings}
    rows = [
        *(_row(report.table.row(key), GUILTY if key in guilty else "") for key in report.shown_keys),
        _row(report.table.totals, TOTAL),
    ]
    headings = "".join(f'<th style="{HEADING}">{escape(heading)}</th>' for heading in report.table.columns)
    findings = "".join(f"<li>{escape(line)}</li>" for line in report.finding_lines)
    log = f'<p><a href="{escape(report.log_url)}">Log of the task</a></p>' if report.log_url else ""
    return (
        '<html><body style="font-family:sans-serif;font-size:13px">'
        f"<h2>{escape(report.header)}</h2><p><b>{escape(report.subject)}</b></p><p>{escape(report.summary)}</p>"
        f"<ul>{findings}</ul>"
        '<table style="border-collapse:collapse;font-size:13px">'
        f"<thead><tr>{headings}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        f"<p>{escape(report.left_out)} All keys are in the attached CSV.</p>{log}</body></html>"
    )


def _row(cells: Sequence[Cell], style: str) -> str:
    return f"<tr>{''.join(_cell(cell, style) for cell in cells)}</tr>"


def _cell(cell: Cell, style: str) -> str:
    layout = TEXT_CELL if isinstance(cell, str) else CELL
    return f'<td style="{layout}{style}">{escape(cell_text(cell))}</td>'
