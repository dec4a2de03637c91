"""Where the page of alerts reads, and what it says where it cannot."""

from __future__ import annotations

import json

import jsonschema
import pytest

from airflow_agari_provider.alerts.alert_database import AlertDatabase
from airflow_agari_provider.views import alerts_openapi, http_answers
from airflow_agari_provider.views.alerts_question import AlertsQuestion
from airflow_agari_provider.views.alerts_source import AlertsNotShown, named_connection
from tests.alerts.alert_rows import DUE, alert_row
from tests.views.test_openapi import closed

ROWS = [
    alert_row("r1", recovered_at=DUE + 60),
    alert_row("r2", due_at=DUE + 100),
    alert_row("s1", dag_id="secret", recovered_at=DUE + 60),
]
QUESTION = AlertsQuestion(30, "", ())


def test_without_the_setting_the_answer_says_what_to_set(alert_source, monkeypatch):
    monkeypatch.delenv("AIRFLOW__AGARI__ALERTS_CONN_ID")
    with pytest.raises(AlertsNotShown, match=r"Set alerts_conn_id in section \[agari\]") as raised:
        alert_source.alerts(QUESTION, {"scoring"})
    assert raised.value.status == 404


def test_a_database_that_cannot_be_read_is_told_without_its_secrets(alert_source, caplog):
    def away():
        raise OSError("password of alerts_db at 10.0.0.1 is wrong")

    alert_source._database = lambda _: AlertDatabase(away)
    with pytest.raises(AlertsNotShown, match="by connection alerts_db") as raised:
        alert_source.alerts(QUESTION, {"scoring"})
    assert (raised.value.status, "10.0.0.1" in str(raised.value)) == (503, False)
    assert "10.0.0.1" in caplog.text


def test_a_database_without_the_table_is_no_error(alert_source):
    found, _ = alert_source.alerts(QUESTION, {"scoring"})
    assert "No alert was ever recorded" in found["note"]


@pytest.mark.parametrize("rows", [[], ROWS], ids=["none", "some"])
def test_an_answer_has_the_fields_of_the_document_and_no_others(alert_source, rows):
    alert_source.write(rows)
    found, now = alert_source.alerts(QUESTION, {"scoring"})
    body = json.loads(http_answers.json_answer(http_answers.encoded(found), now, None).body)
    jsonschema.Draft202012Validator(closed(alerts_openapi.ALERTS)).validate(body)


def test_readers_share_what_is_read_and_each_sees_only_their_dags(alert_source):
    alert_source.write(ROWS)
    assert alert_source.alerts(QUESTION, {"scoring"})[0]["dag_ids"] == ["scoring"]
    assert alert_source.alerts(QUESTION, {"secret"})[0]["dag_ids"] == ["secret"]
    assert alert_source.opened == ["alerts_db"]


@pytest.mark.parametrize("value", ["", " ", "\n"], ids=repr)
def test_an_empty_setting_is_none(value, monkeypatch):
    monkeypatch.setenv("AIRFLOW__AGARI__ALERTS_CONN_ID", value)
    with pytest.raises(AlertsNotShown, match="Set alerts_conn_id"):
        named_connection()


def test_blanks_around_a_setting_do_not_count(monkeypatch):
    monkeypatch.setenv("AIRFLOW__AGARI__ALERTS_CONN_ID", " alerts_db\n")
    assert named_connection() == "alerts_db"
