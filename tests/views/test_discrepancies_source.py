"""Where the page of discrepancies reads, and what it says where it cannot."""

from __future__ import annotations

import json
import sqlite3

import jsonschema
import pytest

from airflow_agari_provider.discrepancy.check_history import CheckHistory
from airflow_agari_provider.discrepancy.history_database import HistoryDatabase
from airflow_agari_provider.views import discrepancies_openapi, http_answers
from airflow_agari_provider.views.discrepancies_question import ChecksQuestion
from airflow_agari_provider.views.discrepancies_source import CheckSource
from airflow_agari_provider.views.not_shown import NotShown
from tests.discrepancy.reports import report_of
from tests.views.test_openapi import closed

DAYS = ChecksQuestion(30, None, False, ("scoring",), "check")


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
