"""The notifiers in each of the callbacks that Airflow has."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from airflow_agari_provider import airflow_runs
from airflow_agari_provider.airflow_compat import AIRFLOW_3, DAG, BaseOperator, Stats, timezone
from airflow_agari_provider.notifications import sla_miss_notifier
from airflow_agari_provider.notifications.slack_sla_miss import SlackSlaMissNotifier
from airflow_agari_provider.notifications.victorops_sla_miss import VictorOpsSlaMissNotifier

RUN_ID = "scheduled__2016-02-26T18:00:00+00:00"


@pytest.fixture
def web(monkeypatch):
    for section in ("API", "WEBSERVER"):
        monkeypatch.setenv(f"AIRFLOW__{section}__BASE_URL", "https://airflow.example.com/")
    monkeypatch.setenv("AIRFLOW__AGARI__ENVIRONMENT", "EP_STAGE")


def context_of_task(state, **changes):
    with DAG("telemetry", schedule=None, start_date=timezone.datetime(2016, 2, 1)) as dag:
        task = BaseOperator(task_id="load", owner="ada")
    ti = SimpleNamespace(
        dag_id="telemetry", task_id="load", run_id=RUN_ID, map_index=3, try_number=2, state=state, task=task
    )
    run = SimpleNamespace(logical_date=datetime(2016, 2, 26, 18, tzinfo=UTC), run_id=RUN_ID)
    return {"dag": dag, "ti": ti, "dag_run": run, "run_id": RUN_ID, **changes}


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


@pytest.fixture
def deadline(monkeypatch):
    """Context of the callback of a deadline that was over five minutes ago."""
    tasks = {"extract": "success", "load": "running"}
    monkeypatch.setattr(airflow_runs, "read_run", lambda dag_id, run_id: ("running", tasks))
    return {
        "dag_run": {"dag_id": "telemetry", "dag_run_id": RUN_ID, "logical_date": "2016-02-26T18:00:00Z"},
        "deadline": {"id": "1", "deadline_time": datetime.now(UTC) - timedelta(minutes=5, seconds=1)},
    }


def test_in_a_deadline_s_callback(alerts, web, deadline):
    asyncio.run(VictorOpsSlaMissNotifier(victorops_conn_id="victorops").async_notify(deadline))
    (alert,) = alerts.victorops()
    assert alert["state_message"] == "EP_STAGE - telemetry SLA Miss for the run on 2016-02-26T18:00:00"
    assert alert["entity_display_name"] == f"telemetry late by 5 min ({RUN_ID})"
    assert alert["blocking_tasks"] == "load (running)"


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


if AIRFLOW_3:  # 2.11 has no deadlines

    def test_as_the_class_that_an_async_callback_names(alerts, web, deadline):
        from airflow.triggers.callback import CallbackTrigger

        path = f"{VictorOpsSlaMissNotifier.__module__}.{VictorOpsSlaMissNotifier.__name__}"
        arguments = {"victorops_conn_id": "victorops", "message_type": "WARNING", "context": deadline}

        async def called():
            return [event.payload["state"] async for event in CallbackTrigger(path, arguments).run()]

        assert asyncio.run(called()) == ["running", "success"]
        assert [alert["message_type"] for alert in alerts.victorops()] == ["WARNING"]


def test_a_service_that_stays_down_never_fails_the_callback(alerts, web, monkeypatch, caplog):
    monkeypatch.setattr(sla_miss_notifier, "RETRY_FOR", 0)
    alerts.failures = [503, 404]
    notifier = VictorOpsSlaMissNotifier(victorops_conn_id="victorops")
    notifier(context_of_task("failed"))
    notifier(context_of_task("failed"))
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert [error.rpartition("load ")[2] for error in errors] == [
        "was not sent within 0 s; given up",
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


def test_a_mistake_in_an_argument_is_an_error_where_it_is_written():
    with pytest.raises(TypeError, match=r"mentions is a list, such as \['<!channel>'\]"):
        SlackSlaMissNotifier(mentions="<!channel>")
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
