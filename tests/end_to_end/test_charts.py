"""
The charts in a real Airflow: as a person meets them (log in, find them, read them, go to a log), and what their API
answers of what running DAGs left behind.

One small Airflow runs every case. Of the API the expected values are of the DAG file, written by hand: waits and queues
last as long as the machine is busy; what a task sleeps is the least that its try takes, and twice that time would be a
second counted twice.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Frame, Page, expect
from sqlalchemy.orm import Session

from airflow_agari_provider.local.airflow_home import AIRFLOW_3, USER, AirflowApi, AirflowHome
from airflow_agari_provider.local.demo_setup import free_ports
from airflow_agari_provider.local.processes import Processes
from airflow_agari_provider.views.charts import dag_tries
from airflow_agari_provider.views.questions import tries_question
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
GOLDEN_ID = "golden"
GOLDEN_FILE = """
import time
from datetime import datetime, timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow_agari_provider.airflow_compat import DAG, BaseOperator
from airflow_agari_provider.notifications.slack_sla_miss import SlackSlaMissNotifier
from airflow_agari_provider.slas import set_slas


def fail_first(seconds, fails, ti):
    time.sleep(seconds)
    if fails and ti.try_number == 1:
        raise ValueError("the first try fails")


class Defers(BaseOperator):
    def execute(self, context):
        time.sleep(5)
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=20)), method_name="resume")

    def resume(self, context, event=None):
        time.sleep(5)


again = {"python_callable": fail_first, "retries": 1, "retry_delay": timedelta(seconds=5)}
with DAG("golden", schedule=None, start_date=datetime(2026, 1, 1)) as golden:
    EmptyOperator(task_id="empty")
    PythonOperator(task_id="retried", op_args=[10, True], **again)
    PythonOperator(task_id="cleared", op_args=[10, False], **again)
    PythonOperator.partial(task_id="mapped", **again).expand(op_args=[[10, False], [10, True]])
    Defers(task_id="deferred")
set_slas(golden, {"retried": timedelta(hours=9)}, alerts=[SlackSlaMissNotifier()])
"""
AT_FAILED_TRY = """() => {
  const chart = echarts.getInstanceByDom(document.querySelector('.duration'));
  const height = Object.fromEntries(chart.getOption().series.map((one) => [one.id, one.data[0]]));
  return chart.convertToPixel({gridIndex: 0}, [0, height.success + height.failed_first / 2]);
}"""


def wait_for(done: Callable[[], object], what: str, seconds: float = 420) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} seconds"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def airflow(tmp_path_factory) -> Iterator[AirflowHome]:
    """An Airflow that runs both DAGs; Airflow 3 below a path, as behind a proxy."""
    folder = tmp_path_factory.mktemp("charts")
    dags = folder / "dags"
    dags.mkdir()
    for dag_id, text in ((DAG_ID, DAG_FILE), (GOLDEN_ID, GOLDEN_FILE)):
        (dags / f"{dag_id}.py").write_text(text)
    processes = Processes(folder / "logs")
    with pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith(("AIRFLOW", "AWS_"))]:
            environment.delenv(name)
        home = AirflowHome(folder / "airflow", free_ports(None), dags, {}, path="/af" if AIRFLOW_3 else "")
        try:
            for name, command in home.preparations().items():
                processes.run(name, command, home.environment())
            for name, command in home.services().items():
                processes.start(name, command, home.environment())
            api = AirflowApi(home)
            wait_for(api.healthy, "a healthy Airflow")
            for dag_id in (GOLDEN_ID, DAG_ID):
                wait_for(lambda dag_id=dag_id: api.knows(dag_id), dag_id)
                api.unpause(dag_id)
            yield home
        finally:
            processes.stop()


@pytest.fixture(scope="module")
def golden_run(airflow) -> str:
    """Begun before anything else, as it takes longest."""
    return AirflowApi(airflow).trigger(GOLDEN_ID, "2026-01-02T00:00:00+00:00", {})


@pytest.fixture
def twice(airflow, golden_run) -> AirflowHome:
    """The Airflow, in which a task has failed once and then succeeded."""
    api = AirflowApi(airflow)
    run_id = api.trigger(DAG_ID, "2026-11-20T08:00:00+00:00", {})
    wait_for(lambda: api.run_state(DAG_ID, run_id) == "success", "the run's success")
    return airflow


@pytest.fixture
def golden(airflow, golden_run) -> dict[str, Any]:
    """What the charts say after one run, in which one task was then cleared."""
    api = AirflowApi(airflow)
    wait_for(lambda: api.run_state(GOLDEN_ID, golden_run) == "success", "the run's success")
    api.clear(GOLDEN_ID, golden_run, ["cleared"], downstream=False)
    wait_for(lambda: api.run_state(GOLDEN_ID, golden_run) != "success", "the run's second start")
    wait_for(lambda: api.run_state(GOLDEN_ID, golden_run) == "success", "the run's second success")
    engine = sa.create_engine(f"sqlite:///{airflow.folder}/airflow.db", connect_args={"timeout": 60})
    with Session(engine) as session:
        found = dag_tries(session, GOLDEN_ID, tries_question([]), datetime.now(UTC).timestamp())
    engine.dispose()
    return found


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


def test_what_really_ran_is_what_the_charts_show(golden):
    tries, tasks = golden["tries"], golden["tasks"]["task_id"]
    shown = [
        (
            tasks[tries["task"][at]],
            tries["try_number"][at],
            golden["outcomes"][tries["outcome"][at]],
            tries["instances"][at],
        )
        for at in range(len(tries["task"]))
    ]
    at = {place: index for index, place in enumerate(shown)}
    ran = {place: tries["run_seconds"][index] for place, index in at.items()}
    expected = {
        ("retried", 1, "failed_first", 1): 10,
        ("retried", 2, "success", 1): 10,
        ("cleared", 1, "superseded", 1): 10,
        ("cleared", 2, "success", 1): 10,
        ("mapped", 1, "failed_first", 1): 10,
        ("mapped", 1, "success", 1): 10,
        ("mapped", 2, "success", 1): 10,
    }
    slept = {place: seconds for place, seconds in ran.items() if place in expected}
    assert {
        place: expected[place] <= seconds < 2 * expected[place] for place, seconds in slept.items()
    } == dict.fromkeys(expected, True), ran
    empty = next(place for place in shown if place[0] == "empty")
    assert (empty[2:], ran[empty]) == (("success", 1), 0)
    deferred = at["deferred", 1, "success", 1]
    if AIRFLOW_3:
        assert tries["deferred_seconds"][deferred] >= 20
        assert 10 <= tries["run_seconds"][deferred] < 20
    else:
        assert tries["deferred_seconds"][deferred] is None
        assert tries["run_seconds"][deferred] >= 30
    assert set(shown) == {*expected, empty, ("deferred", 1, "success", 1)}
    assert all(tries["idle_seconds"][at[place, 2, "success", 1]] >= 5 for place in ("retried", "mapped"))
    assert golden["task_figures"][tasks.index("retried")]["retried_runs"] == 1
    assert golden["task_figures"][tasks.index("cleared")]["retried_runs"] == 0
    slas = dict(zip(tasks, golden["tasks"]["sla"], strict=True))
    assert (slas["retried"], slas["mapped"]) == (9 * 3600, None)
