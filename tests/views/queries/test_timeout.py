"""A request that takes PostgreSQL too long: here because another transaction has locked the task instances."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from airflow_agari_provider.airflow_compat import AIRFLOW_3
from airflow_agari_provider.views.cached_charts import SharedCharts
from airflow_agari_provider.views.parameters import tries_question
from airflow_agari_provider.views.queries import tables

TIMEOUT, PATIENCE = 1, 60  # seconds


@pytest.fixture
def charts(metadata_on_postgres, monkeypatch) -> SharedCharts:
    """The charts of a database that cancels a statement after a second."""
    metadata_on_postgres.dag("locked")
    metadata_on_postgres.run("locked", "r", 0)
    metadata_on_postgres.session.commit()
    monkeypatch.setattr(tables, "STATEMENT_TIMEOUT", TIMEOUT)

    @contextmanager
    def sessions() -> Iterator[Session]:
        with Session(metadata_on_postgres.engine) as session:
            yield session

    return SharedCharts(sessions, tries_kept=0)


@pytest.fixture
def locked(metadata_on_postgres) -> Iterator[threading.Event]:
    """Lock the task instances until the event is set, or for a minute: then the answer would be there."""
    done = threading.Event()
    holds = threading.Event()

    def hold() -> None:
        with metadata_on_postgres.engine.begin() as connection:
            connection.execute(sa.text("LOCK TABLE task_instance IN ACCESS EXCLUSIVE MODE"))
            holds.set()
            done.wait(PATIENCE)

    holder = threading.Thread(target=hold)
    holder.start()
    assert holds.wait(PATIENCE)
    yield done
    done.set()
    holder.join()


def answered(charts, monkeypatch) -> tuple[int, str]:
    """(status, body) of the tries of the DAG, from the web server of the installed Airflow."""
    if AIRFLOW_3:
        from fastapi.testclient import TestClient

        from airflow_agari_provider.views import charts_airflow3, requests_airflow3, web_airflow3

        monkeypatch.setattr(charts_airflow3, "CHARTS", charts)
        app = web_airflow3.create_app()
        app.dependency_overrides[requests_airflow3.require_dag] = lambda: "locked"
        answer = TestClient(app).get("/api/dags/locked/tries")
        return answer.status_code, answer.text
    from flask import Flask

    from airflow_agari_provider.views import web_airflow2

    with Flask("airflow").test_request_context():
        found = web_airflow2.answer_or_error(
            lambda: web_airflow2.json_answer(*charts.dag_tries("locked", tries_question([])))
        )
    return found.status, found.body.decode()


def test_a_statement_that_takes_too_long_is_given_up_and_said_to_be(charts, locked, monkeypatch):
    started = time.monotonic()
    status, body = answered(charts, monkeypatch)
    assert TIMEOUT <= time.monotonic() - started < PATIENCE
    assert (status, json.loads(body)["detail"].split(":")[0]) == (503, "The database did not answer in time")
    locked.set()
    monkeypatch.setattr(tables, "STATEMENT_TIMEOUT", PATIENCE)
    status, body = answered(charts, monkeypatch)
    assert (status, json.loads(body)["runs"]["run_id"]) == (200, ["r"])
