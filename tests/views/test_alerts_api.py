"""What a reader gets to see of the alerts."""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager
from pathlib import Path

import jsonschema
import pytest

from airflow_agari_provider.alerts.alert_database import AlertDatabase
from airflow_agari_provider.exceptions import BadQuestion
from airflow_agari_provider.views import alerts_openapi, http_answers
from airflow_agari_provider.views.alerts_question import ALERTS_PARAMETERS, AlertsQuestion, alerts_question
from airflow_agari_provider.views.alerts_source import AlertsNotShown, AlertSource
from tests.alerts.alert_rows import DUE, alert_row, write_rows
from tests.views.test_openapi import closed

ROOT = Path(__file__).parents[2]
NOW = DUE + 3600
DAY = 86400.0
ROWS = [
    alert_row("r1", recovered_at=DUE + 60),
    alert_row("r2", due_at=DUE + 100),
    alert_row("r0", due_at=DUE - 40 * DAY),  # open, and due before the window
    alert_row("s1", dag_id="secret", recovered_at=DUE + 60),
    alert_row("s2", dag_id="secret"),
]


@pytest.fixture
def session(metadata_on_sqlite):
    """Two runs of the DAG in the window, of which one goes on; the oldest was deleted."""
    metadata = metadata_on_sqlite
    metadata.run("scoring", "r1", 0)
    metadata.run("scoring", "r2", 60, "running", end_date=None)
    metadata.instance("scoring", "r2", "load", 1, "running", start=1)
    yield metadata.session
    metadata.session.rollback()


@pytest.fixture
def source(session, monkeypatch, tmp_path):
    """A source whose setting names a connection; ``write`` puts rows there, ``opened`` lists how it was opened."""
    monkeypatch.setenv("AIRFLOW__AGARI__ALERTS_CONN_ID", "alerts_db")
    monkeypatch.setenv("AIRFLOW__AGARI__ENVIRONMENT", "EP")
    opened = []

    def connect():
        return sqlite3.connect(tmp_path / "claims.db", check_same_thread=False)

    def database(conn_id):
        opened.append(conn_id)
        return AlertDatabase(connect)

    @contextmanager
    def sessions():
        yield session

    made = AlertSource(sessions, database=database, clock=lambda: NOW)
    made.write, made.opened = lambda rows: write_rows(connect, rows), opened
    return made


@pytest.fixture
def ask(source):
    """Asks about rows, or those of every test."""

    def answer(*rows, permitted=("scoring",), **question):
        if rows or not source.opened:
            source.write(rows or ROWS)
        return source.alerts(AlertsQuestion(**{"days": 30, "month": "", "dag_ids": (), **question}), permitted)[0]

    return answer


def test_open_misses_come_first_with_their_state_in_airflow(ask):
    misses = ask()["misses"]
    assert (misses["run_id"], misses["outcome"], misses["state"]) == (
        ["r2", "r1"],
        ["open", "came in"],
        ["running", None],
    )
    assert (misses["late_seconds"], misses["sla"]) == ([None, 60], ["within 30 min"] * 2)
    assert misses["told"][1] == [
        {
            "service": "Slack",
            "destination": "Slack slack_default #late",
            "state": "sent",
            "at": DUE + 1,
            "step": 0.0,
            "reference": "C012AB3CD:17.000001",
            "silence": "",
            "recovery": "",
        }
    ]


def test_of_dags_that_the_reader_may_not_read_there_is_a_number_and_nothing_else(ask):
    found = ask()
    assert found["counts"]["hidden"] == 2
    assert "secret" not in json.dumps(found)
    nothing = ask(permitted=())
    assert (nothing["counts"]["hidden"], nothing["counts"]["missed"], nothing["counts"]["open"]) == (4, 0, 0)
    assert nothing["misses"]["dag_id"] == nothing["dag_ids"] == nothing["slas"]["dag_id"] == []
    assert ask(permitted=("scoring", "secret"))["counts"]["hidden"] == 0


def test_a_dag_that_is_asked_for_is_shown_only_if_it_may_be_read(ask):
    found = ask(dag_ids=("secret",))
    assert (found["misses"]["dag_id"], found["counts"]["missed"]) == ([], 0)
    found = ask(permitted=("scoring", "secret"), dag_ids=("secret",))["misses"]
    assert dict(zip(found["run_id"], found["outcome"], strict=True)) == {"s1": "came in", "s2": "run deleted"}


def test_the_figures_are_of_the_window(ask):
    found = ask()
    assert {name: values[0] for name, values in found["slas"].items()} == {
        "environment": "EP",
        "dag_id": "scoring",
        "task_id": "load",
        "sla": "within 30 min",
        "owner": "data",
        "missed": 2,
        "open": 1,
        "runs": 2,
        "hit_rate": 0.0,
        "p95_late_seconds": 60,
        "worst_late_seconds": 60,
    }
    assert (sum(found["days"]["missed"]), len(found["days"]["start"])) == (2, 31)
    assert (found["counts"]["missed"], found["counts"]["open"], found["counts"]["incidents"]) == (2, 1, 1)


def test_a_past_month_still_shows_what_is_open_now(ask):
    found = ask(month="2026-01")
    assert (found["counts"]["missed"], found["misses"]["run_id"], found["slas"]["dag_id"]) == (0, ["r2"], [])
    assert len(found["days"]["start"]) == 31


def test_doubtful_alerts_of_what_is_open_are_counted_once(ask):
    rows = [alert_row("r2", state="doubtful"), alert_row("r2", state="refused", destination="VictorOps", due_at=DUE)]
    counts = ask(*rows)["counts"]
    assert (counts["doubtful"], counts["refused"], counts["missed"]) == (1, 1, 1)


def test_a_long_list_is_cut_after_the_open_ones_and_says_so(ask):
    found = ask(limit=1)
    assert (found["misses"]["run_id"], found["counts"]["listed"], found["counts"]["missed"]) == (["r2"], 1, 2)
    assert found["counts"]["unlisted"] == 1
    assert ask(limit=2)["counts"]["unlisted"] == 0


def test_who_reads_one_dag_gets_a_whole_list_of_it(source):
    others = [
        alert_row(f"s{at}", dag_id="secret", due_at=DUE + 9, recovered_at=DUE + 60, destination=place)
        for at in range(201)
        for place in ("Slack a", "Slack b", "Slack c")
    ]
    source.write([*others, *(alert_row(f"r{at}", recovered_at=DUE + 60, due_at=DUE + at) for at in range(3))])
    found, _ = source.alerts(AlertsQuestion(30, "", (), 2), {"scoring"})
    assert (found["misses"]["run_id"], found["counts"]["unlisted"], found["counts"]["hidden"]) == (["r2", "r1"], 1, 201)
    assert source.opened == ["alerts_db"] * 2
    both, _ = source.alerts(AlertsQuestion(30, "", (), 200), {"scoring", "secret"})
    assert (both["counts"]["listed"], both["counts"]["unlisted"]) == (200, 4)
    assert len(both["misses"]["told"][0]) == 3


@pytest.mark.parametrize(
    ("arguments", "question"),
    [
        ([], AlertsQuestion(30, "", ())),
        ([("days", "7"), ("dag_id", "a"), ("dag_id", "b")], AlertsQuestion(7, "", ("a", "b"))),
        ([("limit", "5000")], AlertsQuestion(30, "", (), 5000)),
        ([("month", "2026-11")], AlertsQuestion(30, "2026-11", ())),
    ],
)
def test_the_parameters(arguments, question):
    assert alerts_question(arguments) == question


@pytest.mark.parametrize(
    "argument",
    [
        ("days", "0"),
        ("days", "367"),
        ("limit", "0"),
        ("limit", "50001"),
        ("month", "2026-13"),
        ("month", "9999-12"),
        ("month", "2026-11; DROP"),
        ("who", "me"),
    ],
)
def test_a_wrong_parameter_is_named(argument):
    with pytest.raises(BadQuestion, match=argument[0]):
        alerts_question([argument])


QUESTION = AlertsQuestion(30, "", ())


def test_without_the_setting_the_answer_says_what_to_set(source, monkeypatch):
    monkeypatch.delenv("AIRFLOW__AGARI__ALERTS_CONN_ID")
    with pytest.raises(AlertsNotShown, match=r"Set alerts_conn_id in section \[agari\]") as raised:
        source.alerts(QUESTION, {"scoring"})
    assert raised.value.status == 404


def test_a_database_that_cannot_be_read_is_told_without_its_secrets(source, caplog):
    def away():
        raise OSError("password of alerts_db at 10.0.0.1 is wrong")

    source._database = lambda _: AlertDatabase(away)
    with pytest.raises(AlertsNotShown, match="by connection alerts_db") as raised:
        source.alerts(QUESTION, {"scoring"})
    assert (raised.value.status, "10.0.0.1" in str(raised.value)) == (503, False)
    assert "10.0.0.1" in caplog.text


def test_a_database_without_the_table_is_no_error(source):
    found, _ = source.alerts(QUESTION, {"scoring"})
    assert "No alert was ever recorded" in found["note"]


@pytest.mark.parametrize("rows", [[], ROWS], ids=["none", "some"])
def test_an_answer_has_the_fields_of_the_document_and_no_others(source, rows):
    source.write(rows)
    found, now = source.alerts(QUESTION, {"scoring"})
    body = json.loads(http_answers.json_answer(http_answers.encoded(found), now, None).body)
    jsonschema.Draft202012Validator(closed(alerts_openapi.ALERTS)).validate(body)


def named_in(schema):
    for name, field in schema.get("properties", {}).items():
        yield name
        yield from named_in(field)
        yield from named_in(field.get("items", {}))


def test_the_page_of_the_docs_names_every_parameter_and_field():
    text = (ROOT / "docs" / "alerts_page.md").read_text()
    fields = {*ALERTS_PARAMETERS, *named_in(alerts_openapi.ALERTS)} - {"now"}  # that of every answer
    assert {name for name in fields if f"`{name}`" not in text} == set()


def test_readers_share_what_is_read_and_each_sees_only_their_dags(source):
    source.write(ROWS)
    assert source.alerts(QUESTION, {"scoring"})[0]["dag_ids"] == ["scoring"]
    assert source.alerts(QUESTION, {"secret"})[0]["dag_ids"] == ["secret"]
    assert source.opened == ["alerts_db"]
