"""
The app that the plugin mounts in Airflow 3: the charts, or an explanation where they cannot read a coming Airflow.

The explanation names no version and no table, because its reader may not have logged in: what would check the login may
be what has changed. The web server's log has the cause.
"""

from __future__ import annotations

import html
import logging
from typing import Any

from airflow_agari_provider.exceptions import AgariError

logger = logging.getLogger(__name__)

NOT_IMPLEMENTED = 501
CANNOT_READ = (
    "These charts cannot read this version of Airflow: its metadata database or its web server is not as the installed "
    "airflow-agari-provider knows them. DAGs, operators and alerts work without the charts. Ask an administrator to "
    "update the provider (pip install --upgrade airflow-agari-provider). Its page docs/versions.md names the versions "
    "that were tried; the web server's log says what is missing."
)
PAGE = "<!doctype html><html lang=en><meta charset=utf-8><title>Agari charts</title><p>{text}</p></html>"


def create_app() -> Any:
    try:
        from airflow_agari_provider.views.web_airflow3 import create_app as create_charts

        return create_charts()
    except (ImportError, AttributeError, LookupError, AgariError):  # a name, a table or a column is gone
        logger.exception(
            "The charts answer with status %s and an explanation: they cannot read this Airflow", NOT_IMPLEMENTED
        )
        return _say_so


async def _say_so(scope: Any, receive: Any, send: Any) -> None:
    """Answer each request to the charts with the explanation: a page for a browser, JSON for the API."""
    from starlette.responses import HTMLResponse, Response

    from airflow_agari_provider.views import http_answers

    if "/api/" in scope.get("path", ""):
        answer = http_answers.error_answer(NOT_IMPLEMENTED, CANNOT_READ)
        response = Response(answer.body, answer.status, dict(answer.headers), answer.content_type)
    else:
        page = PAGE.format(text=html.escape(CANNOT_READ))
        response = HTMLResponse(page, NOT_IMPLEMENTED, http_answers.SECURITY_HEADERS)
    await response(scope, receive, send)
