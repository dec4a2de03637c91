"""The page over all DAGs in a real browser."""

from __future__ import annotations

import threading

from tests.views.frontend.browsing import ROWS, query_of
from tests.views.frontend.browsing import open_overview as open_page
from tests.views.frontend.charts_server import until
from tests.views.frontend.payloads import overview_answer, task_time_answer


def names(page) -> list[str]:
    return page.locator("tbody th a").all_text_contents()


def test_it_shows_runs_by_state_as_bars_with_numbers(page, charts):
    open_page(page, charts)
    assert page.locator("thead th").all_text_contents() == [
        "DAG", "newest run ↓", "last run", "runs ever", "runs in 30 days", "failures", "failed tries", "lost",
        "retry rate", "total time", "active",
    ]  # fmt: skip
    dags = charts.answers["api/overview"]["dags"]
    failed = [name for name, state in zip(dags["dag_id"], dags["last_state"], strict=True) if state == "failed"]
    assert sorted(names(page)[: len(failed)]) == sorted(failed)
    until(page, "document.querySelector('tbody tr').children[8].textContent.endsWith('%')")
    newest = page.locator("tbody tr").first.locator(".runs-bar").first
    assert newest.get_attribute("aria-label") == "failed: 1 failed, 9 success"
    page.locator("th[data-column=lost_seconds] button").click()
    worst = max(range(24), key=dags["lost_seconds"].__getitem__)
    assert names(page)[0] == dags["dag_id"][worst]
    bar = page.locator("tbody tr").first.locator(".runs-bar").nth(2)
    assert bar.get_attribute("aria-label").startswith(f"{dags['window']['success'][worst]} success, ")
    numbers = page.locator("tbody tr").first.locator(".runs-numbers").nth(2)
    assert numbers.text_content().startswith(f"✓ {dags['window']['success'][worst]:,}✕ ")
    assert page.locator(".states").text_content() == "✓ success✕ failed▶ running◦ queued"
    page.keyboard.press("?")
    assert page.locator("dialog kbd").all_text_contents() == ["/", "?", "Click a name", "Click a title"]
    assert bar.locator(".state.failed").evaluate("part => part.style.flexGrow") == str(dags["window"]["failed"][worst])


def test_the_slower_columns_fill_in_when_their_answer_comes(page, charts):
    released = threading.Event()

    def later(_):
        released.wait(30)
        return task_time_answer()

    charts.answers["api/overview/task_time"] = later
    open_page(page, charts)
    rate = page.locator("tbody tr").first.locator("td").nth(7)
    assert rate.text_content() == "…"
    released.set()
    until(page, "document.querySelector('tbody tr').children[8].textContent.endsWith('%')")


def test_it_sorts_searches_and_leads_to_a_dag_and_back(page, charts):
    open_page(page, charts)
    page.locator("th[data-column=name] button").click()
    assert names(page) == sorted(names(page))
    page.keyboard.press("/")
    page.keyboard.type("SCOR")
    until(page, f"{ROWS} === 1")
    assert page.locator(".window").text_content().startswith("1 of 24 DAGs; window since 2026-10-21")
    page.reload()
    until(page, f"{ROWS} === 1")
    page.locator("tbody a", has_text="scoring").click()
    until(page, "performance.getEntriesByName('agari-draw').length > 0")
    assert page.locator("h1").text_content() == "scoring"
    page.go_back()
    until(page, f"{ROWS} === 1")
    assert page.locator("input[type=search]").input_value() == "SCOR"


def test_tag_owner_paused_and_problems_choose_among_the_dags(page, charts):
    dags = charts.answers["api/overview"]["dags"]
    dags["failures"] = dags["window"]["failed"] = [int(index in (0, 12)) for index in range(24)]
    open_page(page, charts)
    for name, value in {"tag": "scoring", "owner": "bob", "paused": "active"}.items():
        page.locator(f"[data-control={name}]").select_option(value)
    expected = [0, 6, 12, 18]  # every second has the tag, every third the owner; 4, 13 and 22 are paused
    assert sorted(names(page)) == sorted(dags["dag_id"][index] for index in expected)
    page.locator("[data-control=problems]").check()
    assert sorted(names(page)) == sorted(dags["dag_id"][index] for index in (0, 12))
    page.reload()
    until(page, f"{ROWS} === 2")
    assert page.locator("[data-control=owner]").input_value() == "bob"
    page.locator("[data-control=tag]").select_option("hourly")
    assert names(page) == [dags["dag_id"][21]]  # its newest run failed
    page.locator("[data-control=team]").select_option("data")
    assert query_of(page)["team"] == ["data"]
    assert names(page) == [dags["dag_id"][21]]
    page.locator("[data-control=paused]").select_option("paused")
    assert page.locator(".notice h2").text_content() == "No DAG matches the filters"
    page.locator(".notice button").click()
    until(page, f"{ROWS} === 24")


def test_what_is_under_way_is_listed_once_it_is_opened(page, charts):
    open_page(page, charts)
    assert not [path for path, *_ in charts.asked if path == "api/active"]
    page.locator("[data-key=under-way]").click()
    rows = page.locator(".under-way tbody tr")
    until(page, "document.querySelectorAll('.under-way tbody tr').length === 3")
    assert rows.locator("th").all_text_contents() == ["score_messages", "load [4]", "publish"]
    assert rows.first.get_attribute("class") == "late"
    assert [rows.nth(at).locator("td").nth(5).text_content() for at in range(3)] == [
        "longer than usual", "–", "2026-11-20 09:47",  # noqa: RUF001
    ]  # fmt: skip
    assert "pool spark: 1 waiting, 1 of 1 slots taken" in page.locator(".under-way p").text_content()
    rows.first.locator("a").click()
    until(page, "performance.getEntriesByName('agari-draw').length > 0")
    assert page.locator("h1").text_content() == "scoring › score_messages"  # noqa: RUF001


def test_another_window_is_asked_for(page, charts):
    open_page(page, charts)
    page.locator("[data-control=days]").select_option("7")
    until(page, "document.querySelector('th[data-column=window]').textContent === 'runs in 7 days'")
    assert ("api/overview", {"days": ["7"]}, 200) in charts.asked


def test_of_three_thousand_dags_a_hundred_are_shown_and_the_search_finds_all(page, charts):
    charts.answers["api/overview"] = overview_answer(3000)
    charts.answers["api/overview/task_time"] = task_time_answer(3000)
    open_page(page, charts)
    assert page.locator("tbody tr").count() == 100
    more = page.locator("[data-key=more-rows]")
    assert more.text_content() == "Show 100 more: 100 of 3,000 are shown"
    more.click()
    assert page.locator("tbody tr").count() == 200
    page.locator("input[type=search]").fill("dag_2999")
    until(page, f"{ROWS} === 1")
    assert more.count() == 0


def test_a_search_without_a_hit_can_be_cleared(page, charts):
    page.goto(charts.page("search=nowhere"))
    page.locator(".notice button").click()
    assert len(names(page)) == 24


def test_names_are_never_taken_for_markup(page, charts):
    hostile = "<img src=x onerror=window.hacked=1>\"'&"
    charts.answers["api/overview"]["dags"]["dag_id"][0] = hostile
    open_page(page, charts)
    assert hostile in names(page)
    assert page.locator("img").count() == 0
