"""The charts' page in the machine's Chromium: how much it loads, how long it draws and zooms."""

from __future__ import annotations

import gzip
import statistics
from typing import Any

from tests.benchmarks.charts_database import dag_ids
from tests.views.frontend.charts_server import until

CHROMIUM = "/usr/bin/chromium"
ROUNDS = 5
ZOOM_STEPS = 6


def page_figures(url: str) -> dict[str, Any]:
    """
    Figures of the page with 1,000 runs of 12 tasks.

    :param url: of an api-server that asks for no login.
    """
    from playwright.sync_api import sync_playwright

    draws, zooms, sizes = [], [], {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-quic"]
        )
        for number in range(ROUNDS):
            page = browser.new_page(viewport={"width": 1360, "height": 1400})
            loaded: list[Any] = []
            page.on("response", lambda response, loaded=loaded: loaded.append(response))  # a builtin takes no marks
            page.goto(f"{url}/agari/charts?dag_id={dag_ids()[3]}&runs=1000")
            until(page, "performance.getEntriesByName('agari-draw').length > 0", timeout=120)
            if number == 0:
                sizes = {one.url: len(gzip.compress(one.body())) for one in loaded if "/api/" not in one.url}
            draws.append(page.evaluate("performance.getEntriesByName('agari-draw')[0].duration"))
            zooms += _zoom(page)
            page.close()
        browser.close()
    return {
        "draw_20000_points_ms": round(statistics.median(draws)),
        "zoom_step_ms": round(statistics.median(zooms)),
        "page_gzip_kib": round(sum(sizes.values()) / 1024),
    }


def _zoom(page: Any) -> list[float]:
    """Durations of a few turns of the wheel over the first chart, with Ctrl: without, the wheel scrolls the page."""
    box = page.locator("canvas").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.keyboard.down("Control")
    for step in range(ZOOM_STEPS):
        page.mouse.wheel(0, -240)
        until(page, f"performance.getEntriesByName('agari-zoom').length > {step}", timeout=60)
    page.keyboard.up("Control")
    return page.evaluate("performance.getEntriesByName('agari-zoom').map(entry => entry.duration)")
