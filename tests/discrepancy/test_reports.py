from __future__ import annotations

import csv
import gzip
import re
from datetime import timedelta
from email import policy
from email.parser import BytesParser
from html.parser import HTMLParser

import pytest

from airflow_agari_provider.discrepancy.comparisons import Tolerance, default_comparisons
from airflow_agari_provider.discrepancy.findings import find_discrepancies
from airflow_agari_provider.discrepancy.report import DiscrepancyReport, Recheck
from airflow_agari_provider.discrepancy.report_html import html_report
from airflow_agari_provider.discrepancy.report_mail import addresses, mail_report
from airflow_agari_provider.discrepancy.report_slack import slack_alert
from airflow_agari_provider.discrepancy.report_text import text_report
from airflow_agari_provider.discrepancy.table import DiscrepancyTable

RUN = "ep_telemetry_v2 on etl-00.ep-old.prod.agari.com completed 2016-02-03 00:00:00"


def report_of(collector, agg, db, **more):
    table = table_of(collector, agg, db)
    return DiscrepancyReport(
        table=table,
        findings=find_discrepancies(table, Tolerance(), {}),
        run=RUN,
        title="EP_STAGE Message counts",
        window="2016-04-28",
        **more,
    )


def table_of(collector, agg, db):
    return DiscrepancyTable(
        {"Collector": collector, "Agg": agg, "DB": db}, default_comparisons(["Collector", "Agg", "DB"])
    )


@pytest.fixture
def lossy():
    return report_of(
        {"1": 340, "5": 9000},
        {"1": 266, "5": 9000},
        {"1": 266, "5": 7796},
        facts={"RDAs": "22058"},
        recheck=Recheck(12, timedelta(minutes=5)),
    )


def test_the_text_names_the_loss_and_its_stage_and_lines_up(lossy):
    assert (
        text_report(lossy)
        == """\
EP_STAGE Message counts 2016-04-28: RDAs 22058, Messages 9266
1 of 2 keys differ by more than allowed. 12 did at first; counted again after 0:05:00.
- 5: lost 1,204 between Agg and DB (13.4 %); allowed 0 and 0.0 %

Org_ID  Collector Msgs  Agg Msgs  DB Msgs  Discrepancy  Discr %  Skipped  Notes
1                  340       266      266            0      0.0       74
5                 9000      9000     7796         1204     13.4        0
Total             9340      9266     8062         1204     12.9       74
"""
    )


def test_a_run_without_a_difference_has_the_same_report():
    text = text_report(report_of({"1": 340}, {"1": 266}, {"1": 266}))
    assert (
        text
        == """\
EP_STAGE Message counts 2016-04-28: Messages 266
0 of 1 keys differ by more than allowed.

Org_ID  Collector Msgs  Agg Msgs  DB Msgs  Discrepancy  Discr %  Skipped  Notes
1                  340       266      266            0      0.0       74
Total              340       266      266            0      0.0       74
"""
    )


def test_of_many_keys_the_worst_are_shown_and_the_totals_are_of_all():
    agg = {str(number): 1000 for number in range(1204)}
    report = report_of(agg, agg, {**agg, "700": 990, "3": 0, "900": 999, "8": 2000})
    assert report.shown_keys[:5] == ["3", "8", "700", "900", "0"]
    assert len(report.shown_keys) == 50
    lines = text_report(report).splitlines()
    assert lines[1] == "4 of 1,204 keys differ by more than allowed."
    assert lines[-2].split() == ["Total", "1204000", "1204000", "1203989", "11", "0.0009", "0"]
    assert lines[-1] == "The 50 rows with the largest loss of 1,204; the totals are of all."
    result = report.result("text")
    assert (result["keys"], result["discrepant"], len(result["rows"]), len(result["findings"])) == (1204, 4, 50, 4)


def test_the_result_of_up_to_a_thousand_keys_has_every_row_in_key_order():
    agg = {str(number): 1 for number in range(1000)}
    rows = report_of(agg, agg, agg).result("text")["rows"]
    assert [row[0] for row in rows] == [str(number) for number in range(1000)]


class Texts(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.texts = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "=cmd()", "a&b", "<!channel>", "`x`", "x\ny"]


@pytest.mark.parametrize("key", HOSTILE)
def test_html_shows_hostile_keys_as_text(key):
    html = Texts()
    html.feed(html_report(report_of({key: 2}, {key: 2}, {key: 1}, log_url='http://x/?a=1&b="<script>')))
    assert not {"script", "img"} & set(html.tags)
    assert key in html.texts


@pytest.mark.parametrize("key", HOSTILE)
def test_slack_never_sees_markup_in_hostile_keys(key):
    alert = slack_alert(report_of({key: 2}, {key: 2}, {key: 1}))
    assert re.findall(r"<[^>]*>|&(?!amp;|lt;|gt;)", alert) == []
    assert alert.count("`") == 6
    assert alert.count("\n") == 6


def test_the_slack_alert_is_the_published_sentence_and_the_guilty_rows(lossy):
    assert slack_alert(lossy).split("\n") == [
        "ep_telemetry_v2 on etl-00.ep-old.prod.agari.com completed 2016-02-03 00:00:00 with High Discrepancies",
        (
            "EP_STAGE Message counts 2016-04-28: RDAs 22058, Messages 9266. 1 of 2 keys differ by more than allowed."
            " 12 did at first; counted again after 0:05:00."
        ),
        "• 5: lost 1,204 between Agg and DB (13.4 %); allowed 0 and 0.0 %",
        "```",
        "Org_ID  Collector Msgs  Agg Msgs  DB Msgs  Discrepancy  Discr %  Skipped  Notes",
        "5                 9000      9000     7796         1204     13.4        0",
        "```",
    ]


@pytest.mark.parametrize(
    "key",
    ["{:05}", "x" * 60 + "{:05}", "x" * 200 + "{:05}", "<&>" * 100 + "{:05}"],
    ids=["short keys", "longer keys", "long keys", "keys that escape to five times"],
)
def test_the_slack_alert_stays_within_a_section(key):
    agg = {key.format(number): 10 for number in range(2000)}
    alert = slack_alert(report_of(agg, agg, {}, log_url="http://airflow/log|<x>"))
    assert alert.startswith(RUN)
    assert "<http://airflow/log%7C&lt;x&gt;|Log of the task>" in alert
    assert len(alert) <= 3000
    assert alert.count("```") in (0, 2)


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
