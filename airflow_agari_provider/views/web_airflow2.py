"""
The charts, the alerts and the discrepancies in Airflow 2's web server: a view of Flask-AppBuilder.

A view's routes are open to everybody by default. So every route here asks Airflow's auth manager, as Airflow's own
routes do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from airflow.auth.managers.models.resource_details import AccessView, DagAccessEntity, DagDetails
from airflow.utils.session import create_session
from airflow.www import auth
from airflow.www.extensions.init_auth_manager import get_auth_manager
from flask import Response, request
from flask_appbuilder import BaseView, expose
from flask_wtf.csrf import generate_csrf
from sqlalchemy.exc import DBAPIError

from airflow_agari_provider.exceptions import BadQuestion
from airflow_agari_provider.views import http_answers, parameters
from airflow_agari_provider.views.alerts_question import alerts_question
from airflow_agari_provider.views.alerts_source import AlertSource
from airflow_agari_provider.views.cached_charts import SharedCharts
from airflow_agari_provider.views.discrepancies_question import checks_question, runs_question
from airflow_agari_provider.views.discrepancies_source import CheckSource
from airflow_agari_provider.views.not_shown import NotShown
from airflow_agari_provider.views.queries.dag_facts import dag_exists
from airflow_agari_provider.views.queries.tables import STATEMENT_TIMEOUT, gave_up
from airflow_agari_provider.views.silences_api import Reader, SilenceDesk

CHARTS = SharedCharts(create_session)
ALERTS = AlertSource(create_session)
SILENCES = SilenceDesk()
CHECKS = CheckSource()
GZIP_FROM = 1024  # bytes
ENTITIES = (DagAccessEntity.RUN, DagAccessEntity.TASK_INSTANCE)

Route = Callable[..., http_answers.Answer]


def for_people_logged_in(route: Route) -> Callable[..., Response]:
    """Answer 401 or 403 as JSON. Airflow's own decorators would redirect to the login page instead."""

    @wraps(route)
    def guarded(*args: Any, **kwargs: Any) -> Response:
        manager = get_auth_manager()
        if not all(map(parameters.is_text, kwargs.values())):
            return response(http_answers.error_answer(404, http_answers.NO_SUCH_PATH))
        if not manager.is_logged_in():
            return response(http_answers.error_answer(401, "Not logged in: log in to Airflow, then try again."))
        if not manager.is_authorized_view(access_view=AccessView.WEBSITE):
            return response(http_answers.error_answer(403, "Your role may not see Airflow's web pages."))
        return response(answer_or_error(lambda: route(*args, **kwargs)))

    return guarded


def answer_or_error(route: Callable[[], http_answers.Answer]) -> http_answers.Answer:
    try:
        parameters.require_texts(request.args.items(multi=True))
        return route()
    except BadQuestion as error:
        return http_answers.error_answer(422, str(error))
    except NotShown as error:
        return http_answers.error_answer(error.status, str(error))
    except DBAPIError as error:
        if not gave_up(error):
            raise
        return http_answers.error_answer(503, http_answers.TOO_SLOW.format(seconds=STATEMENT_TIMEOUT))


def may_read(dag_id: str) -> bool:
    """Whether the user may read both the runs and the task instances of a DAG."""
    manager = get_auth_manager()
    return all(
        manager.is_authorized_dag(method="GET", access_entity=entity, details=DagDetails(id=dag_id))
        for entity in ENTITIES
    )


def readable_dags() -> set[str]:
    return {dag_id for dag_id in get_auth_manager().get_permitted_dag_ids(methods=["GET"]) if may_read(dag_id)}


class AgariView(BaseView):  # type: ignore[misc]
    """The same routes and answers as the app of Airflow 3."""

    route_base = "/agari"
    default_view = "charts"

    @expose("/charts")
    @auth.has_access_view()
    def charts(self) -> Response:
        return page("charts")

    @expose("/alerts")
    @auth.has_access_view()
    def alerts_page(self) -> Response:
        return page("alerts")

    @expose("/discrepancies")
    @auth.has_access_view()
    def discrepancies_page(self) -> Response:
        return page("discrepancies")

    @expose("/static/<path:name>")
    @for_people_logged_in
    def files(self, name: str) -> http_answers.Answer:
        return http_answers.file_answer(name, request.headers.get("If-None-Match"))

    @expose("/api/dags/<dag_id>/tries")
    @for_people_logged_in
    def tries(self, dag_id: str) -> http_answers.Answer:
        return of_one_dag(dag_id, CHARTS.dag_tries, parameters.tries_question)

    @expose("/api/dags/<dag_id>/days")
    @for_people_logged_in
    def days(self, dag_id: str) -> http_answers.Answer:
        return of_one_dag(dag_id, CHARTS.dag_days, parameters.days_question)

    @expose("/api/dags/<dag_id>/indexes")
    @for_people_logged_in
    def indexes(self, dag_id: str) -> http_answers.Answer:
        return of_one_dag(dag_id, CHARTS.task_indexes, parameters.indexes_question)

    @expose("/api/overview")
    @for_people_logged_in
    def overview(self) -> http_answers.Answer:
        return of_all_dags(CHARTS.all_dags)

    @expose("/api/overview/task_time")
    @for_people_logged_in
    def task_time(self) -> http_answers.Answer:
        return of_all_dags(CHARTS.all_task_time)

    @expose("/api/active")
    @for_people_logged_in
    def active(self) -> http_answers.Answer:
        return of_all_dags(CHARTS.under_way, parameters.no_question)

    @expose("/api/alerts")
    @for_people_logged_in
    def alerts(self) -> http_answers.Answer:
        return of_all_dags(ALERTS.alerts, alerts_question)

    @expose("/api/silences")
    @for_people_logged_in
    def silences(self) -> http_answers.Answer:
        found, now = SILENCES.listed(reader(), generate_csrf())
        return json_answer(http_answers.encoded(found), now)

    # Airflow itself refuses a POST without the token of the session, before it comes here
    @expose("/api/silences", methods=["POST"])
    @for_people_logged_in
    def silence(self) -> http_answers.Answer:
        return changed(lambda who: SILENCES.add(who, request.get_data()), status=201)

    @expose("/api/silences/<silence_id>/end", methods=["POST"])
    @for_people_logged_in
    def end_silence(self, silence_id: str) -> http_answers.Answer:
        return changed(lambda who: SILENCES.end(who, silence_id))

    @expose("/api/discrepancies")
    @for_people_logged_in
    def discrepancies(self) -> http_answers.Answer:
        return of_all_dags(CHECKS.checks, checks_question)

    @expose("/api/discrepancies/runs")
    @for_people_logged_in
    def check_runs(self) -> http_answers.Answer:
        return of_all_dags(CHECKS.runs, runs_question)


def reader() -> Reader:
    manager = get_auth_manager()
    with create_session():  # its end returns the connection to the pool
        readable, editable = readable_dags(), manager.get_permitted_dag_ids(methods=["PUT"])
        edits_all = manager.is_authorized_dag(method="PUT")
    return Reader(manager.get_user_name(), frozenset(readable), frozenset(editable), edits_all)


def changed(work: Callable[[Reader], tuple[dict[str, Any], float]], status: int = 200) -> http_answers.Answer:
    if refused := http_answers.refused_change(request.headers):
        return http_answers.error_answer(*refused)
    return http_answers.changed_answer(*work(reader()), status=status)


def page(name: str) -> Response:
    answer = http_answers.page_answer(2, request.script_root + "/", request.headers.get("If-None-Match"), name)
    return response(answer)


def of_one_dag(
    dag_id: str, answer: Callable[..., tuple[bytes, float]], parse: Callable[..., Any]
) -> http_answers.Answer:
    if not may_read(dag_id):
        sentence = f"You may not read the runs and task instances of {dag_id}; ask for that permission."
        return http_answers.error_answer(403, sentence)
    question = parse(request.args.items(multi=True))
    with create_session() as session:
        exists = dag_exists(session, dag_id)
    if not exists:
        return http_answers.error_answer(404, f"Airflow knows no DAG {dag_id}; it may have been renamed or deleted.")
    return json_answer(*answer(dag_id, question))


def of_all_dags(
    figures: Callable[..., tuple[dict[str, Any], float]],
    parse: Callable[..., Any] = parameters.overview_question,
) -> http_answers.Answer:
    question = parse(request.args.items(multi=True))
    with create_session():  # its end returns the connection to the pool
        permitted = readable_dags()
    found, now = figures(question, permitted)
    return json_answer(http_answers.encoded(found), now)


def json_answer(text: bytes, now: float) -> http_answers.Answer:
    return http_answers.json_answer(text, now, request.headers.get("If-None-Match"))


def response(answer: http_answers.Answer) -> Response:
    found = Response(answer.body, answer.status, dict(answer.headers), content_type=answer.content_type)
    found.headers["Vary"] = "Accept-Encoding"
    if answer.etag:
        found.headers["ETag"] = answer.etag
    if len(answer.body) >= GZIP_FROM and "gzip" in request.accept_encodings:
        import gzip

        found.set_data(gzip.compress(answer.body, compresslevel=http_answers.GZIP_LEVEL))
        found.headers["Content-Encoding"] = "gzip"
    return found


view = AgariView()
