"""What a reader gets to see of the alerts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_agari_provider.views import alerts_openapi
from airflow_agari_provider.views.alerts_question import ALERTS_PARAMETERS, AlertsQuestion
from tests.alerts.alert_rows import DUE, alert_row

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
def ask(alert_source):
    """Asks about rows, or those of every test."""

    def answer(*rows, permitted=("scoring",), **question):
        if rows or not alert_source.opened:
            alert_source.write(rows or ROWS)
        return alert_source.alerts(AlertsQuestion(**{"days": 30, "month": "", "dag_ids": (), **question}), permitted)[0]

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


def test_who_reads_one_dag_gets_a_whole_list_of_it(alert_source):
    others = [
        alert_row(f"s{at}", dag_id="secret", due_at=DUE + 9, recovered_at=DUE + 60, destination=place)
        for at in range(201)
        for place in ("Slack a", "Slack b", "Slack c")
    ]
    alert_source.write([*others, *(alert_row(f"r{at}", recovered_at=DUE + 60, due_at=DUE + at) for at in range(3))])
    found, _ = alert_source.alerts(AlertsQuestion(30, "", (), 2), {"scoring"})
    assert (found["misses"]["run_id"], found["counts"]["unlisted"], found["counts"]["hidden"]) == (["r2", "r1"], 1, 201)
    assert alert_source.opened == ["alerts_db"] * 2
    both, _ = alert_source.alerts(AlertsQuestion(30, "", (), 200), {"scoring", "secret"})
    assert (both["counts"]["listed"], both["counts"]["unlisted"]) == (200, 4)
    assert len(both["misses"]["told"][0]) == 3


def named_in(schema):
    for name, field in schema.get("properties", {}).items():
        yield name
        yield from named_in(field)
        yield from named_in(field.get("items", {}))


def test_the_page_of_the_docs_names_every_parameter_and_field():
    text = (ROOT / "docs" / "alerts_page.md").read_text()
    fields = {*ALERTS_PARAMETERS, *named_in(alerts_openapi.ALERTS)} - {"now"}  # that of every answer
    assert {name for name in fields if f"`{name}`" not in text} == set()
