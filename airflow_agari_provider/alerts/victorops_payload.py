"""An SLA miss as an alert of VictorOps (today Splunk On-Call)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_agari_provider.alerts.miss import SlaMiss
from airflow_agari_provider.exceptions import cut, one_of_text

MESSAGE_TYPES = ("CRITICAL", "WARNING", "INFO", "ACKNOWLEDGEMENT", "RECOVERY")
STATE_MESSAGE_CHARACTERS = 20_480  # VictorOps refuses more; source: Alertmanager's integration
FIELD_CHARACTERS = 2_000
BLOCKING_NAMED = 50
MONITORING_TOOL = "Airflow"


def message_type_of(miss: SlaMiss, of_a_miss: str) -> str:
    """
    Return the message type to send: a retry or a start is only a line in the timeline.

    :param of_a_miss: message type for a miss, and for a task that has failed.
    """
    if miss.is_open or miss.event == "failure":
        return "WARNING" if miss.downgraded and of_a_miss == "CRITICAL" else of_a_miss
    return "RECOVERY" if miss.event in ("recovery", "success") else "INFO"


def checked_message_type(message_type: str) -> str:
    """
    Return a message type in upper case, as VictorOps wants it.

    :raises ValueError: there is no such type. (The service itself takes an unknown type for CRITICAL.)
    """
    in_upper_case = message_type.upper()
    if in_upper_case not in MESSAGE_TYPES:
        raise ValueError(f"{one_of_text('message_type', MESSAGE_TYPES, message_type)}.")
    return in_upper_case


def victorops_alert(
    miss: SlaMiss, message_type: str, text: str | None = None, fields: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """
    Return the body of the request.

    :param text: state message in place of the published sentence.
    :param fields: further fields; they replace those made here.
    """
    facts = {
        "details": miss.details,
        "dag_id": miss.dag_id,
        "run_id": miss.run_id,
        "task_id": miss.task_id or "",
        "owner": miss.owner,
        "blocking_tasks": ", ".join(map(str, miss.blocking[:BLOCKING_NAMED])) if miss.is_open else "",
        "vo_annotate.u.Task": miss.task_url,
        "vo_annotate.u.Run": miss.run_url,
    }
    return {
        "message_type": message_type,
        "entity_id": miss.entity_id,
        "entity_display_name": cut(miss.display_name, FIELD_CHARACTERS),
        "state_message": cut(miss.text if text is None else text, STATE_MESSAGE_CHARACTERS),
        **({"state_start_time": int(miss.due.timestamp())} if miss.due and miss.is_open else {}),
        "monitoring_tool": MONITORING_TOOL,
        **{name: cut(value, FIELD_CHARACTERS) for name, value in facts.items() if value},
        **(fields or {}),
    }
