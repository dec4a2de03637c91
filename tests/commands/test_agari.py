"""The command line: what people type, what they are told, and with which exit code it ends."""

from __future__ import annotations

import json

from airflow_agari_provider.commands.agari import main


def test_without_a_place_of_the_claims_it_says_what_to_set(monkeypatch, capsys):
    monkeypatch.delenv("AIRFLOW__AGARI__ALERTS_CONN_ID")
    assert main(["alerts", "silences"]) == 1
    assert "Set [agari] alerts_conn_id" in capsys.readouterr().err
    assert main(["alerts", "silences", "--claims-conn-id", "claims"]) == 0


def test_claims_that_cannot_be_used_are_one_sentence(monkeypatch, capsys):
    monkeypatch.setenv("AIRFLOW_CONN_CLAIMS", json.dumps({"conn_type": "sqlite", "host": "/nowhere/claims.db"}))
    assert main(["alerts", "silences"]) == 1
    assert "agari: The database of the claims cannot be used: OperationalError" in capsys.readouterr().err
