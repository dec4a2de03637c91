"""The report as a mail: text and HTML, with the keys in a CSV attachment."""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import formatdate

from airflow_agari_provider.discrepancy.report import DiscrepancyReport
from airflow_agari_provider.discrepancy.report_csv import csv_within
from airflow_agari_provider.discrepancy.report_html import html_report
from airflow_agari_provider.discrepancy.report_text import one_line

# Mail programs cut what has more than 100 KiB. In base64, three bytes are four. The rest is for headers and line ends.
MAIL_BYTES, CSV_BYTES = 90 * 1024, 30 * 1024
MARK = b"\xef\xbb\xbf"  # by which a spreadsheet knows that the file is UTF-8


def mail_report(report: DiscrepancyReport, text: str, sender: str, recipients: Sequence[str]) -> EmailMessage:
    """
    Return the report as a mail. It has the same parts, with or without discrepancies.

    It stays below 100 KiB, however many keys there are.

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
    without_csv = len(text.encode()) + len(html_report(report).encode())
    content, keys, packed = csv_within(report, max(0, min(CSV_BYTES, MAIL_BYTES * 3 // 4 - without_csv)))
    all_keys = len(report.table.every_key)
    attached = "has all keys" if keys == all_keys else f"has the {keys:,} worst of {all_keys:,} keys"
    mail.set_content(text)
    mail.add_alternative(html_report(report, f"The attached CSV {attached}."), subtype="html")
    if packed:
        mail.add_attachment(content, maintype="application", subtype="gzip", filename="discrepancies.csv.gz")
        return mail
    content = content if content.isascii() else MARK + content
    charset = {"charset": "utf-8"}
    mail.add_attachment(content, maintype="text", subtype="csv", filename="discrepancies.csv", params=charset)
    return mail


def addresses(recipients: str | Sequence[str]) -> list[str]:
    """Return the addresses in a list, or in a text that separates them with commas, semicolons or lines."""
    texts = [recipients] if isinstance(recipients, str) else recipients
    return [address for text in texts for address in re.split(r"\s*[,;\r\n]\s*", text.strip()) if address]
