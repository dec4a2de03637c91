from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_agari_provider.alerts.miss import SlaMiss
from airflow_agari_provider.alerts.sender import CannotLook
from airflow_agari_provider.notifications.victorops_sla_miss import VictorOpsSlaMissNotifier
from tests.notifications.callback_contexts import RUN_ID, context_of_task

MISS = SlaMiss("telemetry", RUN_ID, "load", "2016-02-26T18:00:00", environment="EP_STAGE")


@pytest.fixture
def notifier():
    return VictorOpsSlaMissNotifier(victorops_conn_id="victorops", message_type="warning")


def test_a_recovery_closes_the_incident_that_the_miss_opened(notifier, alerts):
    reference = notifier.send(MISS, "key", in_doubt=False)
    notifier.follow_up(replace(MISS, event="recovery"), "recovery|key", reference)
    entity = f"airflow/EP_STAGE/telemetry/{RUN_ID}/load"
    assert reference == entity
    assert [(alert["message_type"], alert["entity_id"]) for alert in alerts.victorops()] == [
        ("WARNING", entity),
        ("RECOVERY", entity),
    ]


def test_an_alert_in_doubt_is_never_looked_up_but_sent_again(notifier, alerts):
    with pytest.raises(CannotLook):
        notifier.find("key", 1000.0)
    assert alerts.received == []


def test_fields_that_would_break_the_incident_are_an_error_where_they_are_written():
    with pytest.raises(ValueError, match="fields cannot have message_type: no recovery would close the incident"):
        VictorOpsSlaMissNotifier(fields={"message_type": "CRITICAL"})


def test_the_text_is_a_template(alerts, web):
    notifier = VictorOpsSlaMissNotifier(
        victorops_conn_id="victorops",
        text="{{ sla_miss.dag_id }} needs {{ sla_miss.owner }}",
        fields={"link": "{{ sla_miss.run_id }}"},
    )
    for _ in range(2):
        notifier(context_of_task("failed"))
    assert [alert["state_message"] for alert in alerts.victorops()] == ["telemetry needs ada"] * 2
    assert alerts.victorops()[0]["link"] == RUN_ID
