"""The recipes for other services do what the page says, against endpoints that keep what they get."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from airflow_agari_provider.alerts.miss import SlaMiss
from airflow_agari_provider.slas import SlaAlert
from airflow_agari_provider.slas.sla_alert import sender_of
from tests.docs.blocks import ROOT
from tests.docs.python_blocks import run

pytest.importorskip("airflow.providers.http.notifications.http")

MISS = SlaMiss(
    "telemetry",
    "scheduled__2016-02-26T18:00:00+00:00",
    "load",
    "2016-02-26T18:00:00",
    environment="EP <STAGE>",
    due=datetime(2016, 2, 26, 19, 30, tzinfo=UTC),
    at=datetime(2016, 2, 26, 19, 32, tzinfo=UTC),
    owner="ada",
)
MISSED = "EP <STAGE> - telemetry SLA Miss for task load on 2016-02-26T18:00:00"
ENTITY = "airflow/EP <STAGE>/telemetry/scheduled__2016-02-26T18:00:00+00:00/load"


@pytest.fixture(scope="module")
def recipes():
    return run(ROOT / "docs" / "alerting.md")


def send(alert):
    """Send the miss and its recovery, as another process does."""
    sender = sender_of(json.loads(json.dumps(alert.specification())))
    sender.follow_up(replace(MISS, event="recovery"), "key", sender.send(MISS, "key", False))


def test_a_mail_is_sent_for_the_miss_and_for_its_end(recipes, mails):
    send(SlaAlert(recipes["mail"](), recovery=recipes["mail"]()))
    (to, missed), (_, recovered) = mails
    assert (to, missed["subject"]) == (["oncall@example.com"], MISSED)
    assert "EP &lt;STAGE&gt; - telemetry" in missed.get_body(("html",)).get_content()
    assert "Finished 2 min late, owner ada" in recovered.get_body(("html",)).get_content()


def test_teams_gets_a_card_at_the_address_that_the_connection_holds(recipes, alert_services, monkeypatch):
    address = f"{alert_services.url}/workflows/hush-secret/triggers/manual"
    monkeypatch.setenv("AIRFLOW_CONN_TEAMS", json.dumps({"conn_type": "http", "host": address}))
    send(SlaAlert(recipes["teams"](), recovery=recipes["teams"]()))
    texts = [
        [block["text"] for block in body["attachments"][0]["content"]["body"]] for _, body in alert_services.received
    ]
    assert texts == [
        [MISSED, "Late by 2 min, due 2016-02-26 19:30:00 UTC, owner ada"],
        [MISSED.replace("Miss for", "Miss recovered for"), "Finished 2 min late, owner ada"],
    ]
    assert {path for path, _ in alert_services.received} == {"/workflows/hush-secret/triggers/manual"}


def test_opsgenie_opens_and_closes_one_alert(recipes, alert_services, monkeypatch):
    extra = {"Authorization": "GenieKey hush"}
    value = {"conn_type": "http", "host": alert_services.url, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_OPSGENIE", json.dumps(value))
    send(recipes["opsgenie"])
    (opened, body), (closed, note) = alert_services.received
    assert (opened, body["message"], body["alias"]) == ("/v2/alerts", MISSED, ENTITY)
    alias = "airflow%2FEP%20%3CSTAGE%3E%2Ftelemetry%2Fscheduled__2016-02-26T18%3A00%3A00%2B00%3A00%2Fload"
    assert closed == f"/v2/alerts/{alias}/close?identifierType=alias"
    assert note == {"note": "Finished 2 min late, owner ada"}
    assert {headers["Authorization"] for headers in alert_services.headers} == {"GenieKey hush"}
    assert "hush" not in json.dumps(recipes["opsgenie"].specification())
