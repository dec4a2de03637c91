"""What a reader gets to see of the checks."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import jsonschema
import pytest

from airflow_agari_provider.discrepancy.check_history import CheckHistory
from airflow_agari_provider.discrepancy.history_database import HistoryDatabase
from airflow_agari_provider.discrepancy.history_reading import CheckRun, RecordedRuns
from airflow_agari_provider.exceptions import BadQuestion
from airflow_agari_provider.views import discrepancies_api, discrepancies_openapi, http_answers
from airflow_agari_provider.views.discrepancies_api import Checks, checks_answer, runs_answer
from airflow_agari_provider.views.discrepancies_question import (
    CHECKS_PARAMETERS,
    RUNS_PARAMETERS,
    ChecksQuestion,
    checks_question,
    runs_question,
)
from airflow_agari_provider.views.discrepancies_source import CheckSource
from airflow_agari_provider.views.not_shown import NotShown
from tests.discrepancy.recorded_runs import CHECKED, HOUR, STAGES, a_few_days, bad_run, lost, stored_run
from tests.discrepancy.reports import report_of
from tests.views.test_alerts_api import named_in
from tests.views.test_openapi import closed

ROOT = Path(__file__).parents[2]
NOW = CHECKED + 1800
DAYS = ChecksQuestion(30, None, False, ("scoring",), "check")


def ask(runs, permitted=("scoring",), **question):
    asked = ChecksQuestion(**{"days": 30, "until": None, "problems": False, "dag_ids": (), **question})
    found = [CheckRun(*check, run) for check, of in runs.items() for run in reversed(of)]
    return checks_answer(Checks(found, True), asked, permitted, NOW)


CHECKS = {
    ("scoring", "check"): a_few_days(),
    ("scoring", "fine"): [stored_run(1)],
    ("secret", "check"): [bad_run(1, window="secret window")],
}


def test_each_check_is_told_with_its_last_run_and_those_with_problems_first():
    found = ask(CHECKS)
    assert found["counts"] == {
        "checks": 2,
        "problems": 1,
        "bad_windows": 3,
        "runs": 73,
        "bad": 3,
        "listed": 2,
        "hidden": 1,
    }
    assert {name: values[0] for name, values in found["checks"].items() if name != "verdicts"} == {
        "dag_id": "scoring",
        "task_id": "check",
        "runs": 72,
        "bad": 3,
        "warned": 1,
        "bad_windows": 3,
        "last_run_at": "2016-02-05 23:00:00",
        "last_run_id": "scheduled__2016-02-05T23:00:00+00:00",
        "last_window": "2016-02-05 23:00:00",
        "last_verdict": "ok",
        "last_checked_at": CHECKED,
        "last_keys": 14,
        "last_discrepant": 0,
        "last_report_url": None,
        "last_report_link": None,
    }
    assert found["checks"]["verdicts"][0][-12:] == ["high discrepancies", *["ok"] * 11]


def test_of_dags_that_the_reader_may_not_read_there_is_a_number_and_nothing_else():
    assert "secret" not in json.dumps(ask(CHECKS))
    assert ask(CHECKS, dag_ids=("secret",))["checks"]["dag_id"] == []
    nothing = ask(CHECKS, permitted=())
    assert (nothing["counts"]["hidden"], nothing["counts"]["runs"], nothing["dag_ids"]) == (3, 0, [])
    assert ask(CHECKS, permitted=("scoring", "secret"))["counts"]["hidden"] == 0


def test_only_problems_leaves_out_what_is_fine_and_still_counts_it():
    found = ask(CHECKS, problems=True)
    assert (found["checks"]["task_id"], found["counts"]["checks"]) == (["check"], 2)
    runs = runs_answer(RecordedRuns(a_few_days(), True), ChecksQuestion(30, None, True, ("scoring",), "check"), NOW)
    assert (len(runs["runs"]["run_id"]), runs["counts"]["runs"]) == (4, 72)
    assert runs["band"]["low"][-1] is not None  # the runs that are not shown teach it


def test_the_runs_of_a_check_have_stages_first_bad_stage_keys_and_reports():
    found = runs_answer(RecordedRuns(a_few_days(), True), DAYS, NOW)
    runs = found["runs"]
    assert found["stages"] == list(STAGES)
    assert [totals[30] for totals in found["totals"]] == [10_100, 9090, 7889]
    assert {name: values[30] for name, values in runs.items()} == {
        "run_at": "2016-02-04 06:00:00",
        "run_id": "scheduled__2016-02-04T06:00:00+00:00",
        "window": "2016-02-04 06:00:00",
        "verdict": "high discrepancies",
        "checked_at": CHECKED - 41 * HOUR,
        "keys": 14,
        "discrepant": 2,
        "report_url": "s3://counts/30.csv.gz",
        "report_link": "https://console.aws.amazon.com/s3/object/counts?prefix=30.csv.gz",
        "alarms": 2,
        "good_stage": "Agg",
        "bad_stage": "DB",
        "told": [
            {"channel": "mail", "kind": "report", "at": CHECKED},
            {"channel": "Slack", "kind": "alarm", "at": CHECKED},
        ],
    }
    assert found["keys"] == {"key": ["5", "16", "1", "7", "56", "14"], "runs": [2, 1, 1, 1, 0, 0]}
    cells = found["cells"]
    of_run = [at for at, run in enumerate(cells["run"]) if run == 30]
    assert [(cells["key"][at], cells["difference"][at], cells["percent"][at]) for at in of_run[:2]] == [
        (0, 1204, 15.1),
        (2, -3, -1.1),
    ]
    assert cells["counts"][of_run[0]] == [8000, 8000, 6796]
    assert found["bad_windows"] == ["2016-02-04 06:00:00", "2016-02-04 07:00:00", "2016-02-05 12:00:00"]
    assert found["band"]["stage"] == "Collector"


def test_a_window_of_days_ends_where_it_is_asked_to():
    runs = RecordedRuns(a_few_days(), True)
    found = runs_answer(runs, ChecksQuestion(1, NOW - 86_400, False, ("scoring",), "check"), NOW)
    assert (found["counts"]["runs"], found["counts"]["stored"], found["older"]) == (25, 72, True)
    assert found["runs"]["run_at"][-1] == "2016-02-04 23:00:00"
    ahead = RecordedRuns([stored_run(1, checked_at=NOW + 60)], True)  # by the clock of another machine
    assert len(runs_answer(ahead, DAYS, NOW)["runs"]["run_id"]) == 1


def test_long_answers_are_cut_to_the_worst_keys(monkeypatch):
    monkeypatch.setattr(discrepancies_api, "MOST_KEYS", 4)
    monkeypatch.setattr(discrepancies_api, "MOST_CELLS", 4)
    found = runs_answer(RecordedRuns(a_few_days(), True), DAYS, NOW)
    assert found["counts"]["keys"] == 6
    assert found["keys"]["key"] == ["5", "16", "1", "7"]
    assert (found["cells"]["run"], found["cells"]["key"]) == ([0, 30, 31, 32], [1, 0, 0, 0])
    monkeypatch.setattr(discrepancies_api, "MOST_CHECKS", 1)
    assert ask(CHECKS)["checks"]["task_id"] == ["check"]


def test_numbers_that_a_browser_would_read_wrong_are_cut():
    huge = bad_run(1, 1, lost("5", 2**60, 2**61))
    found = runs_answer(RecordedRuns([huge], True), DAYS, NOW)
    assert (found["cells"]["difference"][0], found["cells"]["percent"][0]) == (2**53, 50.0)
    nothing = bad_run(1, 1, lost("5", -5, 0))
    assert runs_answer(RecordedRuns([nothing], True), DAYS, NOW)["cells"]["percent"][0] is None


@pytest.mark.parametrize(
    ("parse", "arguments", "question"),
    [
        (checks_question, [], ChecksQuestion(30, None, False, ())),
        (
            checks_question,
            [("days", "7"), ("until", "1795168000"), ("problems", "true"), ("dag_id", "a"), ("dag_id", "b")],
            ChecksQuestion(7, 1795168000.0, True, ("a", "b")),
        ),
        (runs_question, [("dag_id", "a"), ("task_id", "t[3]")], ChecksQuestion(30, None, False, ("a",), "t[3]")),
    ],
)
def test_the_parameters(parse, arguments, question):
    assert parse(arguments) == question


@pytest.mark.parametrize(
    ("parse", "arguments"),
    [
        (checks_question, [("days", "0")]),
        (checks_question, [("days", "367")]),
        (checks_question, [("until", "nan")]),
        (checks_question, [("until", "-1")]),
        (checks_question, [("problems", "yes")]),
        (checks_question, [("task_id", "t")]),
        (runs_question, [("dag_id", ""), ("task_id", "t")]),
        (runs_question, [("task_id", ""), ("dag_id", "d")]),
    ],
)
def test_a_wrong_parameter_is_named(parse, arguments):
    with pytest.raises(BadQuestion, match=arguments[0][0]):
        parse(arguments)


@pytest.fixture
def file(tmp_path):
    """Opens connections to a history with a bad and a fine run of one check, and a run of a secret one."""
    opened = lambda: sqlite3.connect(tmp_path / "history.db", timeout=10)  # noqa: E731
    counts = {"5": 9}
    for dag_id, hour, db in (("scoring", 1, {"5": 7}), ("scoring", 2, counts), ("secret", 1, {})):
        report = report_of(counts, counts, db, window=f"{hour:02}:00", report_url="s3://b/<k>.csv")
        CheckHistory(opened, "?", dag_id, "check").exchange(f"2016-02-03 {hour:02}:00:00", f"run {hour}", report)
    return opened


@pytest.fixture
def source(file, monkeypatch):
    monkeypatch.setenv("AIRFLOW__AGARI__DISCREPANCY_CONN_ID", "history")
    return CheckSource(database=lambda conn_id: HistoryDatabase(file, "?"))


def test_without_the_setting_the_answer_says_what_to_set(source, monkeypatch):
    monkeypatch.delenv("AIRFLOW__AGARI__DISCREPANCY_CONN_ID")
    with pytest.raises(NotShown, match=r"Set discrepancy_conn_id in section \[agari\]") as raised:
        source.checks(DAYS, {"scoring"})
    assert raised.value.status == 404


@pytest.mark.parametrize("who", ["the hook", "the database"])
def test_a_database_that_cannot_be_read_is_told_without_its_secrets(who, monkeypatch, caplog):
    monkeypatch.setenv("AIRFLOW__AGARI__DISCREPANCY_CONN_ID", "history")

    def fail(*_):
        raise OSError("password of history at 10.0.0.1 is wrong")

    source = CheckSource(database=fail if who == "the hook" else lambda conn_id: HistoryDatabase(fail, "?"))
    for asked in (source.checks, source.runs):
        with pytest.raises(NotShown, match="by connection history") as raised:
            asked(DAYS, {"scoring"})
        assert (raised.value.status, "10.0.0.1" in str(raised.value)) == (503, False)
    assert "10.0.0.1" in caplog.text


def test_a_database_without_the_tables_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__AGARI__DISCREPANCY_CONN_ID", "history")
    source = CheckSource(database=lambda conn_id: HistoryDatabase(lambda: sqlite3.connect(tmp_path / "new.db"), "?"))
    found, _ = source.checks(DAYS, {"scoring"})
    assert "No check has stored a run" in found["note"]
    with pytest.raises(NotShown, match="No such check"):
        source.runs(DAYS, {"scoring"})


def test_what_may_not_be_read_and_what_is_not_there_are_answered_alike(source):
    answers = []
    for question in (
        ChecksQuestion(30, None, False, ("secret",), "check"),
        ChecksQuestion(30, None, False, ("x",), "y"),
    ):
        with pytest.raises(NotShown) as raised:
            source.runs(question, {"scoring", "x"})
        answers.append((raised.value.status, str(raised.value)))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404


def test_answers_have_the_fields_of_the_document_and_no_others(source):
    question = ChecksQuestion(30, None, False, ("scoring",), "check")
    for schema, (found, now) in (
        (discrepancies_openapi.CHECKS, source.checks(question, {"scoring"})),
        (discrepancies_openapi.RUNS, source.runs(question, {"scoring"})),
        (discrepancies_openapi.RUNS, source.runs(ChecksQuestion(1, 0.0, True, ("scoring",), "check"), {"scoring"})),
    ):
        body = json.loads(http_answers.json_answer(http_answers.encoded(found), now, None).body)
        jsonschema.Draft202012Validator(closed(schema)).validate(body)


def test_readers_share_what_is_read_and_each_sees_only_their_dags(source, file):
    assert source.checks(DAYS, {"scoring"})[0]["dag_ids"] == ["scoring"]
    file().executescript("DROP TABLE agari_checks")
    assert source.checks(ChecksQuestion(30, None, False, ()), {"secret"})[0]["dag_ids"] == ["secret"]


def test_the_page_of_the_docs_names_every_parameter_and_field():
    text = (ROOT / "docs" / "discrepancies_page.md").read_text()
    documents = (discrepancies_openapi.CHECKS, discrepancies_openapi.RUNS)
    fields = {*CHECKS_PARAMETERS, *RUNS_PARAMETERS, *(name for one in documents for name in named_in(one))} - {"now"}
    assert {name for name in fields if f"`{name}`" not in text} == set()
