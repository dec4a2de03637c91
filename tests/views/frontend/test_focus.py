"""The keyboard's focus: users without a mouse must not be sent back to the top of the page."""

from __future__ import annotations

from tests.views.frontend.browsing import DRAWN, control, focus, keyed, open_overview, open_page, query_of
from tests.views.frontend.charts_server import until
from tests.views.frontend.payloads import tries_answer

DRAWS = "performance.getEntriesByName('agari-draw').length"


def test_it_stays_on_what_is_drawn_anew(page, charts):
    open_page(page, charts)
    for key in ("sort-p95_seconds", "map-load", "row-export", "map-export"):
        keyed(page, key).focus()
        page.keyboard.press("Enter")
        assert focus(page) == key
    assert query_of(page) == {"dag_id": ["scoring"], "sort": ["-p95_seconds"]}  # each of them did what it does


def test_a_refresh_leaves_it_and_the_list_of_tries_where_they_are(page, charts):
    answers = iter(range(10_000))

    def running(_):
        answer = tries_answer(25, active=True)
        answer["tries"]["run_seconds"][-1] += next(answers)
        return answer

    charts.answers["api/dags/scoring/tries"] = running
    open_page(page, charts)
    keyed(page, "row-export").focus()
    until(page, f"{DRAWS} > 1")
    assert focus(page) == "row-export"
    keyed(page, "bars").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    page.add_style_tag(content=".panel .scroll { max-height: 90px !important }")
    keyed(page, "try-prepare-1--1-success").focus()
    page.evaluate("document.querySelector('.panel .scroll').scrollTop = 60")
    drawn = page.evaluate(DRAWS)
    until(page, f"{DRAWS} > {drawn}")
    assert focus(page) == "try-prepare-1--1-success"
    assert page.evaluate("document.querySelector('.panel .scroll').scrollTop") > 0


def test_what_closes_gives_it_back(page, charts):
    open_page(page, charts)
    control(page, "csv").focus()
    page.keyboard.press("?")
    page.keyboard.press("Escape")
    assert focus(page) == "csv"
    keyed(page, "bars").focus()
    page.keyboard.press("ArrowLeft")
    for close in (lambda: page.keyboard.press("Escape"), lambda: keyed(page, "close").press("Enter")):
        page.keyboard.press("Enter")
        assert focus(page) == "panel"
        close()
        assert page.locator(".panel").count() == 0
        assert focus(page) == "bars"


def test_a_disabled_control_passes_the_focus_to_the_one_next_to_it(page, charts):
    full, oldest = tries_answer(100, active=False), tries_answer(100, active=False)
    oldest["window"] |= {"older": False, "newer": True, "text": "runs 1 to 100 of 8,214"}
    charts.answers["api/dags/scoring/tries"] = lambda query: oldest if "before" in query else full
    open_page(page, charts)
    control(page, "older").press("Enter")
    until(page, "document.querySelector('.window').textContent.startsWith('runs 1 ')")
    assert focus(page) == "newer"
    control(page, "newest").press("Enter")
    until(page, "document.querySelector('.window').textContent.startsWith('last 100')")
    assert focus(page) == "older"
    page.locator(".note button").click()
    control(page, "zoom-out").press("Enter")
    until(page, "document.querySelector('[data-control=zoom-out]').hidden")
    assert focus(page) == "older"


def test_copying_without_the_browser_s_clipboard_leaves_it(page, charts):
    open_page(page, charts)
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    control(page, "link").press("Enter")
    until(page, "document.getElementById('spoken').textContent === 'Link copied'")
    assert focus(page) == "link"


def test_on_the_page_of_all_dags_it_stays_too_and_another_page_begins_at_its_title(page, charts):
    open_overview(page, charts)
    keyed(page, "sort-name").press("Enter")
    assert focus(page) == "sort-name"
    keyed(page, "row-scoring").press("Enter")
    until(page, DRAWN)
    assert focus(page) == "title"
