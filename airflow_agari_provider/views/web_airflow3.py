"""
The charts and the alerts in Airflow 3's web server: a FastAPI app that Airflow mounts.

Airflow authenticates nothing below a plugin's mount. So every route here does it: it depends on ``User``, or on
``OneDag`` or ``ReadableDags``, which depend on ``User``. The page itself redirects to the login instead.
"""

from __future__ import annotations

from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import resolve_user_from_token
from airflow.models.dag import DagModel
from airflow.utils.session import create_session
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import RedirectResponse
from sqlalchemy.exc import DBAPIError

from airflow_agari_provider import __version__
from airflow_agari_provider.airflow_compat import conf
from airflow_agari_provider.exceptions import BadQuestion
from airflow_agari_provider.views import alerts_openapi, http_answers, openapi, parameters
from airflow_agari_provider.views.alerts_question import ALERTS_PARAMETERS, alerts_question
from airflow_agari_provider.views.alerts_source import AlertsNotShown, AlertSource
from airflow_agari_provider.views.cached_charts import SharedCharts
from airflow_agari_provider.views.queries.dag_facts import dag_exists
from airflow_agari_provider.views.queries.tables import STATEMENT_TIMEOUT, gave_up, require_known_columns
from airflow_agari_provider.views.silences_api import Reader, SilenceDesk

CHARTS = SharedCharts(create_session)
ALERTS = AlertSource(create_session)
SILENCES = SilenceDesk()
PREFIX = "/agari"
NO_SETTING = "The setting alerts_conn_id is missing."
ENTITIES = (DagAccessEntity.RUN, DagAccessEntity.TASK_INSTANCE)


async def current_user(request: Request) -> BaseUser:
    """Return the user of the request's token. :raises HTTPException: 401 without a token, 403 with a bad token."""
    header = request.headers.get("authorization", "")
    token = header[7:].strip() if header[:7].lower() == "bearer " else request.cookies.get(COOKIE_NAME_JWT_TOKEN)
    return await resolve_user_from_token(token)


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


User = Annotated[BaseUser, Depends(current_user)]


def may_read(user: BaseUser, dag_id: str, team_name: str | None) -> bool:
    """Whether the user may read both the runs and the task instances of a DAG."""
    details = DagDetails(id=dag_id, team_name=team_name)
    manager = get_auth_manager()
    return all(
        manager.is_authorized_dag(method="GET", access_entity=entity, details=details, user=user) for entity in ENTITIES
    )


def require_dag(dag_id: str, user: User, session: SessionDep) -> str:
    """
    Check that the DAG exists and that the user may read it.

    :raises HTTPException: 403; or 404 for a user who could read the DAG if it existed.
    """
    if not may_read(user, dag_id, DagModel.get_team_name(dag_id, session=session)):
        raise HTTPException(403, f"You may not read the runs and task instances of {dag_id}; ask for that permission.")
    if not dag_exists(session, dag_id):
        raise HTTPException(404, f"Airflow knows no DAG {dag_id}; it may have been renamed or deleted.")
    return dag_id


OneDag = Annotated[str, Depends(require_dag)]


def readable_dags(user: User, session: SessionDep) -> set[str]:
    listed = sorted(get_auth_manager().get_authorized_dag_ids(user=user, method="GET", session=session))
    if hasattr(DagModel, "get_dag_id_to_team_name_mapping"):
        teams = DagModel.get_dag_id_to_team_name_mapping(listed, session=session)
    else:  # before 3.2
        teams = {dag_id: DagModel.get_team_name(dag_id, session=session) for dag_id in listed}
    return {dag_id for dag_id in listed if may_read(user, dag_id, teams.get(dag_id))}


ReadableDags = Annotated[set[str], Depends(readable_dags)]


def reader(user: User, dags: ReadableDags, session: SessionDep) -> Reader:
    manager = get_auth_manager()
    editable = manager.get_authorized_dag_ids(user=user, method="PUT", session=session)
    # In an Airflow of several teams nobody is asked about the DAGs of all of them
    one_team = not conf.getboolean("core", "multi_team", fallback=False)
    edits_all = one_team and manager.is_authorized_dag(method="PUT", user=user)
    session.close()  # returns the connection to the pool
    return Reader(user.get_name(), frozenset(dags), frozenset(editable), edits_all)


async def told_body(request: Request) -> bytes:
    """Return what a request has to say. :raises HTTPException: it must not change anything."""
    if refused := http_answers.refused_change(request.headers):
        raise HTTPException(*refused)
    return await request.body()


OneReader = Annotated[Reader, Depends(reader)]
Body = Annotated[bytes, Depends(told_body)]


def create_app() -> FastAPI:
    """
    Make the app below ``/agari``. Its OpenAPI document requires a login too.

    :raises UnreadableMetadata: the charts do not know the tables of this Airflow.
    """
    require_known_columns()
    app = FastAPI(
        title="Agari charts and alerts",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(require_texts)],
    )
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=http_answers.GZIP_LEVEL)
    app.add_middleware(AnswersHead)

    answer_errors(app)

    @app.get("/charts", include_in_schema=False)
    async def charts_page(request: Request) -> Response:
        return await page(request, "charts")

    @app.get("/alerts", include_in_schema=False)
    async def alerts_page(request: Request) -> Response:
        return await page(request, "alerts")

    @app.get("/static/{name:path}", include_in_schema=False)
    def static(name: str, user: User, request: Request) -> Response:
        return response(http_answers.file_answer(name, request.headers.get("if-none-match")))

    @app.get("/api/openapi.json", include_in_schema=False)
    def api_document(user: User, request: Request) -> dict[str, Any]:
        return openapi.document(app.openapi(), request.scope.get("root_path", ""))

    @app.get(
        "/api/dags/{dag_id}/tries",
        responses=openapi.responses("The tries of one DAG.", openapi.TRIES, _404="No such DAG."),
        openapi_extra={"parameters": parameters.openapi(parameters.TRIES_PARAMETERS)},
    )
    def tries(dag_id: OneDag, session: SessionDep, request: Request) -> Response:
        """Every try of a DAG's tasks in its newest runs, with figures and change points."""
        question = parameters.tries_question(request.query_params.multi_items())
        session.close()  # returns the connection to the pool
        return json_response(request, *CHARTS.dag_tries(dag_id, question))

    @app.get(
        "/api/dags/{dag_id}/days",
        responses=openapi.responses("The days of one DAG.", openapi.DAYS, _404="No such DAG."),
        openapi_extra={"parameters": parameters.openapi(parameters.DAYS_PARAMETERS)},
    )
    def days(dag_id: OneDag, session: SessionDep, request: Request) -> Response:
        """Runs by state, failed tries and the time they cost, for each day of a time zone."""
        question = parameters.days_question(request.query_params.multi_items())
        session.close()  # returns the connection to the pool
        return json_response(request, *CHARTS.dag_days(dag_id, question))

    @app.get(
        "/api/dags/{dag_id}/indexes",
        responses=openapi.responses("The indexes of a mapped task.", openapi.INDEXES, _404="No such DAG."),
        openapi_extra={"parameters": parameters.openapi(parameters.INDEXES_PARAMETERS)},
    )
    def indexes(dag_id: OneDag, session: SessionDep, request: Request) -> Response:
        """How long each index of a mapped task took in one run, and which failed or were retried."""
        question = parameters.indexes_question(request.query_params.multi_items())
        session.close()  # returns the connection to the pool
        return json_response(request, *CHARTS.task_indexes(dag_id, question))

    @app.get(
        "/api/overview",
        responses=openapi.responses("All DAGs at a glance.", openapi.OVERVIEW),
        openapi_extra={"parameters": parameters.openapi(parameters.OVERVIEW_PARAMETERS)},
    )
    def overview(dags: ReadableDags, session: SessionDep, request: Request) -> Response:
        """Runs by state, failed tries and the time they cost, for every DAG that the user may read."""
        question = parameters.overview_question(request.query_params.multi_items())
        session.close()  # returns the connection to the pool
        found, now = CHARTS.all_dags(question, dags)
        return json_response(request, http_answers.encoded(found), now)

    @app.get(
        "/api/overview/task_time",
        responses=openapi.responses("The part of the overview that takes longer.", openapi.TASK_TIME),
        openapi_extra={"parameters": parameters.openapi(parameters.OVERVIEW_PARAMETERS)},
    )
    def task_time(dags: ReadableDags, session: SessionDep, request: Request) -> Response:
        """Task instances, retried ones and the time of all tries, for every DAG the user may read; takes longer."""
        question = parameters.overview_question(request.query_params.multi_items())
        session.close()  # returns the connection to the pool
        found, now = CHARTS.all_task_time(question, dags)
        return json_response(request, http_answers.encoded(found), now)

    @app.get(
        "/api/active",
        responses=openapi.responses("What is under way now.", openapi.ACTIVE),
    )
    def active(dags: ReadableDags, session: SessionDep, request: Request) -> Response:
        """What is queued, runs, is deferred or waits for a retry now, and whether that is longer than usual."""
        question = parameters.no_question(request.query_params.multi_items())
        session.close()  # returns the connection to the pool
        found, now = CHARTS.under_way(question, dags)
        return json_response(request, http_answers.encoded(found), now)

    @app.get(
        "/api/alerts",
        responses=openapi.responses("The alerts.", alerts_openapi.ALERTS, _404=NO_SETTING),
        openapi_extra={"parameters": parameters.openapi(ALERTS_PARAMETERS)},
    )
    def alerts(dags: ReadableDags, session: SessionDep, request: Request) -> Response:
        """Missed SLAs: what is open, who was told, how often each SLA was met; of the DAGs that the user may read."""
        question = alerts_question(request.query_params.multi_items())
        session.close()  # returns the connection to the pool
        found, now = ALERTS.alerts(question, dags)
        return json_response(request, http_answers.encoded(found), now)

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

    return app


def answer_errors(app: FastAPI) -> None:
    """Answer errors as JSON that says what is wrong and what to do."""

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        return response(http_answers.error_answer(error.status_code, str(error.detail)))

    @app.exception_handler(BadQuestion)
    async def bad_question(request: Request, error: BadQuestion) -> Response:
        return response(http_answers.error_answer(422, str(error)))

    @app.exception_handler(AlertsNotShown)
    async def not_shown(request: Request, error: AlertsNotShown) -> Response:
        return response(http_answers.error_answer(error.status, str(error)))

    @app.exception_handler(DBAPIError)
    async def database_error(request: Request, error: DBAPIError) -> Response:
        if not gave_up(error):
            raise error
        return response(http_answers.error_answer(503, http_answers.TOO_SLOW.format(seconds=STATEMENT_TIMEOUT)))


async def page(request: Request, name: str) -> Response:
    """Answer with a page; without a login, with a redirection to Airflow's login page, which leads back."""
    try:
        await current_user(request)
    except HTTPException:
        return RedirectResponse(get_auth_manager().get_url_login(next_url=str(request.url)), status_code=307)
    root = request.scope.get("root_path", "").removesuffix(PREFIX) + "/"
    return response(http_answers.page_answer(3, root, request.headers.get("if-none-match"), name))


def json_response(request: Request, text: bytes, now: float) -> Response:
    return response(http_answers.json_answer(text, now, request.headers.get("if-none-match")))


def response(answer: http_answers.Answer) -> Response:
    headers = {**answer.headers, **({"ETag": answer.etag} if answer.etag else {})}
    return Response(answer.body, answer.status, headers, answer.content_type)
