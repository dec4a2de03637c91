"""Send SLA misses to VictorOps, today Splunk On-Call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_agari_provider.alerts.miss import SlaMiss
from airflow_agari_provider.alerts.sender import CannotLook
from airflow_agari_provider.alerts.victorops_payload import checked_message_type, message_type_of, victorops_alert
from airflow_agari_provider.notifications.sla_miss_notifier import SlaMissNotifier


class VictorOpsSlaMissNotifier(SlaMissNotifier):
    """
    Opens an incident for an SLA miss, and closes it when the late task has finished.

    Use it as ``sla_miss_callback`` of Airflow 2.11, in ``AsyncCallback`` of Airflow 3, as any ``on_*_callback``, and in
    ``set_slas(alerts=[...])``. As a callback of a task, it sends ``message_type`` for a failure, RECOVERY for a
    success, and INFO for a retry or a start. If it runs several times for one miss, the entity id makes it one
    incident.

    :param victorops_conn_id: connection of type ``victorops``.
    :param routing_key: replaces the connection's.
    :param message_type: message type of a miss: ``CRITICAL`` pages, ``WARNING`` may page, ``INFO`` does not.
    :param fields: further fields of the alert; values are templates.
    """

    name = "VictorOps"
    safe_to_repeat = True  # the entity id makes a repeat the same incident
    needs = ("airflow_agari_provider.hooks.victorops", "requests")
    template_fields: Sequence[str] = ("text", "routing_key", "fields")

    def __init__(
        self,
        *,
        victorops_conn_id: str = "victorops_default",
        routing_key: str | None = None,
        message_type: str = "CRITICAL",
        fields: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.victorops_conn_id = victorops_conn_id
        self.routing_key = routing_key
        self.message_type = checked_message_type(message_type)
        if taken := sorted({"message_type", "entity_id"} & set(fields or {})):
            raise ValueError(f"fields cannot have {', '.join(taken)}: no recovery would close the incident.")
        self.fields = fields

    @property
    def destination(self) -> str:
        return f"VictorOps {self.victorops_conn_id} {self.routing_key or ''}"

    def send(self, miss: SlaMiss, key: str, in_doubt: bool) -> str:
        """Make one request; see :class:`~airflow_agari_provider.alerts.sender.AlertSender`."""
        from airflow_agari_provider.hooks.victorops import VictorOpsHook

        own: Any = self.rendered(miss)
        body = victorops_alert(miss, message_type_of(miss, self.message_type), own.text, own.fields)
        return VictorOpsHook(self.victorops_conn_id, routing_key=own.routing_key, retry_for=0).post(body)

    def find(self, key: str, since: float, follows: str = "") -> str | None:
        """Never look, so that a doubtful alert is sent again: the entity id makes it the same incident."""
        raise CannotLook("VictorOps is not asked, because a repeated alert is the same incident")

    def follow_up(self, miss: SlaMiss, key: str, reference: str) -> str:
        """Close the incident: the miss has the entity id that opened it."""
        return self.send(miss, key, in_doubt=False)
