"""The alert for Slack: the published sentence and the rows with findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from airflow_agari_provider.alerts.slack_text import SECTION_CHARACTERS, escaped
from airflow_agari_provider.discrepancy.report import DiscrepancyReport
from airflow_agari_provider.discrepancy.report_csv import console_url
from airflow_agari_provider.discrepancy.report_text import one_line, text_table

SLACK_ROWS = 10  # Slack shows these without folding the message; the mail has the rest
LINE_CHARACTERS = 300


def slack_alert(report: DiscrepancyReport) -> str:
    """Return mrkdwn text: subject, header, summary, link to the log, the largest findings, and their rows."""
    keys = list(dict.fromkeys(finding.key for finding in report.findings if finding.key))[:SLACK_ROWS]
    link = [f"<{escaped(report.log_url).replace('|', '%7C')}|Log of the task>"] if report.log_url else []
    said = [_line(report.subject), _line(f"{report.header}. {report.summary}"), *link]
    if report.report_url:
        said.append(f"<{escaped(console_url(report.report_url)).replace('|', '%7C')}|The whole table>")
    said += [_line(f"{line}.") for line in report.overall if len(report.findings) > 1]
    said += [_line(f"• {line}") for line in report.finding_lines[:SLACK_ROWS]]
    text = "\n".join(_that_fit(said, SECTION_CHARACTERS))
    table = map(_line, text_table(report.table.columns, report.table.shown_rows(keys)).split("\n"))
    rows = list(_that_fit(table, SECTION_CHARACTERS - len(text) - len("\n```\n```")))
    return "\n".join([text, "```", *rows, "```"]) if len(rows) > 1 else text


def slack_recovery(report: DiscrepancyReport, repaired: Sequence[str], still_open: Sequence[str]) -> str:
    """
    Return mrkdwn text that windows of which Slack was told are repaired, and which are still bad.

    :param repaired: windows.
    :param still_open: windows.
    """
    rest = f"Still open: {', '.join(still_open)}." if still_open else "No window is open any more."
    return "\n".join(map(_line, [report.subject, f"Repaired: {', '.join(repaired)}. {rest}"]))


def _that_fit(lines: Iterable[str], characters: int) -> Iterator[str]:
    for line in lines:
        characters -= len(line) + 1
        if characters < 0:
            return
        yield line


def _line(text: str) -> str:
    return escaped(one_line(text), LINE_CHARACTERS, preformatted=True)
