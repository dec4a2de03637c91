"""How tests read and use the charts' pages in a browser."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.views.frontend.charts_server import ChartsServer, until

DRAWN = "performance.getEntriesByName('agari-draw').length > 0"
ROWS = "document.querySelectorAll('tbody tr').length"
AT_BAR = """([run, seconds]) => {
  const chart = echarts.getInstanceByDom(document.querySelector('.duration'));
  const box = chart.getDom().getBoundingClientRect();
  const [x, y] = chart.convertToPixel({gridIndex: 0}, [run, seconds]);
  return [box.left + x, box.top + y];
}"""
FOCUS = """() => {
  const held = document.activeElement;
  return held.dataset.control ?? held.dataset.key ?? held.tagName;
}"""


def open_page(page: Any, charts: ChartsServer, query: str = "dag_id=scoring") -> None:
    page.goto(charts.page(query))
    until(page, DRAWN)


def open_overview(page: Any, charts: ChartsServer, query: str = "") -> None:
    page.goto(charts.page(query))
    until(page, f"{ROWS} > 0")


def query_of(page: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def control(page: Any, name: str) -> Any:
    return page.locator(f"[data-control='{name}']")


def keyed(page: Any, key: str) -> Any:
    return page.locator(f"[data-key='{key}']")


def focus(page: Any) -> str:
    """Name of what has the keyboard's focus: its control, its key, or its element."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")  # browsers drop it late
    return page.evaluate(FOCUS)


def text_of_download(page: Any, press: Any) -> tuple[str, str]:
    """Name and text of the file that a press brings."""
    with page.expect_download() as download:
        press.click()
    with open(download.value.path(), encoding="utf-8", newline="") as file:  # noqa: PTH123
        return download.value.suggested_filename, file.read()
