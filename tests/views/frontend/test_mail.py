"""The report's mail, as a mail program that knows style sheets shows it."""

from __future__ import annotations

import pytest

from airflow_agari_provider.discrepancy.report_html import html_report
from tests.discrepancy.reports import report_of
from tests.fix_browser import accessibility_faults

AGG = {"1": 266, "5": 43115, "6": 153, "7": 68, "12": 111, "14": 28731}
COLLECTOR = {"1": 340, "5": 43115, "6": 156, "7": 73, "12": 315, "14": 35648}
LINKS = {"log_url": "https://airflow.example.com/log", "report_url": "s3://counts/2016-04-28.csv.gz"}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_the_mail_fits_the_screen_and_axe_finds_nothing(page, width, theme):
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=theme)
    report = report_of(
        COLLECTOR, AGG, AGG | {"5": 41911, "14": 28740}, greeting="Hello,", facts={"RDAs": "22058"}, **LINKS
    )
    page.set_content(html_report(report, "The attached CSV has all keys."))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(27, 27, 27)"
    assert dark is (theme == "dark")
    assert accessibility_faults(page) == []
