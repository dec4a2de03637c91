"""
The charts in a real Airflow: as a person meets them (log in, find them, read them, go to a log), and what their API
answers about DAGs that ran.

One small Airflow runs every case. Of the API the expected values are of the DAG file, written by hand: waits and queues
last as long as the machine is busy; what a task sleeps is the least that its try takes, and twice that time would be a
second counted twice.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import Frame, Page, expect

from airflow_agari_provider.local.demo.airflow_home import AIRFLOW_3, USER, AirflowApi, AirflowHome
from airflow_agari_provider.local.demo.setup import free_ports
from airflow_agari_provider.local.processes import Processes
from tests.airflow_processes import without_settings_of_tests
from tests.end_to_end.golden_cases import CASES, DAG_IDS, GOLDEN_FILE, HOUR, JANUARY, OVERVIEW, RUNS, Story, wait_for
from tests.views.frontend.charts_server import until

pytestmark = pytest.mark.end_to_end

SETTINGS = {
    "AIRFLOW__CORE__PARALLELISM": "10",  # most of it sleeps
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",  # seconds; when they all start at once
    "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "1",  # for the DAG file that is rewritten
    # SQLite locks no rows: tasks of 2.11 that schedule the next one while the scheduler does so too count its try twice
    "AIRFLOW__SCHEDULER__SCHEDULE_AFTER_TASK_EXECUTION": "False",
    "GOLDEN_HOUR": str(HOUR),
}
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


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> Iterator[Story]:
    """An Airflow that runs all the DAGs; Airflow 3 below a path, as with a proxy. The longest runs have begun."""
    folder = tmp_path_factory.mktemp("charts")
    dags = folder / "dags"
    dags.mkdir()
    (dags / f"{DAG_ID}.py").write_text(DAG_FILE)
    (dags / GOLDEN_FILE.name).write_text(GOLDEN_FILE.read_text())
    processes = Processes(folder / "logs")
    with pytest.MonkeyPatch.context() as environment:
        without_settings_of_tests(environment)
        home = AirflowHome(folder / "airflow", free_ports(None), dags, {}, SETTINGS, "/af" if AIRFLOW_3 else "")
        try:
            for name, command in home.preparations().items():
                processes.run(name, command, home.environment())
            story = Story(home, processes)
            web, *others = home.services().items()
            processes.start(*web, home.environment())
            story.backfill()
            for name, command in others:
                processes.start(name, command, home.environment())
            wait_for(story.api.healthy, "a healthy Airflow")
            story.begin()
            story.unpause(DAG_ID)
            yield story
        finally:
            processes.stop()


@pytest.fixture
def twice(story) -> AirflowHome:
    """The Airflow, in which a task has failed once and then succeeded."""
    run_id = story.api.trigger(DAG_ID, "2026-11-20T08:00:00+00:00", {})
    wait_for(lambda: story.api.run_state(DAG_ID, run_id) == "success", "the run's success")
    return story.home


@pytest.fixture(scope="module")
def answers(story) -> dict[str, Any]:
    """What the charts' API says, by DAG, and of all DAGs, once every case is there."""
    story.go_on()
    read = reader(story.home)
    found = {
        **{dag_id: read(f"dags/{dag_id}/tries") for dag_id in DAG_IDS},
        "backfills": read("dags/daily/tries?run_type=backfill"),
        "scheduled": read("dags/daily/tries?run_type=scheduled"),
        "overview": read("overview?days=2"),
        "task_time": read("overview/task_time?days=2"),
    }
    story.end()
    return found


def reader(home: AirflowHome) -> Callable[[str], Any]:
    """A client of the charts' API: with a token, or on 2.11 the cookie of a login."""
    session = requests.Session()
    if AIRFLOW_3:
        session.headers["Authorization"] = AirflowApi(home)._log_in()
    else:
        form = session.get(f"{home.url}/login/").text
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form)[1]
        session.post(f"{home.url}/login/", {"username": USER, "password": home.password, "csrf_token": token})

    def read(path: str) -> Any:
        answer = session.get(f"{home.url}/agari/api/{path}", timeout=60)
        answer.raise_for_status()
        return answer.json()

    return read


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


def test_a_person_finds_the_charts_and_gets_to_the_log_of_a_failed_try(page, twice):
    log_in(page, twice)
    charts = open_charts(page, twice)
    charts.locator("tbody a", has_text=DAG_ID).click()
    charts.locator("tbody a", has_text="flaky").click()
    drawn(charts)
    expect(charts.locator("h1")).to_have_text(f"{DAG_ID} › flaky", timeout=60_000)  # noqa: RUF001
    permalink = page.url
    assert "task_id=flaky" in permalink

    page.evaluate("localStorage.setItem('theme', 'dark')")
    page.goto(permalink)
    charts = charts_frame(page) if AIRFLOW_3 else page
    drawn(charts)
    assert charts.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 29, 45)"
    expect(charts.locator("h1")).to_have_text(f"{DAG_ID} › flaky", timeout=60_000)  # noqa: RUF001

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


def tries_of(answer: dict[str, Any], task: str | None = None) -> list[dict[str, Any]]:
    """The tries of one task, or of all, by the names of their columns, with task and outcome in words."""
    columns, tasks, outcomes = answer["tries"], answer["tasks"]["task_id"], answer["outcomes"]
    tries = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    named = [{**one, "task": tasks[one["task"]], "outcome": outcomes[one["outcome"]]} for one in tries]
    return [one for one in named if task in (None, one["task"])]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_really_ran_is_what_the_charts_show(answers, case):
    found = tries_of(answers[case.dag_id], case.task)
    shown = [(one["try_number"], one["outcome"], one["instances"], one["last"]) for one in found]
    assert shown == [(tried.number, tried.outcome, tried.instances, tried.last) for tried in case.tries]
    for one, tried in zip(found, case.tries, strict=True):
        most = tried.run + 120 if tried.most is None else tried.most
        assert tried.run <= one["run_seconds"] <= most, one
        assert one["idle_seconds"] >= tried.idle, one
        assert one["end_unknown"] is tried.end_unknown, one
        if tried.deferred is None:
            assert one["deferred_seconds"] is None, one
        else:
            assert one["deferred_seconds"] >= tried.deferred, one


def test_nothing_else_is_shown(answers):
    shown = {(dag_id, one["task"]) for dag_id in DAG_IDS for one in tries_of(answers[dag_id])}
    assert shown == {(case.dag_id, case.task) for case in CASES.values()} | {("rewritten", "stays")}


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_run_and_waits_add_up_to_the_wall_time(answers, dag_id):
    answer = answers[dag_id]
    tasks = defaultdict(list)
    for one in tries_of(answer):
        tasks[one["run"], one["task"]].append(one)
    for tries in tasks.values():
        if tries[0]["map_index"] >= 0 or tries[0]["instances"] > 1:
            continue  # the sums of several indexes
        # what came back from the triggerer was queued for a time that Airflow has forgotten
        began = tries[0]["start"] - (tries[0]["queued_seconds"] or 0)
        parts = [one[f"{part}_seconds"] or 0 for one in tries for part in ("run", "idle", "queued", "deferred")]
        assert sum(parts) == pytest.approx((tries[-1]["end"] or answer["now"]) - began, abs=0.02), tries
    for part in ("idle", "queued", "deferred"):
        counted = [one for one in tries_of(answer) if one["counted"]]
        of_tries = [one[f"{part}_seconds"] for one in counted]
        figure, known = answer["figures"][f"{part}_seconds"], sum(seconds or 0 for seconds in of_tries)
        assert figure == (None if None in of_tries and not known else pytest.approx(known, abs=0.02))


def test_mapped_indexes_are_summed_each_from_its_own_start(answers, story):
    """What still runs up to the moment of the answer. Airflow's own API says when they began."""
    now = answers["halfway"]["now"]
    expected: dict[str, float] = defaultdict(float)
    for state, start, end in story.mapped:
        expected[state] += (end or now) - start
    found = {one["outcome"]: one["run_seconds"] for one in tries_of(answers["halfway"], "mapped")}
    assert found == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("dag_id", RUNS)
def test_runs_stand_in_the_order_in_which_they_were_due(answers, dag_id):
    runs = answers[dag_id]["runs"]
    assert runs["run_type"] == [run_type for run_type, _ in RUNS[dag_id]]
    assert runs["run_after"] == sorted(runs["run_after"])
    for shown, (_, date) in zip(runs["logical_date"], RUNS[dag_id], strict=True):
        assert shown is not None if date is ... else shown == date
    assert answers["backfills"]["runs"]["logical_date"] == JANUARY


@pytest.mark.parametrize("dag_id", OVERVIEW)
def test_the_page_of_all_dags_counts_the_same(answers, dag_id):
    columns = answers["overview"]["dags"]
    at = columns["dag_id"].index(dag_id)
    assert tuple(columns[name][at] for name in ("failed_tries", "failures", "active")) == OVERVIEW[dag_id]
    assert columns["lost_seconds"][at] == pytest.approx(answers[dag_id]["figures"]["lost_seconds"], abs=0.02)


@pytest.mark.parametrize("dag_id", OVERVIEW)
def test_the_page_of_all_dags_has_the_same_total_and_retry_rate(answers, dag_id):
    """It was asked a little later: what runs has run longer then."""
    columns = answers["task_time"]["dags"]
    page = answers["scheduled" if dag_id == "daily" else dag_id]  # its backfills are of long ago
    at = columns["dag_id"].index(dag_id)
    goes_on = sum(one["instances"] for one in tries_of(page) if one["outcome"] in ("running", "deferred"))
    longer = goes_on * (answers["task_time"]["now"] - page["now"])
    total = columns["total_seconds"][at] - page["figures"]["total_seconds"]
    assert -0.05 <= total <= longer + 0.05
    assert page["figures"]["retry_rate"] == round(columns["retried"][at] / columns["started"][at], 4)
    assert (page["figures"]["retry_rate"] > 0) is (dag_id == "golden")


def test_a_clear_is_not_a_retry_and_the_sla_is_that_of_the_dag_file(answers):
    golden = answers["golden"]
    tasks = golden["tasks"]["task_id"]
    retried = {tasks[one["task"]]: one["retried_runs"] for one in golden["task_figures"]}
    assert {task for task, runs in retried.items() if runs} == {"retried", "mapped"}
    assert len(retried) == 9
    slas = dict(zip(tasks, golden["tasks"]["sla"], strict=True))
    assert (slas["retried"], slas["mapped"]) == (9 * 3600, None)
