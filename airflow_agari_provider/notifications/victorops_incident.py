"""An incident in VictorOps for what a task found in a window."""

from __future__ import annotations

from typing import Any

from airflow_agari_provider.airflow_runs import task_name
from airflow_agari_provider.alerts.victorops_payload import FIELD_CHARACTERS, STATE_MESSAGE_CHARACTERS
from airflow_agari_provider.exceptions import cut
from airflow_agari_provider.hooks.victorops import VictorOpsHook
from airflow_agari_provider.notifications.sla_miss_notifier import environment_or_default


def tell_victorops(
    conn_id: str,
    ti: Any,
    *,
    found: bool,
    window: str,
    message: str,
    details: str = "",
    environment: str | None = None,
) -> None:
    """
    Open the incident of a task and a window; or close it, if an earlier try of the task may have opened it.

    If the first try finds nothing, nothing is sent. Another try, a cleared task, or another run over the same window
    finds the same incident. Blocks for about a minute while VictorOps is down.

    :param ti: task instance.
    :param found: whether there is something to page for.
    :param window: empty: the task has one incident for all windows, and the caller knows whether it is open.
    :param message: state message.
    :param environment: part of the incident's id; default: ``[agari] environment`` of Airflow's configuration.
    :raises AlertNotSent: VictorOps refused the alert, or did not accept it in time.
    :raises AirflowException: there is no such connection.
    """
    if not found and window and ti.try_number == 1:
        return
    entity = [environment_or_default(environment) or "default", ti.dag_id, *([window] if window else []), task_name(ti)]
    facts = {"details": details, "dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id}
    facts["vo_annotate.u.Log"] = getattr(ti, "log_url", None) or ""
    VictorOpsHook(conn_id).send(
        "CRITICAL" if found else "RECOVERY",
        "/".join(["airflow", *entity]),
        state_message=cut(message, STATE_MESSAGE_CHARACTERS),
        entity_display_name=cut(message, FIELD_CHARACTERS),
        **{name: cut(value, FIELD_CHARACTERS) for name, value in facts.items() if value},
    )
