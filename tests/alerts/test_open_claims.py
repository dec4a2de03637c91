"""What is still open in the claims, for those who look later."""

from __future__ import annotations

import pytest

from airflow_agari_provider.alerts.alert_database import AlertDatabase
from airflow_agari_provider.alerts.claim_rows import About
from airflow_agari_provider.alerts.claims import ClaimTable, id_of
from airflow_agari_provider.alerts.open_claims import OpenClaims, ids_of


@pytest.fixture
def claims(connect):
    """Claims and those who look later, on each database: makes a claim about a late task, and tells it."""
    table = ClaimTable(connect, "scheduler", lease=120)

    def claim(key, now=1000.0, sent=True, due_at=900.0):
        table.claim(key, now, About(destination="Slack", due_at=due_at, payload="{}", standing="running"))
        if sent:
            table.mark_sent(key, "C1:17.5")

    return claim, OpenClaims(AlertDatabase(connect))


def test_an_alert_is_open_until_it_is_closed(claims):
    claim, look = claims
    claim("told")
    claim("other", due_at=None)  # of no miss: nothing follows
    (found,) = look.open()
    assert (found.id, found.state, found.due_at, found.standing) == (id_of("told"), "sent", 900.0, "running")
    look.close(ids_of(["told"]), 2000.0, "recovered")
    assert look.open() == []


def test_what_may_be_on_its_way_stays_open_unless_it_is_given_up(claims):
    claim, look = claims
    claim("sending", sent=False)
    look.close(ids_of(["sending"]), 2000.0, "recovered")
    assert len(look.open()) == 1
    look.close(ids_of(["sending"]), 2000.0, "given up")
    assert look.open() == []


def test_what_was_looked_at_comes_last(claims):
    claim, look = claims
    for number, key in enumerate(("first", "second")):
        claim(key, now=1000.0 + number)
    look.mark_swept(ids_of(["first"]), 2000.0)
    assert [found.id for found in look.open()] == [id_of("second"), id_of("first")]


def test_a_failure_that_was_told_is_recorded(claims):
    claim, look = claims
    claim("told")
    look.mark_failed(ids_of(["told"]), 2000.0)
    assert look.open()[0].failed_at == 2000.0


def test_only_rows_from_before_are_pruned(claims):
    claim, look = claims
    claim("old", now=1000.0)
    claim("new", now=5000.0)
    assert (look.prune(2000.0), look.prune(2000.0)) == (1, 0)
    assert [found.id for found in look.open()] == [id_of("new")]


def test_many_rows_are_changed_in_parts(claims, monkeypatch):
    claim, look = claims
    monkeypatch.setattr("airflow_agari_provider.alerts.open_claims.AT_ONCE", 2)
    keys = [f"key {number}" for number in range(5)]
    for key in keys:
        claim(key)
    look.close(ids_of(keys), 2000.0, "deleted")
    assert look.open() == []
    assert look.prune(2000.0) == 5


def test_nothing_to_change_asks_no_database():
    def connect():
        raise AssertionError("nobody should connect")

    OpenClaims(AlertDatabase(connect)).mark_swept([], 1.0)
