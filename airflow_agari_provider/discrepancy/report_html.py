"""The report as HTML for a mail; Jinja, which Airflow brings, escapes everything in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from airflow_agari_provider.discrepancy.report import DiscrepancyReport
from airflow_agari_provider.discrepancy.report_csv import console_url
from airflow_agari_provider.discrepancy.table import cell_text

TEMPLATE = Path(__file__).with_name("report.html.jinja")
# Controls but the line feed and the tab, marks that change the direction of text, and lone surrogates: they could show
# something else than what is there, or cannot be sent.
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


def html_report(report: DiscrepancyReport, attached: str = "") -> str:
    """
    Return the report as HTML, to be read from the top like a verdict: the sentence, the guilty stages, the table.

    Guilty cells are told by weight, sign and colour.

    :param attached: a sentence that says what is attached.
    """
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, finalize=_visible)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    columns = report.table.columns
    guilty: dict[tuple[str, int], str] = {}
    for finding in report.findings:
        sign = "▼" if finding.difference > 0 else "▲"
        headings = {finding.comparison, f"{finding.first_step[1]} {report.table.unit}"}
        guilty.update({(finding.key, place): sign for place, name in enumerate(columns) if name in headings})
    return str(
        template.render(
            report=report,
            rows=zip(report.shown_keys, report.table.shown_rows(report.shown_keys), strict=True),
            guilty=guilty,
            attached=attached,
            cell_text=cell_text,
            console_url=console_url,
        )
    )


def _visible(value: Any) -> Any:
    return _UNSEEN.sub(lambda found: repr(found[0])[1:-1], value) if type(value) is str else value
