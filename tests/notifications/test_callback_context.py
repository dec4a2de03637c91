"""The notifiers in each of the callbacks that Airflow has."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from airflow_agari_provider import airflow_runs
from airflow_agari_provider.airflow_compat import AIRFLOW_3
from airflow_agari_provider.notifications import sla_miss_notifier
from airflow_agari_provider.notifications.slack_sla_miss import SlackSlaMissNotifier
from airflow_agari_provider.notifications.victorops_sla_miss import VictorOpsSlaMissNotifier
from tests.notifications.callback_contexts import RUN_ID, context_of_task


@pytest.mark.parametrize(
    ("state", "text", "message_type"),
    [
        ("failed", "EP_STAGE - telemetry Failure of task load on 2016-02-26T18:00:00", "CRITICAL"),
        ("up_for_retry", "EP_STAGE - telemetry Retry of task load on 2016-02-26T18:00:00", "INFO"),
        ("success", "EP_STAGE - telemetry Success of task load on 2016-02-26T18:00:00", "RECOVERY"),
        ("running", "EP_STAGE - telemetry Start of task load on 2016-02-26T18:00:00", "INFO"),
    ],
)
def test_as_a_callback_of_a_task(state, text, message_type, alerts, web):
    VictorOpsSlaMissNotifier(victorops_conn_id="victorops")(context_of_task(state))
    SlackSlaMissNotifier(slack_conn_id="slack_hook")(context_of_task(state))
    (alert,), (message,) = alerts.victorops(), alerts.slack()
    assert (alert["message_type"], alert["state_message"], message["text"]) == (message_type, text, text)
    assert alert["entity_id"] == f"airflow/EP_STAGE/telemetry/{RUN_ID}/load"


def test_links_lead_to_the_index_and_the_try(alerts, web):
    VictorOpsSlaMissNotifier(victorops_conn_id="victorops")(context_of_task("failed"))
    (alert,) = alerts.victorops()
    dag, run = "https://airflow.example.com/dags/telemetry", "scheduled__2016-02-26T18%3A00%3A00%2B00%3A00"
    assert alert["vo_annotate.u.Task"] in (
        f"{dag}/runs/{run}/tasks/load/mapped/3?try_number=2",
        f"{dag}/grid?dag_run_id={run}&task_id=load&tab=logs&map_index=3",
    )


@pytest.mark.parametrize("address", ["http://localhost:8080", "http://0.0.0.0:8080", "http://[::]:8080", "", "/"])
def test_without_an_address_there_are_no_links_and_one_warning(address, alerts, monkeypatch, caplog):
    monkeypatch.setattr(airflow_runs, "_warned_of", set())
    for section in ("API", "WEBSERVER"):
        monkeypatch.setenv(f"AIRFLOW__{section}__BASE_URL", address)
    notifier = VictorOpsSlaMissNotifier(victorops_conn_id="victorops")
    notifier(context_of_task("failed"))
    notifier(context_of_task("failed"))
    assert not [name for alert in alerts.victorops() for name in alert if name.startswith("vo_annotate")]
    warnings = [record.getMessage() for record in caplog.records if "without links" in record.getMessage()]
    assert len(warnings) == 1
    assert "base_url" in warnings[0]


@pytest.mark.parametrize(("reason", "message_type"), [("success", "RECOVERY"), ("task_failure", "CRITICAL")])
def test_as_a_callback_of_a_dag(reason, message_type, alerts, web):
    VictorOpsSlaMissNotifier(victorops_conn_id="victorops")(context_of_task("success", reason=reason))
    (alert,) = alerts.victorops()
    assert alert["message_type"] == message_type
    assert alert["entity_id"] == f"airflow/EP_STAGE/telemetry/{RUN_ID}/run"


def test_a_dag_s_callback_may_know_no_more_than_the_run_s_id(alerts, web):
    dag = context_of_task("success")["dag"]
    VictorOpsSlaMissNotifier(victorops_conn_id="victorops")({"dag": dag, "run_id": RUN_ID, "reason": "timed_out"})
    assert alerts.victorops()[0]["state_message"] == f"EP_STAGE - telemetry Failure of the run on {RUN_ID}"


@pytest.mark.parametrize("as_objects", [False, True], ids=["dicts", "objects"])
def test_in_a_deadline_s_callback(as_objects, alerts, web, deadline):
    if as_objects:
        run = {**deadline["dag_run"], "run_id": deadline["dag_run"].pop("dag_run_id")}
        deadline = {"dag_run": SimpleNamespace(**run), "deadline": SimpleNamespace(**deadline["deadline"])}
    asyncio.run(VictorOpsSlaMissNotifier(victorops_conn_id="victorops").async_notify(deadline))
    (alert,) = alerts.victorops()
    assert alert["state_message"] == "EP_STAGE - telemetry SLA Miss for the run on 2016-02-26T18:00:00"
    assert alert["entity_display_name"] == f"telemetry late by 5 min ({RUN_ID})"
    assert alert["blocking_tasks"] == "load (running)"


def test_a_deadline_s_context_that_cannot_be_read_pages_with_what_is_known(alerts, web, monkeypatch):
    monkeypatch.setattr(sla_miss_notifier, "RETRY_FOR", 0)
    asyncio.run(VictorOpsSlaMissNotifier(victorops_conn_id="victorops").async_notify({"deadline": None}))
    (alert,) = alerts.victorops()
    assert (alert["dag_id"], alert["run_id"]) == ("unknown DAG", "unknown run")
    assert alert["details"] == "Perhaps late: Airflow did not tell how it stands"


if AIRFLOW_3:  # 2.11 has no deadlines

    def test_as_the_class_that_an_async_callback_names(alerts, web, deadline):
        from airflow.triggers.callback import CallbackTrigger

        path = f"{VictorOpsSlaMissNotifier.__module__}.{VictorOpsSlaMissNotifier.__name__}"
        arguments = {"victorops_conn_id": "victorops", "message_type": "WARNING", "context": deadline}

        async def called():
            return [event.payload["state"] async for event in CallbackTrigger(path, arguments).run()]

        assert asyncio.run(called()) == ["running", "success"]
        assert [alert["message_type"] for alert in alerts.victorops()] == ["WARNING"]
