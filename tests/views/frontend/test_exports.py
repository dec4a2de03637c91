"""Tables, pictures and figures as a reader takes them along."""

from __future__ import annotations

import csv
import struct

from tests.views.frontend.browsing import DRAWN, control, open_overview, open_page, text_of_download
from tests.views.frontend.charts_server import until
from tests.views.frontend.payloads import tries_answer

TRIES = "api/dags/scoring/tries"


def test_the_table_of_all_dags_is_a_file_of_plain_numbers(page, charts):
    open_overview(page, charts, "sort=name")
    until(page, "document.querySelector('tbody tr').children[8].textContent.endsWith('%')")
    name, text = text_of_download(page, control(page, "csv"))
    rows = list(csv.DictReader(text.removeprefix("\ufeff").splitlines()))
    assert (name, text[0], len(rows)) == ("all-dags-30-days.csv", "\ufeff", 24)
    assert rows[0]["dag_id"] == "scoring"
    assert rows[0]["ever_success"] == str(charts.answers["api/overview"]["dags"]["ever"]["success"][0])
    assert rows[0]["total_seconds"] == "90000"
    assert rows[0]["last_run"].startswith("2026-11-")


def test_the_table_of_tasks_is_a_file_too(page, charts):
    open_page(page, charts, "dag_id=scoring&search=load&sort=name")
    name, text = text_of_download(page, control(page, "table-csv"))
    assert name == "scoring-tasks.csv"
    lines = text.splitlines()
    assert lines[0].startswith("\ufefftask_id,tries,runs,retried_runs,total_seconds,lost_seconds")
    assert [line.split(",")[0] for line in lines[1:]] == ["load"]


def test_a_file_has_a_name_that_can_be_read(page, charts):
    charts.answers = {"api/dags/Z%C3%A4hler%2F..%2Fd%C3%BCnn/tries": tries_answer(25, active=False)}
    open_page(page, charts, "dag_id=Z%C3%A4hler%2F..%2Fd%C3%BCnn")
    assert text_of_download(page, control(page, "csv"))[0] == "Zähler_.._dünn-tries.csv"


def test_the_picture_has_the_legend_of_the_map(page, charts):
    open_page(page, charts)
    with page.expect_download() as download:
        control(page, "png").click()
    with open(download.value.path(), "rb") as file:  # noqa: PTH123
        _, height = struct.unpack(">II", file.read(24)[16:])
    assert height == 2 * (64 + 350 + 20 + 12 * 22 + 28 + 20)


def test_a_copy_is_seen_to_be_made_or_not_and_no_name_in_it_is_a_formula(page, charts):
    charts.answers[TRIES]["tasks"]["task_id"][0] = "=1+2"
    open_page(page, charts, "dag_id=scoring&sort=name")
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.evaluate("document.addEventListener('copy', () => { window.copied = document.activeElement.value })")
    control(page, "copy-table").click()
    page.locator("#spoken.seen", has_text="Table copied").wait_for()
    assert "\n'=1+2\t" in page.evaluate("window.copied")
    page.evaluate("document.execCommand = () => false")
    control(page, "link").click()
    page.locator("#spoken.seen", has_text="Nothing copied: the browser does not allow it").wait_for()


def test_many_runs_are_compared_with_those_before_them_once_they_are_drawn(page, charts):
    shown, earlier = tries_answer(365, active=False), tries_answer(365, active=False)
    shown["figures"]["before"] = None
    earlier["figures"] |= {"before": None, "total_seconds": shown["figures"]["total_seconds"] / 2}
    charts.answers[TRIES] = lambda query: earlier if "before" in query else shown
    page.goto(charts.page("dag_id=scoring&runs=365"))
    until(page, DRAWN)
    until(page, "document.querySelector('.card small').textContent.startsWith('+100 %, was ')")
    before = shown["window"]["before"]
    assert [query for _, query, _ in charts.asked] == [
        {"runs": ["365"]},
        {"runs": ["365"], "before": [before], "compare": ["false"]},
    ]
