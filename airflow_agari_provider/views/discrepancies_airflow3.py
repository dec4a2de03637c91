"""The routes of the discrepancies in Airflow 3's web server."""

from __future__ import annotations

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import FastAPI, Request, Response

from airflow_agari_provider.views import discrepancies_openapi, openapi, parameters
from airflow_agari_provider.views.discrepancies_question import (
    CHECKS_PARAMETERS,
    RUNS_PARAMETERS,
    checks_question,
    runs_question,
)
from airflow_agari_provider.views.discrepancies_source import CheckSource
from airflow_agari_provider.views.requests_airflow3 import ReadableDags, of_all_dags, page

CHECKS = CheckSource()
NO_SETTING = "The setting discrepancy_conn_id is missing."


def add_routes(app: FastAPI) -> None:
    """Add the page of the discrepancies and its API."""

    @app.get("/discrepancies", include_in_schema=False)
    async def discrepancies_page(request: Request) -> Response:
        return await page(request, "discrepancies")

    @app.get(
        "/api/discrepancies",
        responses=openapi.responses("The checks.", discrepancies_openapi.CHECKS, _404=NO_SETTING),
        openapi_extra={"parameters": parameters.openapi(CHECKS_PARAMETERS)},
    )
    def discrepancies(dags: ReadableDags, session: SessionDep, request: Request) -> Response:
        """How each discrepancy check stands, for every DAG that the user may read."""
        return of_all_dags(request, session, dags, CHECKS.checks, checks_question)

    @app.get(
        "/api/discrepancies/runs",
        responses=openapi.responses(
            "The runs of one check.", discrepancies_openapi.RUNS, _404=f"No such check. Or: {NO_SETTING}"
        ),
        openapi_extra={"parameters": parameters.openapi(RUNS_PARAMETERS)},
    )
    def check_runs(dags: ReadableDags, session: SessionDep, request: Request) -> Response:
        """The stored runs of one discrepancy check: totals of each stage, first bad stage, worst keys, usual volume."""
        return of_all_dags(request, session, dags, CHECKS.runs, runs_question)
