"""The runs of a DAG by task, by date, one on the clock, and two parts of them compared; in a real browser."""

from __future__ import annotations

from urllib.parse import urlencode

from tests.views.frontend.browsing import AT_BAR, control, focus, keyed, open_page, query_of
from tests.views.frontend.charts_server import until

SERIES = """(kind) => echarts.getInstanceByDom(document.querySelector('.duration')).getOption().series
  .filter((one) => one.type === kind && one.data.length > 0).map((one) => one.name)"""
TOP = "echarts.getInstanceByDom(document.querySelector('.duration')).getOption().yAxis[0].max"
TITLE = "[...document.querySelectorAll('h2')].find((one) => one.textContent.startsWith('Time per run')).textContent"


def test_the_bars_are_of_tasks_and_groups_are_folded(page, charts):
    tasks = charts.answers["api/dags/scoring/tries"]["tasks"]
    tasks["task_id"] = [f"spark.{name}" if "s" in name else name for name in tasks["task_id"]]
    open_page(page, charts)
    assert not control(page, "folded").is_visible()
    control(page, "by").select_option("task")
    names = page.evaluate(SERIES, "bar")
    assert [name for name in names if name in tasks["task_id"]] == tasks["task_id"]
    assert not control(page, "idle").is_visible()
    control(page, "folded").check()
    assert "spark" in page.evaluate(SERIES, "bar")
    control(page, "by").select_option("lines")
    assert "spark" in page.evaluate(SERIES, "line")
    assert page.evaluate(TITLE).endswith("a line for each group or task")
    page.reload()
    until(page, "performance.getEntriesByName('agari-draw').length > 0")
    assert (query_of(page)["by"], query_of(page)["folded"]) == (["lines"], ["1"])
    control(page, "task").select_option("load")
    assert not control(page, "by").is_visible()
    assert page.evaluate(SERIES, "bar")[0] == "successful try"


def test_a_click_on_the_bar_of_a_task_opens_the_run_with_its_tries_marked(page, charts):
    open_page(page, charts, "dag_id=scoring&by=task")
    page.mouse.click(*page.evaluate(AT_BAR, [50, 20]))
    assert page.locator("tr.marked th").all_text_contents() == ["prepare"]


def test_one_bar_of_weeks_does_not_flatten_the_others_and_is_said(page, charts):
    answer = charts.answers["api/dags/scoring/tries"]
    answer["tries"]["run_seconds"][5] = 20 * 86400.0
    open_page(page, charts)
    assert page.evaluate(TOP) < 4 * 3600
    assert "1 bar is cut, the longest at 480." in page.evaluate(TITLE)
    control(page, "whole").check()
    assert page.evaluate(TOP) > 20 * 86400
    assert "cut" not in page.evaluate(TITLE)
    assert query_of(page)["whole"] == ["1"]


def test_a_run_is_shown_on_the_clock_with_its_critical_path(page, charts):
    answer = charts.answers["api/dags/scoring/tries"]
    open_page(page, charts, urlencode({"dag_id": "scoring", "run": answer["runs"]["run_id"][3]}))
    rows = page.locator(".clock-row .clock-name")
    tries = answer["tries"]
    started = sorted({task for task, run in zip(tries["task"], tries["run"], strict=True) if run == 3})
    assert rows.all_text_contents() == [answer["tasks"]["task_id"][task] for task in started]
    assert page.locator(".clock-row.critical").count() == len(started)  # each task waits for the one before
    bars = page.locator(".clock-track .clock-ran")
    assert bars.count() == tries["run"].count(3)
    assert "Critical path: prepare " in page.locator(".clock p").first.text_content()


def test_the_runs_before_and_after_a_run_are_compared(page, charts):
    answer = charts.answers["api/dags/scoring/tries"]
    open_page(page, charts, urlencode({"dag_id": "scoring", "run": answer["runs"]["run_id"][63]}))
    keyed(page, "compare").click()
    assert query_of(page)["split"] == [str(answer["runs"]["run_after"][63])]
    table = page.locator("section[aria-label='Before and after'] tbody tr")
    assert table.count() == 13
    assert table.first.locator("th").text_content() == "summarize_spark"
    assert table.first.locator("td").nth(4).text_content().startswith("+")
    keyed(page, "sort-median_before").click()
    assert focus(page) == "sort-median_before"
    assert table.first.locator("th").text_content() == "all tasks"
    keyed(page, "close-split").click()
    assert "split" not in query_of(page)


def test_a_day_of_the_calendar_and_a_range_of_dates_are_gone_to(page, charts):
    open_page(page, charts)
    assert not [path for path, *_ in charts.asked if path.endswith("/days")]  # not before somebody opens it
    control(page, "dates").click()
    keyed(page, "day-2026-11-05").click()
    assert ("api/dags/scoring/days", {"time_zone": ["UTC"]}, 200) in charts.asked
    start = 1_793_836_800  # 2026-11-05
    until(page, "location.search.includes('until=') && !document.querySelector('.busy')")
    assert (query_of(page)["since"], query_of(page)["until"]) == ([str(start)], [str(start + 86400)])
    asked = charts.asked[-1][1]
    assert (asked["since"], asked["until"]) == ([str(start)], [str(start + 86400)])
    assert [control(page, name).input_value() for name in ("since", "until")] == ["2026-11-05"] * 2
    pressed = page.locator(".day[aria-pressed=true]")
    assert pressed.get_attribute("aria-label") == "2026-11-05: 24 success, 1 failed; 3 failed tries, 5.0 min lost"
    keyed(page, "day-2026-11-07").click(modifiers=["Shift"])
    assert page.locator(".day[aria-pressed=true]").count() == 3
    control(page, "until").fill("2026-11-09")
    assert query_of(page)["until"] == [str(start + 5 * 86400)]
    control(page, "newest").click()
    assert "since" not in query_of(page)
    keyed(page, "day-2026-11-09").focus()
    page.keyboard.press("ArrowDown")  # over the day without a run
    assert focus(page) == "day-2026-11-11"
    page.keyboard.press("ArrowLeft")
    assert focus(page) == "day-2026-11-04"


def test_the_indexes_of_a_mapped_task_are_listed_with_their_labels(page, charts):
    answer = charts.answers["api/dags/scoring/tries"]
    load = answer["tasks"]["task_id"].index("load")
    answer["tasks"]["mapped"][load] = True
    run_id = answer["runs"]["run_id"][3]
    open_page(page, charts, urlencode({"dag_id": "scoring", "run": run_id}))
    page.locator("[data-key^=indexes-load]").first.click()
    rows = page.locator("section[aria-label='Indexes of the mapped task'] tbody tr")
    until(page, "document.querySelectorAll('section[aria-label^=Indexes] tbody tr').length === 50")
    assert rows.first.locator("th").text_content() == "[59] <b>acme</b>"
    assert ("api/dags/scoring/indexes", {"run_id": [run_id], "task_id": ["load"]}, 200) in charts.asked
    keyed(page, "more-indexes").click()
    assert rows.count() == 60
    keyed(page, "sort-failed_tries").click()
    assert [rows.nth(at).locator("th").text_content() for at in range(2)] == ["[5]", "[3]"]
    assert rows.nth(1).locator("td").first.text_content() == "failed first try"
    assert page.locator(".histogram i").count() == 3
    assert query_of(page)["indexes"] == ["load"]
    keyed(page, "close-indexes").click()
    assert rows.count() == 0
