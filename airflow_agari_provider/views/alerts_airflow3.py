"""The routes of the alerts, and of the silences, in Airflow 3's web server."""

from __future__ import annotations

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.utils.session import create_session
from fastapi import FastAPI, Request, Response

from airflow_agari_provider.views import alerts_openapi, http_answers, openapi, parameters
from airflow_agari_provider.views.alerts_question import ALERTS_PARAMETERS, alerts_question
from airflow_agari_provider.views.alerts_source import AlertSource
from airflow_agari_provider.views.requests_airflow3 import (
    Body,
    OneReader,
    ReadableDags,
    json_response,
    of_all_dags,
    page,
    response,
)
from airflow_agari_provider.views.silences_api import SilenceDesk

ALERTS = AlertSource(create_session)
SILENCES = SilenceDesk()
NO_SETTING = "The setting alerts_conn_id is missing."


def add_routes(app: FastAPI) -> None:
    """Add the page of the alerts and its API."""

    @app.get("/alerts", include_in_schema=False)
    async def alerts_page(request: Request) -> Response:
        return await page(request, "alerts")

    @app.get(
        "/api/alerts",
        responses=openapi.responses("The alerts.", alerts_openapi.ALERTS, _404=NO_SETTING),
        openapi_extra={"parameters": parameters.openapi(ALERTS_PARAMETERS)},
    )
    def alerts(dags: ReadableDags, session: SessionDep, request: Request) -> Response:
        """Missed SLAs: what is open, who was told, how often each SLA was met; of the DAGs that the user may read."""
        return of_all_dags(request, session, dags, ALERTS.alerts, alerts_question)

    @app.get("/api/silences", responses=openapi.responses("The silences.", alerts_openapi.SILENCES, _404=NO_SETTING))
    def silences(who: OneReader, request: Request) -> Response:
        """The silences that are not over, of the DAGs that the user may read; and what they may silence."""
        found, now = SILENCES.listed(who)
        return json_response(request, http_answers.encoded(found), now)

    @app.post(
        "/api/silences",
        status_code=201,
        **openapi.change("The silence.", alerts_openapi.A_SILENCE, alerts_openapi.NEW_SILENCE, 201, _404=NO_SETTING),
    )
    def silence(who: OneReader, body: Body) -> Response:
        """Tell nobody of the misses of some tasks for a while; needs the permission to edit the DAG."""
        return response(http_answers.changed_answer(*SILENCES.add(who, body), status=201))

    @app.post(
        "/api/silences/{silence_id}/end",
        **openapi.change("The silence that is over.", alerts_openapi.A_SILENCE, _404="There is no such silence."),
    )
    def end_silence(who: OneReader, body: Body, silence_id: str) -> Response:
        """End a silence before its time; needs the permission to edit the DAG."""
        return response(http_answers.changed_answer(*SILENCES.end(who, silence_id)))
