from __future__ import annotations

import csv
import gzip
from email import policy
from email.parser import BytesParser

import pytest

from airflow_agari_provider.discrepancy.report_mail import addresses, mail_report
from airflow_agari_provider.discrepancy.report_text import text_report
from tests.discrepancy.reports import RUN, report_of


def parsed(report):
    mail = mail_report(report, text_report(report), "airflow@example.com", ["a@example.com", "b@example.com"])
    return BytesParser(policy=policy.default).parsebytes(mail.as_bytes())


def test_the_mail_has_text_html_and_all_keys_as_csv(lossy):
    mail = parsed(lossy)
    assert mail["Subject"] == RUN + " with High Discrepancies"
    assert mail["To"] == "a@example.com, b@example.com"
    assert mail.get_body(("plain",)).get_content() == text_report(lossy)
    assert "lost 1,204 between Agg and DB" in mail.get_body(("html",)).get_content()
    (attachment,) = mail.iter_attachments()
    assert attachment.get_filename() == "discrepancies.csv"
    assert attachment.get_content().splitlines()[2] == "5,9000,9000,7796,1204,13.4,0,"


def test_a_mail_with_a_greeting_has_the_published_head():
    facts = {"Day": "2016-04-28", "RDAs": "22058"}
    report = report_of({"1": 340}, {"1": 266}, {"1": 266}, facts=facts, greeting="Hello,")
    mail = parsed(report)
    assert mail.get_body(("plain",)).get_content() == (
        "Hello,\n\n"
        "ep_telemetry_v2 on etl-00.ep-old.prod.agari.com completed 2016-02-03 00:00:00 successfully.\n"
        "Day: 2016-04-28\nRDAs: 22058\nMessages: 266\n\n"
    ) + text_report(report)
    html = mail.get_body(("html",)).get_content()
    assert html.index("<p>Hello,</p>") < html.index("RDAs: 22058<br>") < html.index("<h2>EP_STAGE Message counts")


def test_a_fact_cannot_forge_a_line_of_the_head():
    mail = parsed(report_of({}, {}, {}, facts={"Day": "1\nRDAs: 0"}, greeting="Hello,"))
    assert "Day: 1\\nRDAs: 0" in mail.get_body(("plain",)).get_content()


def test_the_mail_of_a_run_without_a_difference_says_successfully():
    assert parsed(report_of({"1": 1}, {"1": 1}, {"1": 1}))["Subject"] == RUN + " successfully"


def test_the_attachment_of_very_many_keys_is_compressed():
    agg = {str(number): 1000 for number in range(40_000)}
    (attachment,) = parsed(report_of(agg, agg, agg)).iter_attachments()
    assert attachment.get_filename() == "discrepancies.csv.gz"
    rows = list(csv.reader(gzip.decompress(attachment.get_content()).decode().splitlines()))
    assert (len(rows), rows[-1][0]) == (40_001, "39999")


@pytest.mark.parametrize(
    ("recipients", "expected"),
    [
        ("a@x.com", ["a@x.com"]),
        ("a@x.com, b@x.com;c@x.com ; ", ["a@x.com", "b@x.com", "c@x.com"]),
        (["a@x.com", "b@x.com,c@x.com"], ["a@x.com", "b@x.com", "c@x.com"]),
        ([], []),
    ],
)
def test_addresses_may_be_a_list_or_a_text(recipients, expected):
    assert addresses(recipients) == expected
