"""The page of the alerts in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fix_browser import accessibility_faults
from tests.views.frontend.alert_answers import NOW, alerts_answer, no_alerts, no_silences, silences_answer
from tests.views.frontend.browsing import DRAWN, control, keyed, query_of, text_of_download
from tests.views.frontend.charts_server import ChartsServer, until
from tests.views.frontend.payloads import overview_answer, task_time_answer


@pytest.fixture
def alerts() -> Iterator[ChartsServer]:
    """Forty misses of two DAGs, of which two are open."""
    answers = {
        "api/alerts": alerts_answer(),
        "api/silences": silences_answer(),
        "api/overview": overview_answer(),
        "api/overview/task_time": task_time_answer(),
    }
    with ChartsServer(answers) as server:
        yield server


def open_alerts(page, alerts, query: str = "") -> None:
    page.goto(alerts.page(query, "alerts"))
    until(page, DRAWN)


def rows(page) -> list[list[str]]:
    lines = page.locator("section[aria-label=Misses] tbody tr")
    return [lines.nth(at).locator("th, td").all_inner_texts() for at in range(lines.count())]


def forget_refusals(page) -> None:
    """Leave the page, which asks again and again, and forget what the browser said about refused requests."""
    page.goto("about:blank")
    page.complaints[:] = [one for one in page.complaints if "status of" not in one]


def test_what_is_open_stands_first_with_who_was_told(page, alerts):
    open_alerts(page, alerts)
    assert page.locator("dl.cards dd").first.inner_text() == "2\n2 incidents"
    first, second, third, fourth, *_ = rows(page)
    assert first == [
        "message_scoring › load_data_into_db\nwithin 30 min",  # noqa: RUF001
        "open: running",
        "2.0 h",
        "2026-11-20 07:46",
        "Slack 2026-11-20 07:46\nVictorOps 2026-11-20 07:46",
        "–",  # noqa: RUF001
        "scheduled__000",
        "ada",
    ]
    assert (second[1], second[4]) == ("open: up for retry", "Slack doubtful\nVictorOps refused")
    assert third[1] == "came in, nobody told"
    assert (fourth[0].splitlines()[0], fourth[4]) == ("message_scoring › the run", "Slack silenced")  # noqa: RUF001
    sentence = page.locator(".window").inner_text()
    assert sentence == "40 misses due from 2026-10-21 09:46 to 2026-11-20 09:46 (UTC), 2 open"


def test_links_lead_to_the_task_the_run_the_message_and_the_charts(page, alerts):
    open_alerts(page, alerts)
    line = page.locator("section[aria-label=Misses] tbody tr").first
    places = [link.get_attribute("href") for link in line.locator("a").all()]
    assert places == [
        "/dags/message_scoring/runs/scheduled__000/tasks/load_data_into_db",
        "https://example.slack.com/archives/C012AB3CD/p1795168000000100",
        "/dags/message_scoring/runs/scheduled__000",
    ]
    sla = page.locator("section[aria-label='SLAs that were missed'] tbody a").first
    assert sla.get_attribute("href") == "/agari/charts?dag_id=ep_telemetry_v2&task_id=score_messages"


def test_filters_are_in_the_address_and_survive_a_reload(page, alerts):
    open_alerts(page, alerts)
    control(page, "show").select_option("open")
    control(page, "owner").select_option("ada")
    assert len(rows(page)) == 1
    control(page, "service").select_option("VictorOps")
    page.keyboard.press("/")
    page.keyboard.type("LOAD")
    page.reload()
    until(page, DRAWN)
    assert query_of(page) == {"show": ["open"], "owner": ["ada"], "service": ["VictorOps"], "search": ["LOAD"]}
    assert [line[1] for line in rows(page)] == ["open: running"]
    page.locator("input[type=search]").fill("nowhere")
    page.locator(".notice button").click()
    assert (len(rows(page)), query_of(page)) == (40, {})


def test_a_dag_and_a_month_are_asked_for(page, alerts):
    open_alerts(page, alerts)
    control(page, "dag").select_option("message_scoring")
    control(page, "window").select_option("2026-10")
    until(page, "document.querySelector('h1').textContent.endsWith('message_scoring')")
    page.wait_for_timeout(50)
    assert ("api/alerts", {"month": ["2026-10"], "dag_id": ["message_scoring"]}, 200) in alerts.asked


def test_the_tables_are_saved_in_plain_numbers(page, alerts):
    open_alerts(page, alerts)
    name, text = text_of_download(page, control(page, "csv-misses"))
    assert name == "alerts-30-days.csv"
    head, first, *_ = text.removeprefix("\ufeff").splitlines()
    assert head == "environment,dag_id,task_id,sla,owner,outcome,state,late_seconds,due,told_at,told,came_in,run_id"
    assert first == (
        "EP_STAGE,message_scoring,load_data_into_db,within 30 min,ada,open,running,7200,2026-11-20T07:46:40.000Z,"
        "2026-11-20T07:46:45.000Z,Slack on_call sent; VictorOps on_call sent,,scheduled__000"
    )
    name, text = text_of_download(page, control(page, "csv-slas"))
    assert name == "alerts-30-days-slas.csv"
    assert "EP_STAGE,ep_telemetry_v2,score_messages,within 30 min,data,13,720,0.98" in text


def test_a_long_list_is_drawn_in_part_until_the_reader_wants_all(page, alerts):
    alerts.answers["api/alerts"] = alerts_answer(500)
    open_alerts(page, alerts)
    assert page.locator("section[aria-label=Misses] tbody tr").count() == 200
    control(page, "more-misses").click()
    assert page.locator("section[aria-label=Misses] tbody tr").count() == 500


def of_many(asked):
    """The first 40 of 300 misses, or all of them if these are asked for."""
    if "limit" in asked:
        return alerts_answer(300)
    found = alerts_answer(40)
    return {**found, "counts": {**found["counts"], "missed": 300, "unlisted": 260}}


@pytest.mark.parametrize("control_of", ["more-misses", "csv-misses", "show"])
def test_what_the_list_leaves_out_is_loaded_when_it_is_needed(page, alerts, control_of):
    alerts.answers["api/alerts"] = of_many
    open_alerts(page, alerts)
    assert page.locator(".window").inner_text().endswith("(UTC), 2 open, 40 listed")
    assert control(page, "more-misses").inner_text() == "Show all 300 rows"
    if control_of == "csv-misses":
        _, text = text_of_download(page, control(page, control_of))
        assert len(text.splitlines()) == 301
    elif control_of == "show":
        control(page, "show").select_option("closed")
        until(page, "document.querySelector('.window').textContent.includes('298 of 300 shown')")
    else:
        control(page, control_of).click()
        until(page, "document.querySelectorAll('section[aria-label=Misses] tbody tr').length === 300")
    asked = [query.get("limit") for place, query, _ in alerts.asked if place == "api/alerts"]
    assert [limit for limit, before in zip(asked, ["none", *asked], strict=False) if limit != before] == [
        None,
        ["50000"],
    ]


@pytest.mark.parametrize(
    ("answer", "title", "text"),
    [
        (no_alerts(), "No SLA was missed", "Nothing is open"),
        (no_alerts(note="No alert was ever recorded."), "Nothing is recorded", "No alert was ever recorded."),
        ((404, {"detail": "Set alerts_conn_id."}), "The alerts are not set up", "Set alerts_conn_id."),
        ((503, {"detail": "The web server's log says why."}), "database too long", "The web server's log says why."),
    ],
    ids=["nothing missed", "nothing recorded", "no setting", "database away"],
)
def test_where_there_is_nothing_the_page_says_why(page, alerts, answer, title, text):
    alerts.answers["api/alerts"] = answer
    page.goto(alerts.page("", "alerts"))
    until(page, "document.querySelector('.notice') !== null")
    notice = page.locator(".notice").inner_text()
    assert title in notice
    assert text in notice
    forget_refusals(page)


def test_a_refresh_that_fails_keeps_what_is_shown(page, alerts):
    open_alerts(page, alerts)
    alerts.answers["api/alerts"] = (503, {"detail": "Away."})
    until(page, "!document.querySelector('.stale').hidden")
    assert len(rows(page)) == 40
    forget_refusals(page)


def test_the_pages_lead_to_each_other_and_keep_the_time_zone(page, alerts):
    open_alerts(page, alerts, "time=local")
    assert page.locator("#pages a[aria-current]").inner_text() == "Alerts"
    keyed(page, "page-charts").click()
    until(page, "document.querySelectorAll('tbody tr').length > 10")
    assert page.url.endswith("/agari/charts?time=local")
    keyed(page, "page-alerts").click()
    until(page, DRAWN)
    assert page.url.endswith("/agari/alerts?time=local")


def silences(page) -> list[list[str]]:
    until(page, "document.querySelector('section[aria-label=Silences]:not([hidden])') !== null")
    lines = page.locator("section[aria-label=Silences] tbody tr")
    return [lines.nth(at).locator("th, td").all_inner_texts() for at in range(lines.count())]


def test_silences_are_listed_and_ended_by_who_may(page, alerts):
    open_alerts(page, alerts)
    assert silences(page) == [
        [
            "message_scoring › load_*",  # noqa: RUF001
            "2026-11-20 09:36",
            "2026-11-20 10:36",
            "ada",
            "database upgrade",
            "End",
        ],
        ["* › *", "2026-11-21 09:46", "2026-11-21 10:46", "root", "move to another region", ""],  # noqa: RUF001
    ]
    alerts.answers["POST api/silences/0a1b2c3d/end"] = (200, {})
    alerts.answers["api/silences"] = no_silences()
    keyed(page, "end-0a1b2c3d").click()
    until(page, "document.querySelector('#spoken').textContent.startsWith('The silence is over')")
    assert alerts.sent == [("api/silences/0a1b2c3d/end", {}, "token")]
    assert silences(page) == []
    assert "Nothing is silenced." in page.locator("section[aria-label=Silences]").inner_text()


def test_a_silence_is_set_in_the_time_zone_of_the_page(page, alerts):
    alerts.answers["api/alerts"] = no_alerts()  # also where nothing is late
    open_alerts(page, alerts, "dag_id=message_scoring")
    assert len(silences(page)) == 2
    control(page, "silence").click()
    assert control(page, "new-dag_id").input_value() == "message_scoring"
    assert control(page, "new-until").input_value() == "2026-11-20T11:46"
    control(page, "new-task_id").fill("load_*")
    control(page, "new-why").fill("upgrade? / yes")  # these keys are shortcuts elsewhere
    alerts.answers["POST api/silences"] = (
        403,
        {"detail": "Only a person who may edit the DAG may silence its alerts."},
    )
    control(page, "set-silence").click()
    until(page, "document.querySelector('.problem').textContent.startsWith('Only a person who may edit')")
    alerts.answers["POST api/silences"] = (201, {})
    control(page, "new-since").fill("2026-11-20T10:00")
    control(page, "set-silence").click()
    until(page, "document.querySelector('#new-silence').hidden")
    first, second = alerts.sent
    body = {"dag_id": "message_scoring", "task_id": "load_*", "since": None, "until": NOW - 40 + 7200}
    assert first == ("api/silences", {**body, "why": "upgrade? / yes"}, "token")
    assert second[1]["since"] == NOW - 40 + 840
    page.complaints[:] = [one for one in page.complaints if "status of 403" not in one]


def test_who_may_edit_nothing_is_offered_no_silence(page, alerts):
    alerts.answers["api/silences"] = silences_answer(dag_ids=[])
    open_alerts(page, alerts)
    assert len(silences(page)) == 2
    assert control(page, "silence").is_hidden()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_wrong(page, alerts, theme):
    page.emulate_media(color_scheme=theme)
    open_alerts(page, alerts)
    silences(page)
    control(page, "silence").click()
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.classList.contains('dark')") == (theme == "dark")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert accessibility_faults(page) == []
    alerts.answers["api/alerts"] = no_alerts(note="No alert was ever recorded.")
    open_alerts(page, alerts, "days=7")
    assert accessibility_faults(page) == []


def test_names_are_never_taken_for_markup(page, alerts):
    hostile = "<img src=x onerror=window.hacked=1>\"'&"
    answer = alerts.answers["api/alerts"]
    for column in ("dag_id", "task_id", "run_id", "owner", "sla", "environment"):
        answer["misses"][column][0] = hostile
    answer["misses"]["told"][0][0] |= {
        "service": hostile,
        "destination": hostile,
        "state": hostile,
        "recovery": hostile,
    }
    answer["slas"]["dag_id"][0] = hostile
    for column in ("dag_id", "task_id", "who", "why"):
        alerts.answers["api/silences"]["silences"][column][0] = hostile
    open_alerts(page, alerts)
    assert silences(page)[0][4] == hostile
    assert hostile in rows(page)[0][0]
    assert page.locator("img").count() == 0


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_the_screen(page, alerts, width):
    page.set_viewport_size({"width": width, "height": 900})
    open_alerts(page, alerts)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
