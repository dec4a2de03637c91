"""The pages: all are made from one HTML file. A page that is added here gets its route and its links by hand."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

FRONTEND = Path(__file__).parent / "frontend"
TEMPLATE = "page.html"


class Page(NamedTuple):
    """
    What differs between the pages.

    :param title: of the browser's tab, until the page's module sets it.
    :param module: file of the page's JavaScript.
    :param charts: whether it draws with ECharts.
    """

    title: str
    module: str
    charts: bool = False


PAGES: Mapping[str, Page] = {
    "charts": Page("Tries", "main.js", charts=True),
    "alerts": Page("Alerts", "alerts.js"),
    "discrepancies": Page("Discrepancies", "discrepancies.js", charts=True),
}
ECHARTS = '<script src="static/vendor/echarts.common.min.js" defer></script>\n'


def page_html(name: str, configuration: str, folder: Path = FRONTEND) -> str:
    """Return a page. :param name: in its address. :param configuration: JSON that is safe inside a script element."""
    page = PAGES[name]
    parts = {
        "__TITLE__": html.escape(page.title),
        "__CHARTS__": ECHARTS if page.charts else "",
        "__MODULE__": page.module,
        "__CONFIGURATION__": configuration,  # the last: what it holds is not looked at again
    }
    text = (folder / TEMPLATE).read_text()
    for mark, value in parts.items():
        text = text.replace(mark, value)
    return text
