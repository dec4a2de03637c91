"""The charts in a real Airflow, as a person meets them: log in, find them, read them, go to a log."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Frame, Page, expect

from airflow_agari_provider.local.airflow_home import AIRFLOW_3, USER, AirflowApi, AirflowHome
from airflow_agari_provider.local.demo_setup import free_ports
from airflow_agari_provider.local.processes import Processes
from tests.views.frontend.charts_server import until

pytestmark = pytest.mark.end_to_end

DAG_ID = "twice"
DAG_FILE = """
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import dag, task


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False)
def twice():
    @task(retries=1, retry_delay=timedelta(seconds=0))
    def flaky(ti=None):
        print(f"this is try {ti.try_number} of two")
        if ti.try_number == 1:
            raise ValueError("the first try fails on purpose")

    @task
    def steady():
        return 1

    flaky() >> steady()


twice()
"""
AT_FAILED_TRY = """() => {
  const chart = echarts.getInstanceByDom(document.querySelector('.duration'));
  const height = Object.fromEntries(chart.getOption().series.map((one) => [one.id, one.data[0]]));
  return chart.convertToPixel({gridIndex: 0}, [0, height.success + height.failed_first / 2]);
}"""


def wait_for(done: Callable[[], object], what: str, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} seconds"
        time.sleep(0.5)


@pytest.fixture
def airflow(tmp_path, monkeypatch) -> Iterator[AirflowHome]:
    """An Airflow in which a task has failed once and then succeeded; Airflow 3 below a path, as behind a proxy."""
    for name in [name for name in os.environ if name.startswith(("AIRFLOW", "AWS_"))]:
        monkeypatch.delenv(name)
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "twice.py").write_text(DAG_FILE)
    home = AirflowHome(tmp_path / "airflow", free_ports(None), dags, {}, path="/af" if AIRFLOW_3 else "")
    processes = Processes(tmp_path / "logs")
    try:
        for name, command in home.preparations().items():
            processes.run(name, command, home.environment())
        for name, command in home.services().items():
            processes.start(name, command, home.environment())
        api = AirflowApi(home)
        wait_for(api.healthy, "a healthy Airflow")
        wait_for(lambda: api.knows(DAG_ID), "the DAG")
        api.unpause(DAG_ID)
        run_id = api.trigger(DAG_ID, "2026-11-20T08:00:00+00:00", {})
        wait_for(lambda: api.run_state(DAG_ID, run_id) == "success", "the run's success")
        yield home
    finally:
        processes.stop()


def log_in(page: Page, home: AirflowHome) -> None:
    page.goto(f"{home.url}/")
    page.locator("input[name=username]").fill(USER)
    page.locator("input[name=password]").fill(home.password)
    page.locator("[type=submit]").first.click()
    page.wait_for_url(re.compile(f"^{re.escape(home.url)}/(home)?$"))


def open_charts(page: Page, home: AirflowHome) -> Page | Frame:
    """Through Airflow's own menu; the page, or the frame that it is in."""
    if not AIRFLOW_3:
        page.locator("a.dropdown-toggle", has_text="Browse").hover()
        page.locator("a", has_text="Agari charts").click()
        page.wait_for_url("**/agari/charts*")
        return page
    page.get_by_role("button", name="Browse").click()
    page.get_by_role("menuitem", name="Agari charts").click()
    return charts_frame(page)


def charts_frame(page: Page) -> Frame:
    """The frame inside Airflow's page, once the charts are in it."""
    frame = page.locator("iframe").element_handle().content_frame()
    frame.wait_for_url("**/agari/charts*")
    return frame


def drawn(charts: Page | Frame) -> None:
    until(charts, "window.performance.getEntriesByName('agari-draw').length > 0", timeout=60)


def test_a_person_finds_the_charts_and_gets_to_the_log_of_a_failed_try(page, airflow):
    log_in(page, airflow)
    charts = open_charts(page, airflow)
    charts.locator("tbody a", has_text=DAG_ID).click()
    charts.locator("tbody a", has_text="flaky").click()
    drawn(charts)
    expect(charts.locator("h1")).to_have_text(f"{DAG_ID} › flaky")  # noqa: RUF001
    permalink = page.url
    assert "task_id=flaky" in permalink

    page.evaluate("localStorage.setItem('theme', 'dark')")
    page.goto(permalink)
    charts = charts_frame(page) if AIRFLOW_3 else page
    drawn(charts)
    assert charts.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 29, 45)"
    expect(charts.locator("h1")).to_have_text(f"{DAG_ID} › flaky")  # noqa: RUF001

    x, y = charts.evaluate(AT_FAILED_TRY)
    charts.locator(".duration").click(position={"x": x, "y": y})
    if AIRFLOW_3:
        page.wait_for_url("**/af/dags/twice/runs/*/tasks/flaky?try_number=1")
    else:  # no address there leads to one of the tries: they are buttons above the log
        page.wait_for_url("**/dags/twice/grid?*task_id=flaky*")
        page.get_by_role("button", name="1", exact=True).click()
    expect(page.get_by_text("the first try fails on purpose").first).to_be_visible(timeout=60_000)
    # Airflow's own pages complain too: about not being logged in yet, or 2.11 about the log-in form it lacks
    page.complaints[:] = [complaint for complaint in page.complaints if "/agari/" in complaint]
