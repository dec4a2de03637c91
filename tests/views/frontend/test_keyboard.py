"""The charts without a mouse, and with one on a logarithmic axis."""

from __future__ import annotations

import copy
import threading

from tests.views.frontend.browsing import AT_BAR, control, open_page, query_of
from tests.views.frontend.charts_server import until
from tests.views.frontend.payloads import OUTCOMES, tries_answer

TRIES = "api/dags/scoring/tries"


def part_of(answer, first: int, end: int):
    """The same with some of its runs."""
    part = copy.deepcopy(answer)
    kept = [at for at, run in enumerate(answer["tries"]["run"]) if first <= run < end]
    for column, values in answer["tries"].items():
        part["tries"][column] = [values[at] - first if column == "run" else values[at] for at in kept]
    part["runs"] = {column: values[first:end] for column, values in answer["runs"].items()}
    part["shifts"] = []
    return part


def test_a_run_of_which_the_only_try_failed_has_its_bar_on_a_logarithmic_axis(page, charts):
    answer = charts.answers[TRIES] = tries_answer(10, active=False)
    load, tries = answer["tasks"]["task_id"].index("load"), answer["tries"]
    at = next(at for at, task in enumerate(tries["task"]) if task == load and tries["run"][at] == 4)
    tries["outcome"][at] = OUTCOMES.index("failed_first")
    open_page(page, charts, "dag_id=scoring&task_id=load&log=1")
    page.mouse.click(*page.evaluate(AT_BAR, [4, tries["run_seconds"][at] * 0.7]))
    page.wait_for_url("**/tasks/load?try_number=1")


def test_the_keys_stay_at_their_run_when_others_come_in(page, charts):
    whole = tries_answer(101, active=False)
    early = part_of(whole, 0, 100)
    early["runs"]["state"][-1] = "running"
    pressed = threading.Event()
    later = part_of(whole, 1, 101)
    charts.answers[TRIES] = lambda query: later if pressed.is_set() and "task_id" not in query else early
    open_page(page, charts, "dag_id=scoring&task_id=load")
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    pressed.set()
    until(page, "performance.getEntriesByName('agari-draw').length > 1")
    run_id = page.evaluate("encodeURIComponent", early["runs"]["run_id"][95])
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/runs/{run_id}/tasks/load?*")


def test_the_keys_forget_a_run_that_is_no_longer_shown(page, charts):
    whole = charts.answers[TRIES]
    charts.answers[TRIES] = lambda query: part_of(whole, 0, 25) if query["runs"] == ["25"] else whole
    open_page(page, charts)
    page.keyboard.press("ArrowLeft")
    control(page, "runs").select_option("25")
    until(page, "performance.getEntriesByName('agari-draw').length > 1")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Enter")
    assert query_of(page) == {"dag_id": ["scoring"], "runs": ["25"]}
    page.keyboard.press("ArrowLeft")
    assert page.locator("#spoken").text_content().startswith("2026-11-17 06:00")


def test_enter_presses_what_it_stands_on_and_opens_no_log(page, charts):
    open_page(page, charts, "dag_id=scoring&task_id=load")
    page.keyboard.press("ArrowLeft")
    control(page, "filters").press("Enter")
    assert control(page, "type-operator_triggered").is_visible()
    assert control(page, "type-asset_materialization").is_visible()
    assert "/tasks/" not in page.url


def test_plus_and_minus_zoom_around_the_run_that_the_keys_have_reached(page, charts):
    open_page(page, charts)
    after = charts.answers[TRIES]["runs"]["run_after"]
    for _ in range(21):
        page.keyboard.press("ArrowLeft")  # the 80th of a hundred runs
    page.keyboard.press("+")
    until(page, "location.search.includes('from=')")
    assert [int(query_of(page)[end][0]) for end in ("from", "to")] == [after[50], after[99]]
    page.keyboard.press("+")
    until(page, f"location.search.includes('from={after[67]}&to={after[91]}')")
    title = page.locator("h2", has_text="Time per run").text_content()
    assert title.endswith(" · zoomed to 25 of 100 runs, 2026-11-19 01:00 to 2026-11-20 01:00 (UTC)")
    page.keyboard.press("-")
    page.keyboard.press("-")
    until(page, "!location.search.includes('from=')")


def test_the_legend_hides_nothing_that_the_file_and_the_address_would_show(page, charts):
    open_page(page, charts)
    shown = "echarts.getInstanceByDom(document.querySelector('.duration')).getOption().legend[0].selectedMode"
    assert page.evaluate(shown) is False
