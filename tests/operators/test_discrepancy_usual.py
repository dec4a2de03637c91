"""A check that compares its run with those before, which are in a real database."""

from __future__ import annotations

import json
import sqlite3
import time
from datetime import UTC, datetime, timedelta

import pytest

from airflow_agari_provider.airflow_compat import AirflowFailException
from airflow_agari_provider.discrepancy.history_database import HistoryDatabase
from airflow_agari_provider.discrepancy.history_reading import RecordedRuns, read_runs
from airflow_agari_provider.operators.discrepancy_check import Comparison, Distribution, Expected, Stage
from airflow_agari_provider.views.discrepancies_api import runs_answer
from airflow_agari_provider.views.discrepancies_question import ChecksQuestion
from tests.operators.discrepancy_checks import check, context_of_run

DAY = datetime(2016, 2, 3, tzinfo=UTC)
LOW, HIGH = {"low": 90, "high": 10}, {"low": 10, "high": 90}


@pytest.fixture
def run(sqlite_path, monkeypatch):
    """Runs a check of so many messages, so many days after the first."""
    monkeypatch.setenv("AIRFLOW_CONN_TARGET", json.dumps({"conn_type": "sqlite", "host": str(sqlite_path)}))

    def run(day, count, trust=LOW, skipped=5, **more):
        context = context_of_run()
        context["dag_run"].logical_date = DAY + timedelta(days=day)
        context["ti"].run_id = f"run {day}"
        operator = check(
            stages=[Stage("Agg", counts={"5": count, "7": 50}), Stage("DB", counts={"5": count - skipped, "7": 50})],
            comparisons=[Comparison("Skipped", "Agg", "DB", judge="gain")],
            skips={"no sender": {"5": skipped}},
            expected=[Expected("Agg", keys=2, same="any")],
            distributions=[
                Distribution("trust", counts=trust, same="any"),
                Distribution("skips", same="any", level="warn"),
            ],
            history_conn_id="target",
            **more,
        )
        return operator.execute(context)

    return run


def test_a_check_learns_and_then_tells_what_is_unusual(run, mails, alerts):
    said = [run(day, 1000)["text"] for day in range(11)]
    assert "The usual volume of Agg is still being learnt, and not judged (0 of 4 runs)." in said[0]
    assert "The distribution trust is still being learnt" in said[0]
    assert "The usual volume of Agg is still being learnt, and not judged (too few runs to know how" in said[9]
    assert "learnt" not in said[10]
    with pytest.raises(
        AirflowFailException, match="2 unlike the runs before; the largest: 550 messages in Agg"
    ) as error:
        run(11, 500, slack_conn_id="slack_hook", email_to="ops@example.com")
    assert "Nothing was lost between the stages" in str(error.value)
    assert "5: 500 messages in Agg, where 1,000 are usual (50.0 % fewer)" in alerts.slack()[0]["text"]
    assert len(mails) == 1
    moved = run(12, 1000, HIGH, on_discrepancy="alert")
    assert moved["verdict"] == "high discrepancies"
    (overall,) = moved["overall"]
    assert overall == (
        "Trust is shared out otherwise than usual, 80.0 % of the messages have moved:"
        " high: 10.0 % -> 90.0 %, low: 90.0 % -> 10.0 %"
    )
    skipped = run(13, 1000, skipped=600)
    assert skipped["verdict"] == "warning"
    assert "(not skipped): 99.5 % -> 42.9 %" in skipped["findings"][0]
    assert run(14, 1000)["verdict"] == "ok"


def test_the_page_shows_the_band_that_judged_the_run(run, sqlite_path):
    for day in range(12):
        run(day, 1000)
    stored = read_runs(HistoryDatabase(lambda: sqlite3.connect(sqlite_path), "?"), "ep_telemetry_v2", "check").runs
    assert [each.usual for each in stored][-3:] == [{}, *[{"Agg": (735, 1365)}] * 2]
    found = runs_answer(
        RecordedRuns(stored, True), ChecksQuestion(30, None, False, ("ep_telemetry_v2",), "check"), time.time()
    )
    assert (found["band"]["stage"], found["band"]["low"][-2:]) == ("Agg", [735, 735])


def test_without_the_history_the_stages_are_compared_all_the_same(run, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_TARGET", json.dumps({"conn_type": "smtp", "host": "127.0.0.1"}))
    result = run(1, 1000)
    assert result["verdict"] == "ok"
    assert "Not judged, since the history cannot be read: Expected Agg, Distribution trust" in result["text"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"history_conn_id": None}, "expected and distributions need history_conn_id"),
        ({"expected": [Expected("NRT")]}, r"expected names the stage\(s\) \['NRT'\]"),
        ({"expected": [Expected("DB"), Expected("DB")]}, "have a name twice"),
        ({"distributions": [Distribution("skips")]}, "is that of the skips, which the check does not have"),
    ],
    ids=["no history", "no such stage", "twice", "no skips"],
)
def test_what_cannot_be_learnt_is_refused_when_the_dag_is_parsed(arguments, says):
    with pytest.raises(ValueError, match=says):
        check(**{"history_conn_id": "target", "expected": [Expected("DB")], **arguments})


def missing():
    raise LookupError("no such column")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ({"counts": {str(number): 1 for number in range(1001)}}, "1,001 different values are no distribution"),
        ({"call": missing}, "LookupError: no such column"),
        ({"sql": "SELECT 1, 2", "conn_id": "nowhere"}, "could not be read from connection nowhere"),
        ({"counts": None, "call": dict, "arguments": {"low": -1}}, "not a whole number of 0 or more"),
    ],
    ids=["too many values", "an error", "no connection", "unusable"],
)
def test_a_distribution_that_is_not_known_keeps_nobody_from_being_told_of_a_loss(alerts, source, says):
    operator = check(
        stages=[Stage("Agg", counts={"5": 2}), Stage("DB", counts={"5": 1})],
        distributions=[Distribution("trust", **source)],
        history_conn_id="nowhere",
        slack_conn_id="slack_hook",
    )
    with pytest.raises(AirflowFailException, match="lost 1 between Agg and DB"):
        operator.execute(context_of_run())
    (body,) = alerts.slack()
    assert "A distribution is not judged:" in body["text"]
