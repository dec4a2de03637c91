"""Airflow's configuration, and the context of a deadline's callback, for the tests of notifiers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_agari_provider import airflow_runs
from tests.notifications.callback_contexts import RUN_ID


@pytest.fixture
def web(monkeypatch):
    for section in ("API", "WEBSERVER"):
        monkeypatch.setenv(f"AIRFLOW__{section}__BASE_URL", "https://airflow.example.com/")
    monkeypatch.setenv("AIRFLOW__AGARI__ENVIRONMENT", "EP_STAGE")


@pytest.fixture
def deadline(monkeypatch):
    """Context of the callback of a deadline that was over five minutes ago."""
    tasks = {"extract": "success", "load": "running"}
    monkeypatch.setattr(airflow_runs, "read_run", lambda dag_id, run_id: ("running", tasks))
    return {
        "dag_run": {"dag_id": "telemetry", "dag_run_id": RUN_ID, "logical_date": "2016-02-26T18:00:00Z"},
        "deadline": {"id": "1", "deadline_time": datetime.now(UTC) - timedelta(minutes=5, seconds=1)},
    }
