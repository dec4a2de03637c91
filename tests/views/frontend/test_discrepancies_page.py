"""The pages of the discrepancies in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.discrepancy.recorded_runs import bad_run, lost, stored_run
from tests.fix_browser import accessibility_faults
from tests.views.frontend.browsing import DRAWN, control, focus, keyed, query_of, text_of_download
from tests.views.frontend.charts_server import ChartsServer, until
from tests.views.frontend.check_answers import DAG, TASK, checks_payload, runs_payload

LIST, RUNS = "api/discrepancies", "api/discrepancies/runs"
CHECK = f"dag_id={DAG}&task_id={TASK}"
BAD = 30  # index of a run that lost messages


@pytest.fixture
def server() -> Iterator[ChartsServer]:
    """Three checks that the reader may see, and the seventy-two runs of one."""
    yes = ["true"]
    answers = {
        LIST: lambda query: checks_payload(
            problems=query.get("problems") == yes, dag_ids=tuple(query.get("dag_id", ()))
        ),
        RUNS: lambda query: runs_payload(problems=query.get("problems") == yes),
    }
    with ChartsServer(answers) as server:
        yield server


def open_discrepancies(page, server, query: str = "") -> None:
    page.goto(server.page(query, "discrepancies"))
    until(page, DRAWN)


def rows(page, part: str) -> list[list[str]]:
    lines = page.locator(f"section[aria-label='{part}'] tbody tr")
    return [lines.nth(at).locator("th, td").all_inner_texts() for at in range(lines.count())]


def click_cell(page, run: int, row: int) -> None:
    """Click a cell of the heat map."""
    canvas = page.locator(".map-plot canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    step = box["width"] / 72
    page.mouse.click(box["x"] + (run + 0.5) * step, box["y"] + row * 22 + 8)


def test_the_checks_that_need_a_look_stand_first(page, server):
    open_discrepancies(page, server)
    found = rows(page, "Checks")
    assert [row[0] for row in found] == [
        f"{DAG} › {TASK}",  # noqa: RUF001
        "rebuild › check[3]",  # noqa: RUF001
        "reload_data › send_report",  # noqa: RUF001
    ]
    assert found[0][1:3] == ["✓ ok", "3"]
    assert page.locator("dl.cards dd").first.inner_text() == "2 of 3\n1 more of DAGs that you may not read"
    sentence = page.locator(".window").inner_text()
    assert sentence == "3 checks with 76 runs checked from 2026-10-21 09:00 to 2026-11-20 09:46 (UTC)"
    links = [link.get_attribute("href") for link in page.locator("tbody tr").nth(1).locator("a").all()]
    assert links == [
        "?dag_id=rebuild&task_id=check%5B3%5D",
        "/dags/rebuild/runs/scheduled__2016-02-03T02%3A00%3A00%2B00%3A00/tasks/check/mapped/3",
    ]


def test_a_name_leads_to_the_check_and_back_leads_to_all(page, server):
    open_discrepancies(page, server)
    page.locator("tbody a").first.click()
    until(page, "document.querySelectorAll('section[aria-label=Runs] tbody tr').length > 10")
    assert query_of(page) == {"dag_id": [DAG], "task_id": [TASK]}
    page.go_back()
    until(page, "document.querySelector('h1').textContent === 'Discrepancies'")
    assert len(rows(page, "Checks")) == 3


def test_a_dag_with_one_check_shows_it_at_once(page, server):
    page.goto(server.page(f"dag_id={DAG}", "discrepancies"))
    until(page, "document.querySelectorAll('section[aria-label=Runs] tbody tr').length > 10")
    assert query_of(page) == {"dag_id": [DAG], "task_id": [TASK]}


def test_the_runs_have_verdict_first_bad_stage_totals_run_and_report(page, server):
    open_discrepancies(page, server, CHECK)
    found = rows(page, "Runs")
    assert len(found) == 72
    bad = found[71 - BAD]
    assert bad[:8] == [
        "2016-02-04 06:00:00",
        "✕ high discrepancies",
        "Agg → DB",
        "2",
        "14",
        "10,100",
        "9,090",
        "7,889",
    ]
    line = page.locator("section[aria-label=Runs] tbody tr").nth(71 - BAD)
    assert [link.get_attribute("href") for link in line.locator("a").all()] == [
        f"/dags/{DAG}/runs/scheduled__2016-02-04T06%3A00%3A00%2B00%3A00/tasks/report.send_report",
        "https://console.aws.amazon.com/s3/object/counts?prefix=30.csv.gz",
    ]
    cards = page.locator("dl.cards dd").all_inner_texts()
    assert cards[1:] == ["3\n2016-02-05 12:00:00", "3 of 72\n1 warning", "DB\nfirst bad in 4 runs"]


def test_the_chart_has_every_stage_the_usual_volume_and_the_bad_runs(page, server):
    open_discrepancies(page, server, CHECK)
    option = "echarts.getInstanceByDom(document.querySelector('.duration')).getOption()"
    assert page.evaluate(f"{option}.series.map((one) => one.name)") == [
        "below",
        "usual volume",
        "Collector",
        "Agg",
        "DB",
    ]
    assert page.evaluate(f"{option}.series[2].data[{BAD}]") == 10_100
    marks = page.evaluate(f"{option}.series[4].markPoint.data.map((one) => [one.name, one.coord[0]])")
    assert marks == [["✕", 30], ["✕", 31], ["!", 50], ["✕", 60]]
    low, width = (page.evaluate(f"{option}.series[{at}].data.slice(0, 11)") for at in (0, 1))
    assert low[:10] == width[:10] == [None] * 10  # it takes ten runs to know what is usual
    assert low[10] < 10_000 < 10_300 < low[10] + width[10]
    label = page.locator(".duration").get_attribute("aria-label")
    assert label.startswith("Messages at each stage over 72 runs; in the newest: Collector 10,")


def test_a_cell_lists_the_keys_of_its_run_and_the_keyboard_goes_from_run_to_run(page, server):
    open_discrepancies(page, server, CHECK)
    assert page.locator(".map-names button").all_inner_texts() == ["5", "16", "1", "7", "56", "14"]
    click_cell(page, BAD, 0)
    until(page, "!document.querySelector('section[aria-label=Keys]').hidden")
    assert query_of(page)["run"] == ["2016-02-04 06:00:00"]
    assert focus(page) == "keys"
    found = rows(page, "Keys")
    assert found[0] == ["5", "▼ lost 1,204 (15.1 %)", "Discrepancy", "Agg → DB", "8,000", "8,000", "6,796"]
    assert found[1][:2] == ["1", "▲ gained 3 (1.1 %)"]
    page.keyboard.press("ArrowRight")
    until(page, "location.search.includes('07%3A00')")
    assert rows(page, "Keys")[0][1] == "▼ lost 12 (0.1 %)"
    assert page.locator("#spoken").inner_text() == "2016-02-04 07:00:00: high discrepancies"
    page.keyboard.press("ArrowRight")
    assert rows(page, "Keys")[0][1] == "recovered"
    page.keyboard.press("Escape")
    assert page.locator("section[aria-label=Keys]").is_hidden()
    assert focus(page) == "keys-2016-02-04 08:00:00"


def test_everything_that_is_chosen_is_in_the_address(page, server):
    open_discrepancies(page, server, CHECK)
    control(page, "problems").check()
    until(page, "document.querySelectorAll('section[aria-label=Runs] tbody tr').length === 4")
    control(page, "days").select_option("90")
    keyed(page, "map-5").click()
    keyed(page, "keys-2016-02-04 06:00:00").click()
    page.keyboard.press("/")
    page.keyboard.type("06:00")
    page.reload()
    until(page, DRAWN)
    assert query_of(page) == {
        "dag_id": [DAG],
        "task_id": [TASK],
        "days": ["90"],
        "problems": ["true"],
        "key": ["5"],
        "run": ["2016-02-04 06:00:00"],
        "search": ["06:00"],
    }
    assert (len(rows(page, "Runs")), page.locator(".map-names button").all_inner_texts()) == (1, ["5"])
    control(page, "earlier").click()
    until(page, "location.search.includes('until=')")
    page.wait_for_timeout(50)
    asked = server.asked[-1][1]
    assert (asked["days"], asked["until"]) == (["90"], [str(1_795_168_000 - 90 * 86_400)])
    control(page, "later").click()
    assert "until" not in query_of(page)


def test_the_tables_are_saved_in_plain_numbers(page, server):
    open_discrepancies(page, server, f"{CHECK}&run=2016-02-04 06:00:00")
    name, text = text_of_download(page, control(page, "csv-runs"))
    assert name == f"{DAG}-{TASK}-runs.csv"
    lines = text.removeprefix("\ufeff").splitlines()
    assert lines[0] == (
        "run_at,run_id,window,verdict,good_stage,bad_stage,discrepant,keys,Collector,Agg,DB,told,checked_at,report_url"
    )
    assert lines[72 - BAD].startswith("2016-02-04 06:00:00,scheduled__2016-02-04T06:00:00+00:00,2016-02-04 06:00:00,")
    assert ",high discrepancies,Agg,DB,2,14,10100,9090,7889," in lines[72 - BAD]
    name, text = text_of_download(page, control(page, "csv-keys"))
    assert name == f"{DAG}-{TASK}-2016-02-04_06_00_00-keys.csv"
    assert text.splitlines()[1] == "5,alarm,1204,15.1,Discrepancy,Agg,DB,8000,8000,6796"
    open_discrepancies(page, server)
    assert text_of_download(page, control(page, "csv-checks"))[0] == "checks.csv"


@pytest.mark.parametrize(
    ("query", "answer", "title", "text"),
    [
        ("", checks_payload({}), "No check ran", "None stored a run in these days."),
        ("", checks_payload({}, note="No check has stored."), "Nothing is recorded", "No check has stored."),
        ("", (404, {"detail": "Set it."}), "The discrepancies are not set up", "Set it."),
        (
            "",
            (503, {"detail": "The web server's log says why."}),
            "database too long",
            "The web server's log says why.",
        ),
        (CHECK, (404, {"detail": "No such check."}), "This check cannot be shown", "No such check."),
        (CHECK, (401, {"detail": "Not logged in."}), "You are logged out", "Not logged in."),
        (CHECK, runs_payload(until=1.0), "No run in these days", "72 stored runs at other times"),
        (f"{CHECK}&problems=true", runs_payload([stored_run(1)], problems=True), "Nothing is wrong", "All 1 runs"),
    ],
    ids=[
        "no check",
        "nothing recorded",
        "no setting",
        "database away",
        "no such check",
        "logged out",
        "other days",
        "ok",
    ],
)
def test_where_there_is_nothing_the_page_says_why(page, server, query, answer, title, text):
    server.answers[RUNS if query else LIST] = answer
    page.goto(server.page(query, "discrepancies"))
    until(page, "document.querySelector('.notice') !== null")
    notice = page.locator(".notice").inner_text()
    assert title in notice
    assert text in notice
    page.goto("about:blank")
    page.complaints[:] = [one for one in page.complaints if "status of" not in one]


def test_a_refresh_that_fails_keeps_what_is_shown(page, server):
    open_discrepancies(page, server, CHECK)
    server.answers[RUNS] = (503, {"detail": "Away."})
    until(page, "!document.querySelector('.stale').hidden")
    assert len(rows(page, "Runs")) == 72
    page.goto("about:blank")
    page.complaints[:] = [one for one in page.complaints if "status of" not in one]


HOSTILE = "<img src=x onerror=window.hacked=1>\"'&\u202egnp.exe\0"
SEEN = "<img src=x onerror=window.hacked=1>\"'&\\u202egnp.exe\\u0000"


def test_names_are_never_markup_and_hide_nothing(page, server):
    keys = [lost(HOSTILE, 12, 100), lost("", 5, 100), lost("k" * 250, 1, 100)]
    run = bad_run(1, 1, *keys, window=HOSTILE, run_id=HOSTILE, report_url=HOSTILE, verdict=HOSTILE)
    totals = {HOSTILE: 1, "DB": 2}
    server.answers[RUNS] = {
        **runs_payload([bad_run(1, 1, *keys, window=HOSTILE, run_id=HOSTILE, report_url=HOSTILE, totals=totals)]),
        "dag_id": HOSTILE,
    }
    open_discrepancies(page, server, f"{CHECK}&run=2016-02-03 01:00:00")
    assert rows(page, "Runs")[0][0] == SEEN
    names = page.locator("section[aria-label=Keys] tbody th").all_inner_texts()
    assert names[:3] == [SEEN, "all keys together", "k" * 250]
    server.answers[LIST] = checks_payload({(HOSTILE, HOSTILE): [run]})
    open_discrepancies(page, server)
    assert rows(page, "Checks")[0][0] == f"{SEEN} › {SEEN}"  # noqa: RUF001
    assert page.locator("img").count() == 0
    assert page.evaluate("document.body.innerText.includes('\\u202e')") is False


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_pages_fit_the_screen_and_axe_finds_nothing(page, server, width, theme):
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=theme)
    for query in ("", f"{CHECK}&run=2016-02-04 06:00:00"):
        open_discrepancies(page, server, query)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("document.documentElement.classList.contains('dark')") is (theme == "dark")
        assert accessibility_faults(page) == []
    server.answers[LIST] = checks_payload({})
    page.goto(server.page("", "discrepancies"))
    until(page, "document.querySelector('.notice') !== null")
    assert accessibility_faults(page) == []
