"""Who may list, set and end silences on the page of the alerts, and what becomes of them."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace

import jsonschema
import pytest

from airflow_agari_provider.alerts.alert_database import AlertDatabase, ClaimsUnavailable
from airflow_agari_provider.alerts.silence_table import SilenceTable
from airflow_agari_provider.alerts.silences import Silence
from airflow_agari_provider.exceptions import BadQuestion
from airflow_agari_provider.views import alerts_openapi
from airflow_agari_provider.views.alerts_source import AlertsNotShown
from airflow_agari_provider.views.silences_api import Reader, SilenceDesk
from tests.views.test_alerts_api import ROOT, named_in
from tests.views.test_openapi import closed

NOW = 1_795_168_000.0
HOUR = 3600
ADA = Reader("ada", frozenset({"telemetry", "ep_1", "ep_2"}), frozenset({"telemetry"}), edits_all=False)
ADMIN = replace(ADA, name="root", editable=ADA.readable, edits_all=True)
STRANGER = Reader("eve", frozenset({"other"}), frozenset({"other"}), edits_all=False)


@pytest.fixture
def database(sqlite_path):
    return AlertDatabase(lambda: sqlite3.connect(sqlite_path))


@pytest.fixture
def desk(database, monkeypatch):
    monkeypatch.setenv("AIRFLOW__AGARI__ALERTS_CONN_ID", "alerts_db")
    monkeypatch.setenv("AIRFLOW__AGARI__ENVIRONMENT", "EP_STAGE")
    return SilenceDesk(database=lambda _: database, clock=lambda: NOW)


def body(**changed):
    return json.dumps({"dag_id": "telemetry", "until": NOW + HOUR, "why": "upgrade", **changed}).encode()


def seen(desk, reader):
    return desk.listed(reader)[0]["silences"]


def test_a_silence_is_set_listed_and_ended(desk, database):
    found, _ = desk.add(ADA, body(task_id="load"))
    (id_,) = found["id"]
    (kept,) = SilenceTable(database).not_over(NOW)
    assert kept == Silence(id_, "telemetry", "load", NOW, NOW + HOUR, "ada", "upgrade", "EP_STAGE", NOW)
    assert kept.covers("EP_STAGE", "telemetry", "load")
    assert not kept.covers("EP_PROD", "telemetry", "load")
    assert (seen(desk, ADA)["why"], seen(desk, ADA)["may_end"]) == (["upgrade"], [True])
    desk.end(ADA, id_)
    assert seen(desk, ADA)["id"] == []
    assert SilenceTable(database).newest()[0].ended_by == "ada"
    with pytest.raises(AlertsNotShown, match="There is no such silence, or it is over") as raised:
        desk.end(ADA, id_)
    assert raised.value.status == 404


def test_a_later_one_of_the_run_itself_or_of_all_tasks(desk):
    desk.add(ADA, body(task_id="__dag_run__", since=NOW + 60))
    desk.add(ADA, body())
    assert sorted(seen(desk, ADA)["task_id"]) == ["*", "__dag_run__"]
    assert sorted(seen(desk, ADA)["since"]) == [NOW, NOW + 60]


@pytest.mark.parametrize(
    ("dag_id", "says"), [("ep_1", "Only a person who may edit the DAG ep_1"), ("ep_*", "also for DAGs that come later")]
)
def test_only_who_may_edit_a_dag_silences_it_and_ends_that(desk, dag_id, says):
    with pytest.raises(AlertsNotShown, match=says) as raised:
        desk.add(ADA, body(dag_id=dag_id))
    assert raised.value.status == 403
    found, _ = desk.add(ADMIN, body(dag_id=dag_id))
    assert seen(desk, ADA)["may_end"] == [False]
    with pytest.raises(AlertsNotShown, match=says):
        desk.end(ADA, found["id"][0])
    assert seen(desk, ADMIN)["may_end"] == [True]


def test_a_pattern_that_is_only_what_one_may_edit_now_needs_the_permission_for_all(desk):
    with pytest.raises(AlertsNotShown, match="come later"):
        desk.add(ADA, body(dag_id="[t]elemetry"))


def test_of_dags_that_one_may_not_read_nothing_is_told(desk):
    found, _ = desk.add(ADMIN, body(dag_id="ep_*"))
    assert seen(desk, STRANGER)["id"] == []
    assert desk.listed(STRANGER)[0]["dag_ids"] == ["other"]
    with pytest.raises(AlertsNotShown, match="no such silence"):
        desk.end(STRANGER, found["id"][0])
    for dag_id in ("telemetry", "no_such_dag"):
        with pytest.raises(BadQuestion, match=f"You may read no DAG '{dag_id}'"):
            desk.add(STRANGER, body(dag_id=dag_id))


def test_what_is_silenced_in_another_airflow_only_is_not_shown(desk, database):
    silence = Silence("", "telemetry", "*", NOW, NOW + HOUR, "ada", "upgrade")
    SilenceTable(database).add(replace(silence, environment="EP_PROD"), NOW)
    SilenceTable(database).add(silence, NOW)
    assert seen(desk, ADA)["environment"] == ["*"]


def test_without_an_environment_all_are_silenced(desk, monkeypatch):
    monkeypatch.delenv("AIRFLOW__AGARI__ENVIRONMENT")
    assert desk.add(ADA, body())[0]["environment"] == ["*"]


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"", "Send a JSON object"),
        (b"[1]", "Send a JSON object"),
        (b"{}", "Send a JSON object"),
        (b"\xff", "Send a JSON object"),
        (body(until=None), "until is wrong"),
        (body(until="tomorrow"), "until is wrong"),
        (body(until=True), "until is wrong"),
        (body(until=float("nan")), "until is wrong"),
        (body(since=float("inf")), "since is wrong"),
        (body(since=-1e300), "at most a year"),
        (body(task_id=["load"]), "task_id is wrong"),
        (body(why="a\0b"), "why is wrong"),
        (body(until=NOW - 1), "must end after it begins, and after now"),
        (body(until=NOW + 400 * 86400), "at most a year"),
        (body(why=" "), "needs 'why'"),
        (body(who="grace"), "Send a JSON object"),
    ],
)
def test_a_silence_that_cannot_be_is_refused_in_words(desk, sent, says):
    with pytest.raises(BadQuestion, match=says):
        desk.add(ADA, sent)
    assert seen(desk, ADA)["id"] == []


def test_there_is_a_most(desk, monkeypatch):
    monkeypatch.setattr("airflow_agari_provider.alerts.silence_table.MOST_SHOWN", 2)
    desk.add(ADA, body())
    desk.add(ADA, body())
    with pytest.raises(BadQuestion, match="There are 2 silences already"):
        desk.add(ADA, body())


def test_a_database_that_is_away_is_told_without_its_secrets(monkeypatch, caplog):
    def away(_):
        raise ClaimsUnavailable("password of alerts_db is wrong")

    monkeypatch.setenv("AIRFLOW__AGARI__ALERTS_CONN_ID", "alerts_db")
    desk = SilenceDesk(database=away)
    asking = ((lambda: desk.listed(ADA), "cannot be read now"), (lambda: desk.add(ADA, body()), "cannot be kept now"))
    for ask, says in asking:
        with pytest.raises(AlertsNotShown, match=says) as raised:
            ask()
        assert (raised.value.status, "password" in str(raised.value)) == (503, False)
    assert "password of alerts_db" in caplog.text


def test_the_answers_are_as_documented(desk):
    added, now = desk.add(ADA, body())
    listed, _ = desk.listed(ADA, "token")
    for schema, found in ((alerts_openapi.A_SILENCE, added), (alerts_openapi.SILENCES, listed)):
        jsonschema.Draft202012Validator(closed(schema)).validate(json.loads(json.dumps({"now": now, **found})))
    jsonschema.Draft202012Validator(alerts_openapi.NEW_SILENCE).validate(json.loads(body()))
    text = (ROOT / "docs" / "alerts_page.md").read_text()
    fields = {*named_in(alerts_openapi.SILENCES), *alerts_openapi.NEW_SILENCE["properties"]} - {"now"}
    assert {name for name in fields if f"`{name}`" not in text} == set()
