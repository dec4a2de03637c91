"""
What the routes in Airflow 3's web server share: who asks, what they may read and change, and how an answer is sent.

Airflow authenticates nothing below a plugin's mount. So every route does it: it depends on ``User``, or on ``OneDag``,
``ReadableDags`` or ``OneReader``, which depend on ``User``. A page redirects to the login instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import resolve_user_from_token
from airflow.models.dag import DagModel
from fastapi import Depends, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from airflow_agari_provider.airflow_compat import conf
from airflow_agari_provider.views import http_answers
from airflow_agari_provider.views.queries.dag_facts import dag_exists
from airflow_agari_provider.views.silences_api import Reader

Arguments = Iterable[tuple[str, str]]
Question = TypeVar("Question")

PREFIX = "/agari"
ENTITIES = (DagAccessEntity.RUN, DagAccessEntity.TASK_INSTANCE)


async def current_user(request: Request) -> BaseUser:
    """Return the user of the request's token. :raises HTTPException: 401 without a token, 403 with a bad token."""
    header = request.headers.get("authorization", "")
    token = header[7:].strip() if header[:7].lower() == "bearer " else request.cookies.get(COOKIE_NAME_JWT_TOKEN)
    return await resolve_user_from_token(token)


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


async def page(request: Request, name: str) -> Response:
    """Answer with a page; without a login, with a redirection to Airflow's login page, which leads back."""
    try:
        await current_user(request)
    except HTTPException:
        return RedirectResponse(get_auth_manager().get_url_login(next_url=str(request.url)), status_code=307)
    root = request.scope.get("root_path", "").removesuffix(PREFIX) + "/"
    return response(http_answers.page_answer(3, root, request.headers.get("if-none-match"), name))


def of_one_dag(
    request: Request,
    session: Session,
    dag_id: str,
    work: Callable[[str, Question], tuple[bytes, float]],
    parse: Callable[[Arguments], Question],
) -> Response:
    """Answer a question about a DAG that the user may read. :param work: gives the JSON, and its time."""
    question = parse(request.query_params.multi_items())
    session.close()  # returns the connection to the pool
    return json_response(request, *work(dag_id, question))


def of_all_dags(
    request: Request,
    session: Session,
    dags: set[str],
    work: Callable[[Question, set[str]], tuple[Any, float]],
    parse: Callable[[Arguments], Question],
) -> Response:
    """Answer a question about the DAGs that the user may read. :param work: gives the answer, and its time."""
    question = parse(request.query_params.multi_items())
    session.close()  # returns the connection to the pool
    found, now = work(question, dags)
    return json_response(request, http_answers.encoded(found), now)


def json_response(request: Request, text: bytes, now: float) -> Response:
    return response(http_answers.json_answer(text, now, request.headers.get("if-none-match")))


def response(answer: http_answers.Answer) -> Response:
    headers = {**answer.headers, **({"ETag": answer.etag} if answer.etag else {})}
    return Response(answer.body, answer.status, headers, answer.content_type)
