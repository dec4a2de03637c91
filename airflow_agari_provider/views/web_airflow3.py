"""
The charts, the alerts and the discrepancies in Airflow 3's web server: a FastAPI app that Airflow mounts.

Each page has its routes in a module of its own; ``requests_airflow3`` says how they authenticate.
"""

from __future__ import annotations

from typing import Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.middleware.gzip import GZipMiddleware
from sqlalchemy.exc import DBAPIError

from airflow_agari_provider import __version__
from airflow_agari_provider.exceptions import BadQuestion
from airflow_agari_provider.views import (
    alerts_airflow3,
    charts_airflow3,
    discrepancies_airflow3,
    http_answers,
    openapi,
    parameters,
)
from airflow_agari_provider.views.not_shown import NotShown
from airflow_agari_provider.views.queries.tables import STATEMENT_TIMEOUT, gave_up, require_known_columns
from airflow_agari_provider.views.requests_airflow3 import User, response


def require_texts(request: Request) -> None:
    """Check every parameter of a request before anything uses it. :raises HTTPException: 404 for a bad path."""
    if not all(map(parameters.is_text, request.path_params.values())):
        raise HTTPException(404, http_answers.NO_SUCH_PATH)
    parameters.require_texts(request.query_params.multi_items())


class AnswersHead:
    """Answers HEAD as GET, without the body."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def without_body(message: Any) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self.app({**scope, "method": "GET"}, receive, without_body)


def create_app() -> FastAPI:
    """
    Make the app below ``/agari``. Its OpenAPI document requires a login too.

    :raises UnreadableMetadata: the charts do not know the tables of this Airflow.
    """
    require_known_columns()
    app = FastAPI(
        title="Agari charts, alerts and discrepancies",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(require_texts)],
    )
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=http_answers.GZIP_LEVEL)
    app.add_middleware(AnswersHead)

    answer_errors(app)
    charts_airflow3.add_routes(app)
    alerts_airflow3.add_routes(app)
    discrepancies_airflow3.add_routes(app)

    @app.get("/static/{name:path}", include_in_schema=False)
    def static(name: str, user: User, request: Request) -> Response:
        return response(http_answers.file_answer(name, request.headers.get("if-none-match")))

    @app.get("/api/openapi.json", include_in_schema=False)
    def api_document(user: User, request: Request) -> dict[str, Any]:
        return openapi.document(app.openapi(), request.scope.get("root_path", ""))

    return app


def answer_errors(app: FastAPI) -> None:
    """Answer errors as JSON that says what is wrong and what to do."""

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        return response(http_answers.error_answer(error.status_code, str(error.detail)))

    @app.exception_handler(BadQuestion)
    async def bad_question(request: Request, error: BadQuestion) -> Response:
        return response(http_answers.error_answer(422, str(error)))

    @app.exception_handler(NotShown)
    async def not_shown(request: Request, error: NotShown) -> Response:
        return response(http_answers.error_answer(error.status, str(error)))

    @app.exception_handler(DBAPIError)
    async def database_error(request: Request, error: DBAPIError) -> Response:
        if not gave_up(error):
            raise error
        return response(http_answers.error_answer(503, http_answers.TOO_SLOW.format(seconds=STATEMENT_TIMEOUT)))
