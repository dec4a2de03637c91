"""The routes of the charts in Airflow 3's web server."""

from __future__ import annotations

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.utils.session import create_session
from fastapi import FastAPI, Request, Response

from airflow_agari_provider.views import openapi, parameters
from airflow_agari_provider.views.cached_charts import SharedCharts
from airflow_agari_provider.views.requests_airflow3 import OneDag, ReadableDags, of_all_dags, of_one_dag, page

CHARTS = SharedCharts(create_session)


def add_routes(app: FastAPI) -> None:
    """Add the page of the charts and its API."""

    @app.get("/charts", include_in_schema=False)
    async def charts_page(request: Request) -> Response:
        return await page(request, "charts")

    @app.get(
        "/api/dags/{dag_id}/tries",
        responses=openapi.responses("The tries of one DAG.", openapi.TRIES, _404="No such DAG."),
        openapi_extra={"parameters": parameters.openapi(parameters.TRIES_PARAMETERS)},
    )
    def tries(dag_id: OneDag, session: SessionDep, request: Request) -> Response:
        """Every try of a DAG's tasks in its newest runs, with figures and change points."""
        return of_one_dag(request, session, dag_id, CHARTS.dag_tries, parameters.tries_question)

    @app.get(
        "/api/dags/{dag_id}/days",
        responses=openapi.responses("The days of one DAG.", openapi.DAYS, _404="No such DAG."),
        openapi_extra={"parameters": parameters.openapi(parameters.DAYS_PARAMETERS)},
    )
    def days(dag_id: OneDag, session: SessionDep, request: Request) -> Response:
        """Runs by state, failed tries and the time they cost, for each day of a time zone."""
        return of_one_dag(request, session, dag_id, CHARTS.dag_days, parameters.days_question)

    @app.get(
        "/api/dags/{dag_id}/indexes",
        responses=openapi.responses("The indexes of a mapped task.", openapi.INDEXES, _404="No such DAG."),
        openapi_extra={"parameters": parameters.openapi(parameters.INDEXES_PARAMETERS)},
    )
    def indexes(dag_id: OneDag, session: SessionDep, request: Request) -> Response:
        """How long each index of a mapped task took in one run, and which failed or were retried."""
        return of_one_dag(request, session, dag_id, CHARTS.task_indexes, parameters.indexes_question)

    @app.get(
        "/api/overview",
        responses=openapi.responses("All DAGs at a glance.", openapi.OVERVIEW),
        openapi_extra={"parameters": parameters.openapi(parameters.OVERVIEW_PARAMETERS)},
    )
    def overview(dags: ReadableDags, session: SessionDep, request: Request) -> Response:
        """Runs by state, failed tries and the time they cost, for every DAG that the user may read."""
        return of_all_dags(request, session, dags, CHARTS.all_dags, parameters.overview_question)

    @app.get(
        "/api/overview/task_time",
        responses=openapi.responses("The part of the overview that takes longer.", openapi.TASK_TIME),
        openapi_extra={"parameters": parameters.openapi(parameters.OVERVIEW_PARAMETERS)},
    )
    def task_time(dags: ReadableDags, session: SessionDep, request: Request) -> Response:
        """Task instances, retried ones and the time of all tries, for every DAG the user may read; takes longer."""
        return of_all_dags(request, session, dags, CHARTS.all_task_time, parameters.overview_question)

    @app.get(
        "/api/active",
        responses=openapi.responses("What is under way now.", openapi.ACTIVE),
    )
    def active(dags: ReadableDags, session: SessionDep, request: Request) -> Response:
        """What is queued, runs, is deferred or waits for a retry now, and whether that is longer than usual."""
        return of_all_dags(request, session, dags, CHARTS.under_way, parameters.no_question)
