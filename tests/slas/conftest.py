"""Fixtures of the callbacks' tests: an SLA, what Airflow says about its tasks, and Airflow 2.11's check."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from airflow_agari_provider import airflow_runs
from airflow_agari_provider.alerts import delivery
from airflow_agari_provider.alerts.sla import Watch
from airflow_agari_provider.slas import SlaAlert, deadline_callback, dispatch, sla_miss_callback
from airflow_agari_provider.slas.sla_miss_callback import OnSlaMiss
from tests.slas.airflow_calls import DATE, RUN_ID


@pytest.fixture
def watch(sqlite_path, monkeypatch):
    """An SLA of half an hour, with alerts of its own; ``claims`` is a connection to a database."""
    value = {"conn_type": "sqlite", "host": str(sqlite_path)}
    monkeypatch.setenv("AIRFLOW_CONN_CLAIMS", json.dumps(value))

    def make(*alerts, **changes):
        specifications = [(one if isinstance(one, SlaAlert) else SlaAlert(one)).specification() for one in alerts]
        known = {"task_id": "load", "sla": 1800, "claims": "sql:claims", "environment": "EP_STAGE"}
        return Watch(**{**known, "alerts": specifications, "carriers": ["load"], **changes})

    return make


@pytest.fixture
def states(monkeypatch):
    """Answers of Airflow about the run's tasks, one after the other; the last one stays."""
    answers: list = [{"extract": "success", "load": "running"}]

    def read_run(dag_id, run_id):
        assert (dag_id, run_id) == ("telemetry", RUN_ID)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return "running", answer

    monkeypatch.setattr(airflow_runs, "read_run", read_run)
    return answers


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(delivery, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(delivery, "BUSY_PAUSE", 0.05)
    monkeypatch.setattr(delivery, "RECORD_PAUSE", 0.05)
    monkeypatch.setattr(dispatch, "UNEXPECTED_PAUSE", 0.05)
    monkeypatch.setattr(deadline_callback, "UNEXPECTED_PAUSE", 0.05)
    monkeypatch.setattr(deadline_callback, "_jobs", {})


@pytest.fixture
def airflow_2(states, monkeypatch):
    """Calls the callback as Airflow 2.11 does; returns the misses that it may mark as notified."""
    facts = {"run_id": RUN_ID, "logical_date": DATE, "run_type": "scheduled"}

    def late_run(dag, moment):
        return {**facts, "planned": moment}

    monkeypatch.setattr(sla_miss_callback, "late_run", late_run)
    dag = SimpleNamespace(dag_id="telemetry")

    def check(*watches, misses):
        left = list(misses)
        OnSlaMiss(watches)(dag, "", "", left, [])
        return len(left)

    return check
