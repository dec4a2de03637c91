"""The report as a mail: text and HTML, with all keys in a CSV attachment."""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import formatdate

from airflow_agari_provider.discrepancy.report import DiscrepancyReport
from airflow_agari_provider.discrepancy.report_html import html_report
from airflow_agari_provider.discrepancy.report_text import one_line

PLAIN_CSV_BYTES = 1_000_000  # a longer attachment is compressed: mail servers refuse tens of megabytes


def mail_report(report: DiscrepancyReport, text: str, sender: str, recipients: Sequence[str]) -> EmailMessage:
    """
    Return the report as a mail. It has the same parts, with or without discrepancies.

    :param text: the report as plain text.
    :param sender: address.
    :param recipients: addresses.
    """
    mail = EmailMessage()
    mail["Subject"] = one_line(report.subject)
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    mail["Date"] = formatdate(localtime=True)
    if report.greeting is not None:
        text = "\n".join([report.greeting, "", *map(one_line, report.head), "", text])
    mail.set_content(text)
    mail.add_alternative(html_report(report), subtype="html")
    content = report.table.as_csv().encode()
    if len(content) <= PLAIN_CSV_BYTES:
        mail.add_attachment(content, maintype="text", subtype="csv", filename="discrepancies.csv")
    else:
        packed = gzip.compress(content)
        mail.add_attachment(packed, maintype="application", subtype="gzip", filename="discrepancies.csv.gz")
    return mail


def addresses(recipients: str | Sequence[str]) -> list[str]:
    """Return the addresses in a list, or in a text that separates them with commas, semicolons or lines."""
    texts = [recipients] if isinstance(recipients, str) else recipients
    return [address for text in texts for address in re.split(r"\s*[,;\r\n]\s*", text.strip()) if address]
