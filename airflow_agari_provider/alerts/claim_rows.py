"""The rows of the claims: their columns, and what they tell later readers about an alert."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_agari_provider.alerts.table_rows import AlertTable

TABLE = "agari_alert_claims"
# The columns that a claim itself needs, then those that tell later readers what the alert was about, and what became of
# it.
CLAIMS = AlertTable(
    TABLE,
    {
        "id": "text",
        "alert": "text",
        "owner": "text",
        "state": "text",
        "claimed_at": "double",
        "first_at": "double",
        "reference": "text",
        "run": "text",
        "task": "text",
        "destination": "text",
        "incident": "text",
        "due_at": "double",
        "payload": "text",
        "recovered_at": "double",
        "environment": "text",
        "dag_id": "text",
        "run_id": "text",
        "task_owner": "text",
        "service": "text",
        "sla": "text",
        "step": "double",
        "standing": "text",
        "sent_at": "double",
        "failed_at": "double",
        "silence": "text",
        "silenced_until": "double",
        "closed_at": "double",
        "closed_as": "text",
        "swept_at": "double",
    },
    (("run",), ("incident",), ("first_at",), ("due_at",), ("closed_at", "due_at")),
)


@dataclass(frozen=True)
class About:
    """
    What an alert is about: the columns of its row by which others find it.

    :param run: name of the run: environment, DAG and run id.
    :param task: task id; empty for the run itself.
    :param destination: where the alert goes.
    :param incident: identity of the incident that it opens, which misses may share.
    :param due_at: when the SLA was over; seconds since the epoch.
    :param payload: the SLA and the run, as :func:`~airflow_agari_provider.alerts.sla_payload.row_payload` writes them:
        with them a later process can send what follows, such as a recovery.
    :param task_owner: owner of the task in Airflow; of a run, all of its owners.
    :param service: name of the service that it goes to.
    :param sla: the SLA itself: seconds, or a time of day.
    :param step: seconds after the SLA at which it is sent.
    :param standing: how the task or run stood when it was claimed.
    """

    run: str = ""
    task: str = ""
    destination: str = ""
    incident: str = ""
    due_at: float | None = None
    payload: str = ""
    environment: str = ""
    dag_id: str = ""
    run_id: str = ""
    task_owner: str = ""
    service: str = ""
    sla: str = ""
    step: float | None = None
    standing: str = ""


UNKNOWN = About()
