"""The page in the sandboxed frame of Airflow 3, here around it a page that does what Airflow's own does."""

from __future__ import annotations

import pytest

from tests.views.frontend.alert_answers import alerts_answer, silences_answer
from tests.views.frontend.browsing import DRAWN, ROWS
from tests.views.frontend.charts_server import CONFIGURATION_3, ChartsServer, until
from tests.views.frontend.payloads import overview_answer, task_time_answer, tries_answer

AIRFLOW = """<!doctype html><html class="light"><title>Airflow</title><body>
<iframe sandbox="allow-scripts allow-same-origin allow-forms allow-downloads" src="{source}" width="1300" height="850">
</iframe><script src="{root}airflow.js"></script>"""
ROUTER = """window.opened = [];
window.addEventListener("popstate", () => window.opened.push(location.pathname + location.search));"""


@pytest.fixture(params=["/", "/af/"], ids=["under_browse", "tab_below_a_sub_path"])
def airflow(request):
    """A server with the page in a frame: under Browse, or as a tab of a DAG in an Airflow below a path."""
    root = request.param
    answers = {
        "api/dags/scoring/tries": tries_answer(25, active=False),
        "api/overview": overview_answer(),
        "api/overview/task_time": task_time_answer(),
    }
    with ChartsServer(answers, {**CONFIGURATION_3, "root": root}) as server:
        place = "/plugin/agari-charts/agari/charts" if root == "/" else "/af/dags/scoring/plugin/agari-dag-tries"
        page = AIRFLOW.format(source=f"{root}agari/charts?dag_id=scoring", root=root)
        server.pages = {place: page, f"{root}airflow.js": ROUTER}
        server.place = server.url + place
        yield server


def frame_of(page, address: str):
    page.goto(address)
    frame = page.frames[1]
    until(frame, DRAWN)
    return frame


def test_a_log_is_opened_by_the_router_around_the_frame(page, airflow):
    frame = frame_of(page, airflow.place)
    frame.locator(".map-plot").click(position={"x": 5, "y": 5})
    frame.locator(".panel a.log").first.click()
    until(page, "window.opened.length > 0")
    root = airflow.configuration["root"]
    assert page.evaluate("window.opened") == [
        f"{root}dags/scoring/runs/scheduled__2026-11-19T09%3A00%3A00%2B00%3A00/tasks/prepare?try_number=1"
    ]


def test_the_address_around_the_frame_is_the_permalink(page, airflow):
    frame = frame_of(page, airflow.place)
    frame.locator("[data-control=idle]").check()
    assert page.url == f"{airflow.place}?dag_id=scoring&idle=1"


@pytest.mark.parametrize("airflow", ["/af/"], indirect=True, ids=["tab"])
def test_a_tab_finds_its_controls_again_after_a_reload(page, airflow):
    frame = frame_of(page, f"{airflow.place}?dag_id=scoring&idle=1&run_type=manual")
    assert frame.locator("[data-control=idle]").is_checked()
    assert ("api/dags/scoring/tries", {"runs": ["100"], "run_type": ["manual"]}, 200) in airflow.asked


@pytest.mark.parametrize("airflow", ["/af/"], indirect=True, ids=["tab"])
def test_all_dags_in_the_tab_of_one_are_there_again_after_a_reload(page, airflow):
    frame = frame_of(page, airflow.place)
    frame.locator("nav a", has_text="All DAGs").click()
    until(frame, f"{ROWS} > 10")
    page.reload()
    frame = page.frames[1]
    until(frame, f"{ROWS} > 10")
    assert frame.locator("h1").text_content() == "All DAGs"


@pytest.mark.parametrize("airflow", ["/"], indirect=True, ids=["under_browse"])
def test_the_theme_is_that_of_the_page_around_and_changes_with_it(page, airflow):
    frame = frame_of(page, airflow.place)
    background = "getComputedStyle(document.body).backgroundColor"
    assert frame.evaluate(background) == "rgb(255, 255, 255)"
    page.evaluate("document.documentElement.className = 'dark'")
    until(frame, f"{background} === 'rgb(22, 29, 45)'")


def test_another_page_is_opened_where_airflow_shows_it(page, airflow):
    frame = frame_of(page, airflow.place)
    frame.locator("[data-key=page-alerts]").click()
    until(page, "window.opened.length > 0")
    root = airflow.configuration["root"]
    assert page.evaluate("window.opened") == [f"{root}plugin/agari-alerts{root}agari/alerts?dag_id=scoring"]


@pytest.mark.parametrize("airflow", ["/"], indirect=True, ids=["under_browse"])
def test_a_message_is_opened_in_a_new_tab_though_the_frame_may_open_none(page, airflow):
    airflow.answers |= {"api/alerts": alerts_answer(), "api/silences": silences_answer()}
    airflow.pages["/plugin/agari-alerts/agari/alerts"] = AIRFLOW.format(source="/agari/alerts", root="/")
    page.context.route("https://example.slack.com/**", lambda route: route.fulfill(body="the message"))
    frame = frame_of(page, f"{airflow.url}/plugin/agari-alerts/agari/alerts")
    with page.context.expect_page() as opened:
        frame.locator(".told a").first.click()
    assert opened.value.url == "https://example.slack.com/archives/C012AB3CD/p1795168000000100"
    opened.value.close()
