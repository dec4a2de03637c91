"""The page of a DAG in a real browser."""

from __future__ import annotations

import csv
import struct
import threading
from urllib.parse import urlencode

import pytest

from tests.views.frontend.browsing import AT_BAR, DRAWN, control, open_page, query_of
from tests.views.frontend.charts_server import until
from tests.views.frontend.payloads import OUTCOMES, tries_answer


def column(page, key: str) -> list[str]:
    """Texts of a column of the table of tasks."""
    keys = page.locator("thead th").evaluate_all("heads => heads.map((head) => head.dataset.column)")
    return page.locator(f".scroll tbody tr > :nth-child({keys.index(key) + 1})").all_text_contents()


def test_the_page_answers_without_hovering(page, charts):
    open_page(page, charts)
    assert page.locator(".window").text_content() == "last 100 of 8,214 runs, 2026-11-16 to 2026-11-20 (UTC)"
    assert page.locator(".card dt").all_text_contents() == [
        "Total time", "Lost in failed tries", "Waiting", "Retry rate", "Median per run", "p95 per run",
    ]  # fmt: skip
    assert page.locator(".card dd").nth(3).text_content() == "4.3 %+22 %, was 3.5 %"
    assert column(page, "name")[0] == "score_messages"  # it lost most
    assert len(column(page, "p95_seconds")) == 12
    assert page.locator(".note").text_content().startswith("summarize_spark changed around 2026-11-18")
    assert "Enter opens the log" in page.locator(".duration").get_attribute("aria-label")


def test_every_control_is_in_the_address_and_survives_a_reload_and_the_back_button(page, charts):
    charts.answers["api/dags/scoring/tries"]["tasks"]["mapped"][7] = True
    open_page(page, charts)
    control(page, "filters").click()
    for name in ("idle", "queued", "deferred", "last", "log", "type-manual", "state-failed"):
        control(page, name).check()
    for name, value in {"task": "load", "runs": "365", "mapped": "longest", "time": "local"}.items():
        control(page, name).select_option(value)
    control(page, "search").fill("lo")
    page.locator("th[data-column=p95_seconds] button").click()
    expected = {
        "dag_id": ["scoring"], "task_id": ["load"], "runs": ["365"], "run_type": ["manual"], "run_state": ["failed"],
        "mapped": ["longest"], "idle": ["1"], "queued": ["1"], "deferred": ["1"], "last": ["1"], "log": ["1"],
        "time": ["local"], "sort": ["-p95_seconds"], "search": ["lo"],
    }  # fmt: skip
    assert query_of(page) == expected
    page.reload()
    until(page, DRAWN)
    assert query_of(page) == expected
    assert all(control(page, name).is_checked() for name in ("idle", "log", "type-manual", "state-failed"))
    assert not control(page, "type-scheduled").is_checked()
    assert [control(page, name).input_value() for name in ("task", "runs", "mapped", "time", "search")] == [
        "load", "365", "longest", "local", "lo",
    ]  # fmt: skip
    assert column(page, "name") == ["load"]
    page.go_back()
    assert control(page, "time").input_value() == "utc"
    page.go_back()
    assert control(page, "mapped").input_value() == "sum"


def test_the_server_is_asked_for_what_it_filters_and_for_nothing_twice(page, charts):
    open_page(page, charts)
    control(page, "idle").check()
    control(page, "log").check()
    assert [query for _, query, _ in charts.asked] == [{"runs": ["100"]}]
    control(page, "task").select_option("load")
    until(page, "document.querySelector('.card dd').textContent !== '…'")
    assert [query for _, query, _ in charts.asked][1:] == [{"runs": ["100"], "task_id": ["load"]}]


@pytest.mark.parametrize("width", [1400, 1000, 500], ids=str)
def test_no_bar_moves_when_the_figures_of_a_task_come_later(page, charts, width):
    """A user who is about to click a bar must still hit it."""
    answer, released = charts.answers["api/dags/scoring/tries"], threading.Event()
    charts.answers["api/dags/scoring/tries"] = lambda query: (query.get("task_id") and released.wait(30), answer)[1]
    page.set_viewport_size({"width": width, "height": 900})
    top = "document.querySelector('.duration').getBoundingClientRect().top"
    try:
        open_page(page, charts, "dag_id=scoring&task_id=load")
        assert page.locator(".card dd").first.text_content() == "…"
        before = page.evaluate(top)
    finally:
        released.set()
    until(page, "document.querySelector('.card dd').textContent !== '…' && !document.querySelector('.busy')")
    assert page.evaluate(top) == before


def first_failed(answer, task: str) -> tuple[int, float]:
    """Run and seconds of the first failed try of a task, where its bar has one segment of that try on a success."""
    tries, task = answer["tries"], answer["tasks"]["task_id"].index(task)
    rows = [row for row, of in enumerate(tries["task"]) if of == task]
    run = next(tries["run"][row] for row in rows if OUTCOMES[tries["outcome"][row]] == "failed_first")
    of_run = {OUTCOMES[tries["outcome"][row]]: tries["run_seconds"][row] for row in rows if tries["run"][row] == run}
    return run, of_run["success"] + of_run["failed_first"] / 2


def test_a_click_on_a_failed_try_opens_its_log(page, charts):
    answer = charts.answers["api/dags/scoring/tries"]
    run, seconds = first_failed(answer, "score_messages")
    open_page(page, charts, "dag_id=scoring&task_id=score_messages")
    page.mouse.click(*page.evaluate(AT_BAR, [run, seconds]))
    page.wait_for_url("**/dags/scoring/runs/*/tasks/score_messages?try_number=1")
    assert answer["runs"]["run_id"][run] in page.url.replace("%3A", ":").replace("%2B", "+")


def test_a_bar_a_pixel_wide_leads_to_the_tries_of_its_run(page, charts):
    answer = charts.answers["api/dags/scoring/tries"] = tries_answer(1000, active=False)
    open_page(page, charts, "dag_id=scoring&runs=1000")
    page.mouse.click(*page.evaluate(AT_BAR, [500, 60]))
    assert page.locator(".panel h2").text_content() == f"Tries of {answer['runs']['run_id'][500]}"


def test_a_click_on_a_bar_of_several_tasks_lists_its_tries_with_links(page, charts):
    answer = charts.answers["api/dags/scoring/tries"]
    run, _ = first_failed(answer, "score_messages")
    open_page(page, charts)
    page.mouse.click(*page.evaluate(AT_BAR, [run, 60]))
    links = page.locator(".panel a.log")
    assert links.count() == answer["tries"]["run"].count(run)
    assert page.locator(".panel h2").text_content() == f"Tries of {answer['runs']['run_id'][run]}"
    failed = page.locator(".panel tr", has_text="failed first try").filter(has_text="score_messages")
    assert failed.locator("a.log").get_attribute("href").endswith("/tasks/score_messages?try_number=1")
    page.keyboard.press("Escape")
    assert page.locator(".panel").count() == 0


def test_the_keys_move_from_run_to_run_and_open_the_log(page, charts):
    open_page(page, charts, "dag_id=scoring&task_id=load")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.locator("#spoken").text_content().startswith("2026-11-20 08:00 · scheduled · success")
    assert page.locator(".map-line").is_visible()
    page.keyboard.press("/")
    page.keyboard.type("load?")
    assert control(page, "search").input_value() == "load?"
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.locator("dialog").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.wait_for_url("**/tasks/load?try_number=1")


def test_the_help_that_escape_closes_takes_no_further_key(page, charts):
    """Keys come faster than a loaded browser draws: the help's button must not still be there to press."""
    run_id = charts.answers["api/dags/scoring/tries"]["runs"]["run_id"][98]
    open_page(page, charts, urlencode({"dag_id": "scoring", "run": run_id}))
    control(page, "png").focus()
    at_once = page.evaluate(
        """() => {
          const down = (key) => new KeyboardEvent("keydown", {key, bubbles: true});
          const press = (key) => document.activeElement.dispatchEvent(down(key));
          press("?");
          const opened = document.activeElement.textContent;
          press("Escape");
          return [opened, document.activeElement.textContent, document.querySelectorAll("dialog, .panel").length];
        }"""
    )
    assert at_once == ["Close", "PNG", 1]


def test_both_charts_share_zoom_and_crosshair_and_the_zoom_survives_a_reload(page, charts):
    open_page(page, charts)
    after = charts.answers["api/dags/scoring/tries"]["runs"]["run_after"]
    page.locator(".note button").click()  # fifty runs on either side of the shift at run 63
    until(page, "location.search.includes('from=')")
    assert (query_of(page)["from"], query_of(page)["to"]) == ([str(after[13])], [str(after[99])])
    assert page.evaluate("performance.getEntriesByName('agari-zoom').length") > 0
    page.reload()
    until(page, DRAWN)
    x, y = page.evaluate(AT_BAR, [13, 60])
    page.mouse.move(x + 1, y)
    assert page.locator(".map-line").evaluate("line => parseFloat(line.style.left)") == pytest.approx(0.57, abs=0.02)
    plot = page.locator(".map-plot").bounding_box()
    page.mouse.move(plot["x"] + plot["width"] - 3, plot["y"] + 5)
    assert page.locator(".map-tip").text_content().startswith("prepare: 1 try\n2026-11-20 09:00")
    control(page, "zoom-out").click()
    until(page, "!location.search.includes('from=')")


def test_the_map_chooses_a_task_by_its_name(page, charts):
    open_page(page, charts)
    page.locator(".map-names button", has_text="load").click()
    assert page.locator("h1").text_content() == "scoring › load"  # noqa: RUF001
    page.locator(".map-names button", has_text="load").click()
    assert page.locator("h1").text_content() == "scoring"


def test_the_file_has_exactly_what_is_shown(page, charts):
    open_page(page, charts, "dag_id=scoring&task_id=load&last=1&queued=1")
    with page.expect_download() as download:
        control(page, "csv").click()
    assert download.value.suggested_filename == "scoring-load-tries.csv"
    with open(download.value.path(), newline="", encoding="utf-8-sig") as file:  # noqa: PTH123
        rows = list(csv.DictReader(file))
    assert len(rows) == 100
    assert {row["task_id"] for row in rows} == {"load"}
    assert "queued_seconds" in rows[0]
    assert "idle_seconds" not in rows[0]


def test_the_picture_shows_both_charts(page, charts):
    open_page(page, charts)
    with page.expect_download() as download:
        control(page, "png").click()
    with open(download.value.path(), "rb") as file:  # noqa: PTH123
        head = file.read(24)
    width, height = struct.unpack(">II", head[16:])
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert width > 2000
    assert height > 2 * (350 + 12 * 22)


def test_the_link_is_copied_also_where_the_browser_offers_no_clipboard(page, charts):
    open_page(page, charts, "dag_id=scoring&idle=1")
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.evaluate("document.addEventListener('copy', () => { window.copied = document.activeElement.value })")
    control(page, "link").click()
    until(page, "document.getElementById('spoken').textContent === 'Link copied'")
    assert page.evaluate("window.copied") == charts.page("dag_id=scoring&idle=1")


def test_the_table_is_copied_as_it_is_sorted(page, charts):
    open_page(page, charts)
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.evaluate("document.addEventListener('copy', () => { window.copied = document.activeElement.value })")
    page.locator("th[data-column=name] button").click()
    control(page, "copy-table").click()
    until(page, "window.copied")
    lines = page.evaluate("window.copied").split("\n")
    assert lines[0].split("\t")[:4] == ["task", "tries", "runs", "retried"]
    assert [line.split("\t")[0] for line in lines[1:3]] == ["build_model", "check_discrepancy"]


def test_older_and_newer_runs_are_a_click_away(page, charts):
    full = tries_answer(100, active=False)
    older = tries_answer(100, active=False)
    older["window"] |= {"older": False, "newer": True, "text": "runs 101 to 200 of 8,214"}
    older["window"] |= {"before": "1700000000.5-1", "after": "1700000000.5-6"}
    charts.answers["api/dags/scoring/tries"] = lambda query: older if "before" in query else full
    open_page(page, charts)
    assert control(page, "newer").is_disabled()
    control(page, "older").click()
    until(page, "document.querySelector('.window').textContent.startsWith('runs 101')")
    assert query_of(page)["before"] == [full["window"]["before"]]
    assert control(page, "older").is_disabled()
    control(page, "newer").click()
    until(page, "document.querySelector('.window').textContent.startsWith('last 100')")
    assert query_of(page)["after"] == ["1700000000.5-6"]
    assert "before" not in query_of(page)
    page.go_back()
    until(page, "document.querySelector('.window').textContent.startsWith('runs 101')")
    control(page, "newest").click()
    until(page, "document.querySelector('.window').textContent.startsWith('last 100')")


def test_it_refreshes_only_while_something_runs_and_asks_whether_there_is_news(page, charts):
    charts.answers["api/dags/scoring/tries"] = tries_answer(25, active=True)
    open_page(page, charts)
    while len(charts.asked) < 3:
        page.wait_for_timeout(100)
    assert [status for _, _, status in charts.asked[:3]] == [200, 304, 304]
    charts.answers["api/dags/scoring/tries"] = tries_answer(25, active=False)
    until(page, "performance.getEntriesByName('agari-draw').length > 1")
    asked = len(charts.asked)
    page.wait_for_timeout(2500)  # more than twice the refresh interval of the test server
    assert len(charts.asked) == asked


def test_it_follows_the_theme_and_draws_in_its_colours(page, charts):
    open_page(page, charts)
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark")
    until(page, "document.documentElement.classList.contains('dark')")
    assert page.evaluate(background) == "rgb(22, 29, 45)"
    page.evaluate("localStorage.setItem('theme', 'light')")
    page.reload()
    assert page.evaluate(background) == "rgb(255, 255, 255)"


@pytest.mark.parametrize(
    ("status", "title", "button"),
    [
        (401, "You are logged out", "Log in"),
        (403, "You may not see this", "Show all DAGs"),
        (404, "There is no such DAG", "Show all DAGs"),
        (503, "This took the database too long", "Show 25 runs"),
    ],
)
def test_an_error_says_what_it_means_and_what_to_do(page, charts, status, title, button):
    charts.answers["api/dags/scoring/tries"] = (status, {"detail": "Ask Ada, <b>she</b> knows."})
    page.goto(charts.page("dag_id=scoring"))
    assert page.locator(".notice h2").text_content() == title
    assert page.locator(".notice p").text_content() == "Ask Ada, <b>she</b> knows."
    assert page.locator(".notice button").text_content() == button
    assert not page.locator(".duration").is_visible()
    assert len(page.complaints) == 1  # the browser's own line about the status
    page.complaints.clear()


def test_filters_that_hide_everything_are_reset_with_a_click(page, charts):
    nothing = tries_answer(0, active=False, total=0)
    everything = tries_answer(25, active=False)
    charts.answers["api/dags/scoring/tries"] = lambda query: nothing if "run_state" in query else everything
    page.goto(charts.page("dag_id=scoring&run_state=queued&log=1"))
    assert page.locator(".notice h2").text_content() == "No run matches the filters"
    page.locator(".notice button").click()
    until(page, DRAWN)
    assert query_of(page) == {"dag_id": ["scoring"]}


HOSTILE = "<img src=x onerror=window.hacked=1>\"'&"


def test_names_are_never_taken_for_markup(page, charts):
    answer = tries_answer(25, active=False, dag_id=HOSTILE)
    answer["tasks"]["task_id"][2] = HOSTILE
    answer["runs"]["run_id"] = [HOSTILE + str(run) for run in range(25)]
    answer["window"]["text"] = HOSTILE
    answer["shifts"] = [{"task": 2, "kind": "duration", "run": 5, "before": 1, "after": 2, "text": HOSTILE}]
    charts.answers = {f"api/dags/{page.evaluate('encodeURIComponent', HOSTILE)}/tries": answer}
    page.goto(charts.page(page.evaluate("name => new URLSearchParams({dag_id: name}).toString()", HOSTILE)))
    until(page, DRAWN)
    page.mouse.move(*page.evaluate(AT_BAR, [3, 60]))
    page.locator(".tip", has_text=HOSTILE).wait_for()
    page.mouse.click(*page.evaluate(AT_BAR, [3, 60]))
    page.locator(".panel h2", has_text=HOSTILE).wait_for()
    page.locator(".map-plot").hover(position={"x": 5, "y": 50})
    assert page.locator(".map-tip").text_content().startswith(HOSTILE)
    assert page.locator("img").count() == 0
    assert page.evaluate("window.hacked") is None


def test_nothing_runs_over_the_edge_of_a_narrow_window(page, charts):
    page.set_viewport_size({"width": 480, "height": 900})
    open_page(page, charts)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
