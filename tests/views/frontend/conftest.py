"""A real browser in front of a small server of the charts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from airflow_agari_provider.local.airflow_home import AIRFLOW_3
from tests.views.frontend.charts_server import ChartsServer
from tests.views.frontend.payloads import overview_answer, task_time_answer, tries_answer

# No Airflow takes part in these: they run once, beside the newer one; tests/end_to_end has the charts in both.
collect_ignore_glob = [] if AIRFLOW_3 else ["test_*"]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser) -> Iterator[Page]:
    """A page in which nothing may complain."""
    context = browser.new_context(viewport={"width": 1360, "height": 900}, accept_downloads=True)
    context.set_default_timeout(20_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.complaints = complaints
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def charts() -> Iterator[ChartsServer]:
    """A DAG of 12 tasks with 100 runs, all ended, and 24 DAGs in the overview."""
    answers = {
        "api/dags/scoring/tries": tries_answer(100, active=False),
        "api/overview": overview_answer(),
        "api/overview/task_time": task_time_answer(),
    }
    with ChartsServer(answers) as server:
        yield server
