"""A coming Airflow that the charts cannot read is told in words, to readers and in the log."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from importlib import import_module

import pytest

from airflow_agari_provider import views
from airflow_agari_provider.views import app_airflow3
from airflow_agari_provider.views.queries import tables


def ask(app, path: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and body of a GET request."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b"", "root_path": ""}
    asyncio.run(app(scope, receive, send))
    headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent).decode()


@pytest.fixture(params=["a column is gone", "a table of Airflow is gone", "a name of its web is gone"])
def future(request, monkeypatch):
    """An Airflow of the future; its value is what the log says."""
    for name in [name for name in sys.modules if name.endswith(("s_airflow3", ".web_airflow3", ".cached_charts"))]:
        monkeypatch.delitem(sys.modules, name)
        monkeypatch.delattr(views, name.rpartition(".")[2])
    if request.param == "a column is gone":
        monkeypatch.setattr(tables, "READ", ((tables.RUN, "id clear_date"),))
        return "dag_run.clear_date"
    if request.param == "a table of Airflow is gone":
        monkeypatch.setitem(sys.modules, "airflow_agari_provider.views.cached_charts", None)
        return "airflow_agari_provider.views.cached_charts"
    from airflow.api_fastapi.core_api import security

    monkeypatch.delattr(security, "resolve_user_from_token")
    return "resolve_user_from_token"


def test_the_page_and_the_api_say_so_with_status_501_and_the_log_says_what_is_missing(future, caplog):
    with caplog.at_level(logging.ERROR):
        app = app_airflow3.create_app()
    assert future in caplog.text
    status, headers, page = ask(app, "/agari/charts")
    assert (status, headers["content-type"]) == (501, "text/html; charset=utf-8")
    assert "frame-ancestors" in headers["content-security-policy"]
    assert "cannot read this version of Airflow" in page
    status, headers, answer = ask(app, "/agari/api/dags/a/tries")
    assert (status, headers["content-type"]) == (501, "application/json")
    assert json.loads(answer) == {"detail": app_airflow3.CANNOT_READ}
    assert future not in page + answer


def test_an_error_that_passes_is_not_taken_for_a_future_airflow(monkeypatch):
    web_airflow3 = import_module("airflow_agari_provider.views.web_airflow3")

    def no_memory():
        raise MemoryError

    monkeypatch.setattr(web_airflow3, "require_known_columns", no_memory)
    with pytest.raises(MemoryError):
        app_airflow3.create_app()


def test_this_airflow_is_read():
    assert type(app_airflow3.create_app()).__name__ == "FastAPI"
