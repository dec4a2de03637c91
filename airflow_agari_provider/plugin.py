"""
The plugin that Airflow loads in each of its processes, also in every worker: it must stay light.

So it only names the web parts. The web server alone imports them, when it first needs them.
"""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from typing import Any

from airflow_agari_provider.airflow_compat import AIRFLOW_3, NEWEST_TRIED, AirflowPlugin, airflow_version

logger = logging.getLogger(__name__)

# The commands whose logs people read when Airflow starts; a task's log would repeat the warning for each task.
SERVICES = frozenset({"api-server", "dag-processor", "scheduler", "standalone", "triggerer", "webserver"})
PAGE = "agari/charts"  # relative: Airflow's pages have a base address, which may be a path
ALERTS = "agari/alerts"
DISCREPANCIES = "agari/discrepancies"


class LazyApp:
    """An ASGI app that is imported at its first request. :param module: has ``create_app()``."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._app is None:
            self._app = import_module(self._module).create_app()
        await self._app(scope, receive, send)


class AgariPlugin(AirflowPlugin):
    """Registers what this package adds to Airflow: nothing with Flask on Airflow 3, only a Flask view on 2.11."""

    name = "agari"

    @classmethod
    def on_load(cls, *_: Any, **__: Any) -> None:
        """Warn when a service of Airflow starts, if this package was never tried with so new an Airflow."""
        if SERVICES.isdisjoint(sys.argv[1:2]) or _minor(airflow_version) <= _minor(NEWEST_TRIED):
            return
        logger.warning(
            "airflow-agari-provider was tried up to Airflow %s, and this is %s. Look for a newer version of it; until "
            "then, try an SLA alert (a short SLA in a test DAG) before you rely on them.",
            NEWEST_TRIED,
            airflow_version,
        )

    @property
    def deadline_references(self) -> list[Any]:
        """Airflow 3.2 and later reads this when it reads or writes a DAG with a deadline."""
        from airflow_agari_provider.airflow_deadlines import HistoryDeadline, TimeOfDayDeadline, VariableDeadline

        return [HistoryDeadline, TimeOfDayDeadline, VariableDeadline]

    if AIRFLOW_3:
        fastapi_apps = [
            {"app": LazyApp("airflow_agari_provider.views.app_airflow3"), "url_prefix": "/agari", "name": "agari"}
        ]
        external_views = [
            {
                "name": "Agari charts",
                "href": PAGE,
                "destination": "nav",
                "category": "browse",
                "url_route": "agari-charts",
            },
            {
                "name": "Agari alerts",
                "href": ALERTS,
                "destination": "nav",
                "category": "browse",
                "url_route": "agari-alerts",
            },
            {
                "name": "Agari discrepancies",
                "href": DISCREPANCIES,
                "destination": "nav",
                "category": "browse",
                "url_route": "agari-discrepancies",
            },
            {
                "name": "Tries",
                "href": f"{PAGE}?dag_id={{DAG_ID}}",
                "destination": "dag",
                "url_route": "agari-dag-tries",
            },
            {
                "name": "Tries",
                "href": f"{PAGE}?dag_id={{DAG_ID}}&task_id={{TASK_ID}}",
                "destination": "task",
                "url_route": "agari-task-tries",
            },
            {
                "name": "Alerts",
                "href": f"{ALERTS}?dag_id={{DAG_ID}}",
                "destination": "dag",
                "url_route": "agari-dag-alerts",
            },
            {
                "name": "Discrepancies",
                "href": f"{DISCREPANCIES}?dag_id={{DAG_ID}}",
                "destination": "dag",
                "url_route": "agari-dag-discrepancies",
            },
        ]
    else:
        appbuilder_menu_items = [
            {"name": "Agari alerts", "category": "Browse", "href": "AgariView.alerts_page"},
            {"name": "Agari discrepancies", "category": "Browse", "href": "AgariView.discrepancies_page"},
        ]

        @property
        def appbuilder_views(self) -> list[dict[str, Any]]:
            from airflow_agari_provider.views.web_airflow2 import view

            return [{"name": "Agari charts", "category": "Browse", "view": view}]


def _minor(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])
