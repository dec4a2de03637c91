"""What a reader gets to see of the checks."""

from __future__ import annotations

import json
from pathlib import Path

from airflow_agari_provider.discrepancy.history_reading import CheckRun, RecordedRuns
from airflow_agari_provider.views import discrepancies_api, discrepancies_openapi
from airflow_agari_provider.views.discrepancies_api import Checks, checks_answer, runs_answer
from airflow_agari_provider.views.discrepancies_question import (
    CHECKS_PARAMETERS,
    RUNS_PARAMETERS,
    ChecksQuestion,
)
from tests.discrepancy.recorded_runs import CHECKED, HOUR, STAGES, a_few_days, bad_run, lost, stored_run
from tests.views.test_alerts_api import named_in

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


def test_the_page_of_the_docs_names_every_parameter_and_field():
    text = (ROOT / "docs" / "discrepancies_page.md").read_text()
    documents = (discrepancies_openapi.CHECKS, discrepancies_openapi.RUNS)
    fields = {*CHECKS_PARAMETERS, *RUNS_PARAMETERS, *(name for one in documents for name in named_in(one))} - {"now"}
    assert {name for name in fields if f"`{name}`" not in text} == set()
