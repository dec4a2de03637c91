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
    assert html.index("<p>Hello,</p>") < html.index("RDAs: 22058<br>") < html.index("<h1>EP_STAGE Message counts")


def test_a_fact_cannot_forge_a_line_of_the_head():
    mail = parsed(report_of({}, {}, {}, facts={"Day": "1\nRDAs: 0"}, greeting="Hello,"))
    assert "Day: 1\\nRDAs: 0" in mail.get_body(("plain",)).get_content()


def test_the_mail_of_a_run_without_a_difference_says_successfully():
    assert parsed(report_of({"1": 1}, {"1": 1}, {"1": 1}))["Subject"] == RUN + " successfully"


@pytest.mark.parametrize(
    ("keys", "name", "rows"),
    [(700, "discrepancies.csv", 700), (3000, "discrepancies.csv.gz", 3000), (40_000, "discrepancies.csv", 1000)],
    ids=["plain", "compressed", "the worst"],
)
def test_a_mail_has_less_than_100_kib_whatever_the_number_of_keys(keys, name, rows):
    agg = {str(number): 1000 for number in range(keys)}
    report = report_of(agg, agg, {**agg, "699": 900})
    mail = parsed(report)
    assert len(mail.as_bytes()) < 100 * 1024
    (attachment,) = mail.iter_attachments()
    assert attachment.get_filename() == name
    content = attachment.get_content()
    text = gzip.decompress(content).decode() if name.endswith("gz") else content
    found = list(csv.reader(text.splitlines()))
    assert len(found) - 1 >= rows
    assert (keys < 40_000) == (len(found) - 1 == keys)
    assert "699" in [row[0] for row in found[:701]]
    said = "has all keys" if keys < 40_000 else f"has the {len(found) - 1:,} worst of 40,000 keys"
    assert f"The attached CSV {said}." in mail.get_body(("html",)).get_content()


def test_long_and_foreign_keys_keep_a_mail_small_and_its_csv_readable():
    agg = {"żółw" * 5000 + str(number): 10 for number in range(60)}
    mail = parsed(report_of(agg, agg, {}))
    assert len(mail.as_bytes()) < 100 * 1024
    (attachment,) = parsed(report_of({"żółw": 1}, {"żółw": 1}, {"żółw": 1})).iter_attachments()
    assert attachment.get_content_charset() == "utf-8"
    content = attachment.get_payload(decode=True)
    assert content.startswith(b"\xef\xbb\xbf")
    assert list(csv.reader(content.decode("utf-8-sig").splitlines()))[1][0] == "żółw"


@pytest.mark.parametrize(
    ("recipients", "expected"),
    [
        ("a@x.com", ["a@x.com"]),
        ("a@x.com, b@x.com;c@x.com ; ", ["a@x.com", "b@x.com", "c@x.com"]),
        ("a@x.com\n  b@x.com\r\n", ["a@x.com", "b@x.com"]),
        (["a@x.com", "b@x.com,c@x.com"], ["a@x.com", "b@x.com", "c@x.com"]),
        ([], []),
    ],
)
def test_addresses_may_be_a_list_or_a_text(recipients, expected):
    assert addresses(recipients) == expected
