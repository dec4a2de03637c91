"""The API answers as the OpenAPI document says."""

from __future__ import annotations

import json
from contextlib import contextmanager

import jsonschema
import pytest
from sqlalchemy.orm import Session

from airflow_agari_provider.airflow_compat import AIRFLOW_3
from airflow_agari_provider.views import alerts_openapi, discrepancies_openapi, http_answers, openapi
from airflow_agari_provider.views.cached_charts import SharedCharts
from airflow_agari_provider.views.parameters import days_question, indexes_question, overview_question, tries_question
from tests.views.metadata_rows import EPOCH, Metadata

LOAD = [("run_id", "r0"), ("task_id", "load")]


@pytest.fixture(scope="module")
def charts(tmp_path_factory):
    """The charts of a DAG with two runs, a failed try and a task in the triggerer, and of a DAG that never ran."""
    metadata = Metadata(f"sqlite:///{tmp_path_factory.mktemp('openapi')}/airflow.db")
    metadata.dag("one", [{"task_id": "load", "sla": 60.0}, {"task_id": "score"}])
    metadata.dag("never")
    for number in range(2):
        due = 3600 * number
        metadata.run("one", f"r{number}", due)
        metadata.old_try("one", f"r{number}", "load", 1, "failed", start=due + 1, end=due + 2)
        metadata.instance("one", f"r{number}", "load", 2, "success", start=due + 3, end=due + 4)
        metadata.instance("one", f"r{number}", "score", 1, "deferred", scheduled=due, queued=due, start=due + 5)
    metadata.instance("one", "r1", "waits", 0, "queued", queued=3600)
    metadata.session.commit()

    @contextmanager
    def sessions():
        with Session(metadata.engine) as session:
            yield session

    yield SharedCharts(sessions, clock=lambda: EPOCH + 5000.0)
    metadata.close()


def closed(schema):
    """The schema without room for other fields: it must describe every answer completely."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    more = {"additionalProperties": False} if "properties" in schema else {}
    return {name: closed(value) for name, value in schema.items()} | more


def overview(asked, days="30"):
    found, now = asked(overview_question([("days", days)]), {"one", "never"})
    return http_answers.encoded(found), now


def under_way(charts):
    found, now = charts.under_way(None, {"one"})
    assert found["total"] == 3
    return http_answers.encoded(found), now


@pytest.mark.parametrize(
    ("schema", "ask"),
    [
        (openapi.TRIES, lambda charts: charts.dag_tries("one", tries_question([]))),
        (openapi.TRIES, lambda charts: charts.dag_tries("one", tries_question([("runs", "1")]))),
        (openapi.TRIES, lambda charts: charts.dag_tries("never", tries_question([]))),
        (openapi.DAYS, lambda charts: charts.dag_days("one", days_question([]))),
        (openapi.DAYS, lambda charts: charts.dag_days("never", days_question([]))),
        (openapi.INDEXES, lambda charts: charts.task_indexes("one", indexes_question(LOAD))),
        (openapi.INDEXES, lambda charts: charts.task_indexes("never", indexes_question(LOAD))),
        (openapi.OVERVIEW, lambda charts: overview(charts.all_dags)),
        (openapi.ACTIVE, lambda charts: under_way(charts)),
        (openapi.TASK_TIME, lambda charts: overview(charts.all_task_time)),
    ],
    ids=[
        "tries",
        "tries, compared",
        "tries of no run",
        "days",
        "no days",
        "indexes",
        "no indexes",
        "overview",
        "active",
        "task time",
    ],
)
def test_an_answer_has_the_fields_of_the_document_and_no_others(charts, schema, ask):
    body = json.loads(http_answers.json_answer(*ask(charts), None).body)
    jsonschema.Draft202012Validator(closed(schema)).validate(body)


def test_an_error_is_as_the_document_says():
    body = json.loads(http_answers.error_answer(404, "No such DAG.").body)
    jsonschema.Draft202012Validator(closed(openapi.ERROR)).validate(body)


if AIRFLOW_3:

    @pytest.fixture(scope="module")
    def document():
        """The document of an Airflow whose first page is ``/af/``."""
        from fastapi.testclient import TestClient

        from airflow_agari_provider.views import requests_airflow3, web_airflow3

        app = web_airflow3.create_app()
        app.dependency_overrides[requests_airflow3.current_user] = lambda: None
        return TestClient(app, root_path="/af/agari").get("/api/openapi.json").json()

    def test_the_document_says_where_the_api_is_and_how_to_log_in(document):
        assert document["servers"] == [{"url": "/af/agari"}]
        assert document["security"] == [{"token": []}, {"cookie": []}]
        logins = document["components"]["securitySchemes"]
        assert (logins["token"]["scheme"], logins["cookie"]["in"], logins["cookie"]["name"]) == (
            "bearer",
            "cookie",
            "_token",
        )

    @pytest.mark.parametrize(
        ("path", "parameters", "statuses", "schema"),
        [
            (
                "/api/dags/{dag_id}/tries",
                "dag_id runs before after since until task_id run_type run_state mapped compare",
                "200 304 401 403 404 422 503",
                openapi.TRIES,
            ),
            ("/api/dags/{dag_id}/days", "dag_id since until time_zone", "200 304 401 403 404 422 503", openapi.DAYS),
            ("/api/dags/{dag_id}/indexes", "dag_id run_id task_id", "200 304 401 403 404 422 503", openapi.INDEXES),
            ("/api/overview", "days", "200 304 401 403 422 503", openapi.OVERVIEW),
            ("/api/active", "", "200 304 401 403 422 503", openapi.ACTIVE),
            ("/api/overview/task_time", "days", "200 304 401 403 422 503", openapi.TASK_TIME),
            ("/api/alerts", "days month dag_id limit", "200 304 401 403 404 422 503", alerts_openapi.ALERTS),
            ("/api/silences", "", "200 304 401 403 404 422 503", alerts_openapi.SILENCES),
            (
                "/api/discrepancies",
                "days until problems dag_id",
                "200 304 401 403 404 422 503",
                discrepancies_openapi.CHECKS,
            ),
            (
                "/api/discrepancies/runs",
                "dag_id task_id days until problems",
                "200 304 401 403 404 422 503",
                discrepancies_openapi.RUNS,
            ),
        ],
        ids=[
            "tries",
            "days",
            "indexes",
            "overview",
            "active",
            "task time",
            "alerts",
            "silences",
            "checks",
            "runs of a check",
        ],
    )
    def test_the_document_describes_each_route(document, path, parameters, statuses, schema):
        overviews = {"/api/overview", "/api/overview/task_time", "/api/active"}
        of_a_dag = {f"/api/dags/{{dag_id}}/{name}" for name in ("tries", "days", "indexes")}
        checks = {"/api/discrepancies", "/api/discrepancies/runs"}
        silences = {"/api/silences", "/api/silences/{silence_id}/end"}
        assert set(document["paths"]) == {*of_a_dag, "/api/alerts", *overviews, *silences, *checks}
        described = document["paths"][path]["get"]
        assert sorted(one["name"] for one in described.get("parameters", ())) == sorted(parameters.split())
        assert sorted(described["responses"]) == statuses.split()
        contents = {status: one.get("content") for status, one in described["responses"].items()}
        assert contents.pop("200")["application/json"]["schema"] == schema
        assert contents.pop("304") is None
        assert all(content["application/json"]["schema"] == openapi.ERROR for content in contents.values())
