from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from airflow_agari_provider.discrepancy.report_html import html_report
from tests.discrepancy.reports import HOSTILE, report_of


class Texts(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.texts = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


@pytest.mark.parametrize("key", HOSTILE)
def test_html_shows_hostile_keys_as_text(key):
    html = Texts()
    html.feed(html_report(report_of({key: 2}, {key: 2}, {key: 1}, log_url='http://x/?a=1&b="<script>')))
    assert not {"script", "img"} & set(html.tags)
    assert key in html.texts


def test_html_shows_the_reasons_of_the_skips_as_text():
    html = Texts()
    html.feed(html_report(report_of({"1": 3}, {"1": 1}, {"1": 1}, {"<b>twice</b>": {"1": 2}})))
    assert "b" not in html.tags[html.tags.index("table") :]
    assert "Accounted for: 2 skipped (<b>twice</b> 2)." in html.texts


def test_html_shows_marks_that_turn_a_line_around_as_numbers():
    html = html_report(report_of({"a\u202eb": 2}, {"a\u202eb": 2}, {}, title="x\u2066\x07y"))
    assert "\u202e" not in html
    assert "a\\u202eb" in html
    assert "x\\u2066\\x07y" in html


def test_html_reads_from_the_top_like_a_verdict(lossy):
    html = html_report(lossy, "The attached CSV has all keys.")
    places = [
        html.index(text) for text in ("with High Discrepancies</b>", "Lost between Agg and DB", "<li>5: lost", "<table")
    ]
    assert places == sorted(places)
    assert "The attached CSV has all keys." in html


def test_guilty_cells_are_told_by_sign_and_weight_as_well_as_by_colour(lossy):
    html = html_report(lossy)
    assert re.findall(r'<td data-label="([^"]*)" align="right" class="guilty"><b>([^<]*)</b>', html) == [
        ("DB Msgs", "▼ 7796"),
        ("Discrepancy", "▼ 1204"),
    ]


def test_what_is_allowed_stands_once():
    agg = {str(number): 10 for number in range(12)}
    html = html_report(report_of(agg, agg, {}))
    assert html.count("<li>") == 12
    assert html.lower().count("allowed 0 and 0.0 %") == 1
