"""Facts in the context of a callback: a dict from one Airflow, an object with attributes from another."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

logger = logging.getLogger(__name__)


def moment(value: Any) -> datetime:
    """Read a time as Airflow gives it: a ``datetime``, or text in ISO 8601; without a zone it is in UTC."""
    found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def told(thing: Any, *names: str) -> Any:
    """
    Return the first of these facts that Airflow tells about a run or deadline; ``None`` if it tells none of them.

    A callback gets a dict from one Airflow, and an object with attributes from another.
    """
    for name in names:
        try:
            if fact := thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None):
                return fact
        except Exception:  # of a form that no Airflow had yet; an alert has what else is known
            logger.exception("Airflow's %r cannot be read", name)
    return None


def told_moment(thing: Any, *names: str) -> datetime | None:
    """Return the first of these times that Airflow tells about a run or deadline, and that can be read."""
    for name in names:
        if found := told(thing, name):
            try:
                return moment(found)
            except ValueError:
                logger.error("Airflow's %r is no time: %r", name, found)
    return None


def told_run(context: Any, dag_id: str = "") -> tuple[str, str]:
    """
    Return the DAG id and the run id of a callback's context; what it does not tell is an empty text.

    :param dag_id: DAG id, if it is known already.
    """
    ti, run = told(context, "ti"), told(context, "dag_run")
    dag = told(ti, "dag_id") or told(told(context, "dag"), "dag_id") or told(run, "dag_id") or dag_id
    run_id = told(ti, "run_id") or told(context, "run_id") or told(run, "dag_run_id", "run_id")
    return str(dag or ""), str(run_id or "")
