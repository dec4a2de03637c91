"""How a notifier sends what a callback is told: it asks again, retries, gives up, and never fails the callback."""

from __future__ import annotations

import asyncio

import pytest

from airflow_agari_provider import airflow_runs
from airflow_agari_provider.airflow_compat import Stats
from airflow_agari_provider.notifications import sla_miss_notifier
from airflow_agari_provider.notifications.sla_miss_notifier import environment_or_default
from airflow_agari_provider.notifications.victorops_sla_miss import VictorOpsSlaMissNotifier
from tests.notifications.callback_contexts import context_of_task


def test_airflow_that_does_not_answer_a_deadline_s_callback_is_asked_again(alerts, web, deadline, monkeypatch):
    monkeypatch.setattr(sla_miss_notifier, "ASK_AGAIN_AFTER", 0.01)
    read_run, failures = airflow_runs.read_run, [RuntimeError("the API server is down")] * 2

    def failing(dag_id, run_id):
        if failures:
            raise failures.pop()
        return read_run(dag_id, run_id)

    monkeypatch.setattr(airflow_runs, "read_run", failing)
    asyncio.run(VictorOpsSlaMissNotifier(victorops_conn_id="victorops").async_notify(deadline))
    assert len(alerts.victorops()) == 1


def test_a_service_that_stays_down_never_fails_the_callback(alerts, web, monkeypatch, caplog):
    monkeypatch.setattr(sla_miss_notifier, "RETRY_FOR", 0)
    alerts.failures = [503, 404]
    notifier = VictorOpsSlaMissNotifier(victorops_conn_id="victorops")
    notifier(context_of_task("failed"))
    notifier(context_of_task("failed"))
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert [error.rpartition("load ")[2] for error in errors] == [
        "was not sent within 0 s, and is given up",
        "was refused. VictorOps: it answered 404 (connection victorops). Check the routing key and the API key.",
    ]


@pytest.mark.parametrize(
    ("conn_id", "text", "error"),
    [("victorops", "{{ dag.dag_id + 1 }}", "cannot be rendered"), ("nowhere", None, "nowhere")],
    ids=["template", "connection"],
)
def test_what_can_never_be_sent_is_one_error_and_is_counted(conn_id, text, error, alerts, web, monkeypatch, caplog):
    counted = []
    monkeypatch.setattr(Stats, "incr", lambda name, tags: counted.append(name))
    VictorOpsSlaMissNotifier(victorops_conn_id=conn_id, text=text)(context_of_task("failed"))
    assert counted == ["agari.alerts.failed"]
    ours = [record for record in caplog.records if record.name.startswith("airflow_agari_provider")]
    assert [error in record.getMessage() for record in ours if record.levelname == "ERROR"] == [True]


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, "EP_STAGE"), ("EP_PROD", "EP_PROD"), ("", "")],
    ids=["of the configuration", "given", "none on purpose"],
)
def test_the_environment_is_the_given_one_or_the_configuration_s(given, expected, web):
    assert environment_or_default(given) == expected
