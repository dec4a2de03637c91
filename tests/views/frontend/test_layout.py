"""What is within sight at common widths, alone and in the frame of Airflow 3, and in whose time zone the page is."""

from __future__ import annotations

import pytest

from tests.views.frontend.browsing import DRAWN, control, open_overview, open_page
from tests.views.frontend.charts_server import until

FRAME = """<!doctype html><html class="light"><title>Airflow</title><body style="margin: 0 0 0 96px">
<iframe sandbox="allow-scripts allow-same-origin allow-forms allow-downloads" src="/agari/charts?dag_id=scoring"
 style="width: 100%; height: 850px; border: 0"></iframe>"""
FIRST_BAR = """() => {
  const chart = echarts.getInstanceByDom(document.querySelector('.duration'));
  return chart.getDom().getBoundingClientRect().top + chart.convertToPixel({yAxisIndex: 1}, 1);
}"""
WITHIN = """(link) => {
  const box = link.getBoundingClientRect();
  return box.left >= 0 && box.right <= document.documentElement.clientWidth
    && document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2) === link;
}"""
WIDTHS = [390, 900, 1280]


@pytest.fixture
def narrow(page, request):
    page.set_viewport_size({"width": request.param, "height": 900})
    yield page
    page.set_viewport_size({"width": 1360, "height": 900})


def in_airflow(page, charts):
    charts.pages["/dags/scoring/plugin/agari-dag-tries"] = FRAME
    page.goto(f"{charts.url}/dags/scoring/plugin/agari-dag-tries")
    frame = page.frames[1]
    until(frame, DRAWN)
    return frame


@pytest.mark.parametrize("narrow", WIDTHS, indirect=True)
@pytest.mark.parametrize("framed", [False, True], ids=["alone", "in Airflow's tab"])
def test_the_links_to_the_logs_of_a_run_are_within_sight(narrow, charts, framed):
    if framed:
        place = in_airflow(narrow, charts)
    else:
        open_page(narrow, charts)
        place = narrow
    place.locator(".duration").focus()
    narrow.keyboard.press("ArrowRight")
    narrow.keyboard.press("Enter")
    link = place.locator(".panel a.log").first
    link.scroll_into_view_if_needed()
    assert link.evaluate(WITHIN)


@pytest.mark.parametrize("narrow", [1280], indirect=True)
def test_in_the_tab_of_airflow_the_bars_come_first(narrow, charts):
    assert in_airflow(narrow, charts).evaluate(FIRST_BAR) < 260


@pytest.mark.parametrize("narrow", WIDTHS, indirect=True)
def test_the_page_itself_never_scrolls_sideways(narrow, charts):
    for show in (open_page, open_overview):
        show(narrow, charts)
        assert narrow.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize("narrow", [390], indirect=True)
def test_a_narrow_overview_says_that_there_is_more_beside(narrow, charts):
    open_overview(narrow, charts)
    assert narrow.locator(".sideways").is_visible()


def test_moments_are_in_the_time_zone_that_was_chosen_in_airflow(page, charts):
    page.goto(charts.page("dag_id=scoring"))
    page.evaluate("localStorage.setItem('timezone', JSON.stringify('Europe/Berlin'))")
    try:
        open_page(page, charts, "dag_id=scoring&run=scheduled__2026-11-20T08%3A00%3A00%2B00%3A00")
        assert "2026-11-20 09:00 (UTC+01:00)" in page.locator(".panel > p").first.text_content()
        assert control(page, "time").input_value() == "airflow"
        control(page, "time").select_option("utc")
        assert "2026-11-20 08:00" in page.locator(".panel > p").first.text_content()
        page.reload()
        until(page, DRAWN)
        assert control(page, "time").input_value() == "utc"
    finally:
        page.evaluate("localStorage.removeItem('timezone')")


def test_dags_and_tasks_have_the_names_that_airflow_shows(page, charts):
    tries = charts.answers["api/dags/scoring/tries"]
    tries["display_name"] = "Message scoring"
    tries["tasks"]["display_name"] = [f"Task {name}" for name in tries["tasks"]["task_id"]]
    dags = charts.answers["api/overview"]["dags"]
    dags["display_name"] = ["Message scoring", *dags["dag_id"][1:]]
    open_overview(page, charts, "search=scoring")
    assert page.locator("tbody th a").all_text_contents() == ["Message scoring"]
    page.locator("tbody th a").click()
    until(page, DRAWN)
    assert page.locator("h1").text_content() == "Message scoring"
    page.locator("tbody th a", has_text="Task load").click()
    until(page, "document.querySelector('h1').textContent === 'Message scoring › Task load'")  # noqa: RUF001
    assert "task_id=load" in page.url


def test_a_failed_run_has_a_band_and_the_strip_has_the_state_of_every_run(page, charts):
    answer = charts.answers["api/dags/scoring/tries"]
    answer["runs"]["state"][3] = "failed"
    answer["blocked"] = {"run": [3], "task": [11], "instances": [1]}
    open_page(page, charts)
    series = page.evaluate(
        "() => Object.fromEntries(echarts.getInstanceByDom(document.querySelector('.duration')).getOption().series"
        ".map((one) => [one.id, one.data]))"
    )
    assert series["failed_runs"][3] > 0.9
    assert series["failed_runs"][4] is None or answer["runs"]["state"][4] == "failed"
    assert [series["state_failed"][3], series["state_success"][3]] == [pytest.approx(0.03), None]
    assert page.locator(".map-legend").text_content().count("a task before failed") == 1
