from __future__ import annotations

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
