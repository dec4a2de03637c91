"""What the charts' pages do when the server is slow, fails, or has nothing for them."""

from __future__ import annotations

import threading

import pytest

from tests.views.frontend.browsing import DRAWN, control, open_overview, open_page
from tests.views.frontend.charts_server import until
from tests.views.frontend.payloads import overview_answer, tries_answer

TRIES = "api/dags/scoring/tries"
SLOW = (503, {"detail": "The database did not answer in time."})


def failing_after_the_first(answer, mended: threading.Event):
    """An answer that changes each time, and fails from the second time on until it is mended."""
    asked = []

    def next_answer(_):
        asked.append(None)
        return answer(len(asked)) if len(asked) == 1 or mended.is_set() else (502, {"detail": ""})

    return next_answer


def test_the_bars_stay_when_the_figures_of_one_task_do_not_come(page, charts):
    whole = charts.answers[TRIES]
    charts.answers[TRIES] = lambda query: SLOW if "task_id" in query else whole
    open_page(page, charts, "dag_id=scoring&task_id=load")
    until(page, "document.querySelector('.wall').textContent !== ''")
    assert page.locator(".wall").text_content() == (
        "The figures of load did not come: The database did not answer in time."
    )
    assert page.locator(".card dd").all_text_contents() == ["–"] * 6  # noqa: RUF001
    assert page.locator(".duration").is_visible()
    assert len(page.complaints) == 1  # the browser's own line about the status
    page.complaints.clear()


def test_the_table_of_all_dags_stays_when_its_slower_columns_do_not_come(page, charts):
    charts.answers["api/overview/task_time"] = SLOW
    open_overview(page, charts)
    until(page, "!document.querySelector('.stale').hidden")
    assert page.locator(".stale").text_content() == (
        "Retry rate and total time did not come: The database did not answer in time."
    )
    assert page.locator("tbody tr").first.locator("td").nth(7).text_content() == "–"  # noqa: RUF001
    assert page.locator("tbody tr").count() == 24
    page.complaints.clear()


def test_a_refresh_that_fails_leaves_the_bars_and_the_next_one_makes_it_good(page, charts):
    def running(asked):
        answer = tries_answer(25, active=True)
        answer["tries"]["run_seconds"][-1] += asked
        return answer

    mended = threading.Event()
    charts.answers[TRIES] = failing_after_the_first(running, mended)
    open_page(page, charts)
    until(page, "!document.querySelector('.stale').hidden")
    assert page.locator(".stale").text_content() == (
        "The server failed (502): the page shows the state of 2026-11-20 09:46 and keeps trying."
    )
    assert page.locator(".duration").is_visible()
    mended.set()
    until(page, "document.querySelector('.stale').hidden")
    page.complaints.clear()


def test_a_refresh_that_fails_leaves_the_table_of_all_dags_and_goes_on(page, charts):
    mended = threading.Event()
    charts.answers["api/overview"] = failing_after_the_first(
        lambda asked: overview_answer() | {"first_run": asked}, mended
    )
    open_overview(page, charts)
    until(page, "!document.querySelector('.stale').hidden")
    assert page.locator("tbody tr").count() == 24
    mended.set()
    until(page, "document.querySelector('.stale').hidden")
    page.complaints.clear()


def test_an_answer_that_was_cut_off_is_an_error_like_others(page, charts):
    page.route("**/api/dags/**", lambda route: route.fulfill(content_type="application/json", body='{"dag_id": '))
    page.goto(charts.page("dag_id=scoring"))
    assert page.locator(".notice").text_content().startswith("Airflow did not answerIts answer was cut off on the way.")


@pytest.mark.parametrize("query", ["dag_id=gone", "dag_id=scoring&task_id=gone"], ids=["error", "no_such_task"])
def test_what_is_not_shown_cannot_be_taken_along(page, charts, query):
    charts.answers["api/dags/gone/tries"] = (404, {"detail": ""})
    page.goto(charts.page(query))
    page.locator(".notice").wait_for()
    assert [control(page, name).is_disabled() for name in ("csv", "png", "link")] == [True, True, False]
    page.complaints.clear()


def test_a_search_without_a_hit_says_so_and_the_picture_is_of_the_bars_alone(page, charts):
    page.goto(charts.page("dag_id=scoring&search=zzz"))
    until(page, DRAWN)
    assert page.locator(".scroll .none").text_content() == "No task’s name has “zzz” in it."  # noqa: RUF001
    with page.expect_download():
        control(page, "png").click()
