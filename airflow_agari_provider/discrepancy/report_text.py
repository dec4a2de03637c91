"""The report as plain text, for the log, the mail's text part and XCom."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_agari_provider.discrepancy.report import DiscrepancyReport
from airflow_agari_provider.discrepancy.table import Cell, cell_text


def text_report(report: DiscrepancyReport) -> str:
    """Return the report as text: header, verdict, findings and the table with its totals."""
    shown = report.table.shown_rows(report.shown_keys)
    parts = [
        one_line(report.header),
        one_line(report.summary),
        # of a single finding, it would say the same
        *(f"{one_line(line)}." for line in report.overall if len(report.findings) > 1),
        *(f"- {one_line(line)}" for line in report.finding_lines),
        "",
        text_table(report.table.columns, [*shown, report.table.totals]),
        *filter(None, (one_line(report.skipped), report.left_out, one_line(report.whole_table))),
    ]
    return "\n".join(parts).rstrip() + "\n"


def text_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Return columns below their headings: the first and the last are aligned left, all others right."""
    lines = [[one_line(cell_text(cell)) for cell in line] for line in (columns, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    left = {0, len(widths) - 1}
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def one_line(text: str) -> str:
    """Return the text with its control characters escaped, so that data cannot forge a line of a log or a message."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
