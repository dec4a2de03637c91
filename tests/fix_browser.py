"""A real browser, and pages in which nothing may complain."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, ConsoleMessage, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic"]


@pytest.fixture(scope="module")
def browser() -> Iterator[BrowserContext]:
    """For a module: Playwright's event loop runs as long as it lives, and other tests begin loops of their own."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine; on Debian: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = chromium.new_context(viewport={"width": 1360, "height": 900}, accept_downloads=True)
        context.set_default_timeout(60_000)
        yield context
        chromium.close()


def accessibility_faults(page: Page) -> list[str]:
    """What axe-core finds wrong on a page as it is: the rule, its meaning and the element, a line for each."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {rule['help']}: {node['html']}" for rule in found for node in rule["nodes"]]


@pytest.fixture
def page(browser) -> Iterator[Page]:
    """A page in which nothing may complain."""
    page = browser.new_page()
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(f"{message.text} at {message.location['url']}")

    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(f"{error} at {error.stack}"))
    page.complaints = complaints
    yield page
    page.close()
    assert complaints == []
