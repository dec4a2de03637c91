"""Which channels get a discrepancy report, and what happens if one of them cannot be reached."""

from __future__ import annotations

import contextlib
import json
import os
import random
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_agari_provider.airflow_compat import AirflowFailException
from airflow_agari_provider.discrepancy.errors import ReportNotDelivered
from airflow_agari_provider.operators.discrepancy_check import Stage, Tolerance
from tests.fix_alerts import AlertServices
from tests.fix_mails import free_port, smtp_connection
from tests.operators.discrepancy_checks import check, context_of_run, lossy, paging


@pytest.fixture
def context():
    return context_of_run()


@pytest.fixture
def servers_that_are_down(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", smtp_connection(free_port()))
    nowhere = AlertServices(f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AIRFLOW_CONN_SLACK_HOOK", nowhere.connections()["slack_hook"])


@pytest.mark.parametrize(
    ("on_discrepancy", "error"), [("fail", AirflowFailException), ("alert", ReportNotDelivered)], ids=str
)
@pytest.mark.usefixtures("servers_that_are_down")
def test_an_undeliverable_discrepancy_fails_the_task_and_its_result_stays(context, on_discrepancy, error):
    with pytest.raises(error, match="could not be sent by mail and Slack"):
        lossy(on_discrepancy=on_discrepancy).execute(context)
    assert context["ti"].pushed["return_value"]["discrepant"] == 1


def test_a_mail_server_that_is_down_does_not_keep_slack_from_being_told(context, monkeypatch, alerts):
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", smtp_connection(free_port()))
    with pytest.raises(ReportNotDelivered, match="could not be sent by mail:"):
        lossy(on_discrepancy="alert").execute(context)
    assert len(alerts.slack()) == 1


@pytest.mark.parametrize("connection", ["down", "unknown", "without a sender"])
def test_a_report_of_nothing_lost_that_cannot_be_mailed_leaves_the_task_a_success(
    context, connection, monkeypatch, mails
):
    if connection == "down":
        monkeypatch.setenv("AIRFLOW_CONN_OTHER", smtp_connection(free_port()))
    elif connection == "without a sender":
        there = json.loads(os.environ["AIRFLOW_CONN_SMTP_DEFAULT"])
        del there["extra"]["from_email"]
        monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps(there))
    operator = check(
        stages=[Stage("Agg", counts={"5": 1}), Stage("DB", counts={"5": 1})],
        email_to="ops@example.com",
        smtp_conn_id="other",
    )
    assert operator.execute(context)["verdict"] == "ok"
    assert mails == []


def test_slack_is_silent_and_the_mail_comes_when_all_is_within_tolerance(context, mails, alerts):
    result = lossy(tolerances={5: Tolerance(count=1204)}).execute(context)
    assert result["verdict"] == "ok"
    assert (len(mails), alerts.slack()) == (1, [])


@pytest.mark.parametrize(
    "failure", [404, (429, {"Retry-After": "3600"}), "no connection"], ids=["refused", "postponed", "no connection"]
)
@pytest.mark.parametrize(("stored", "error"), [(1, ReportNotDelivered), (10, None)], ids=["lost", "nothing lost"])
def test_a_page_that_cannot_be_sent_hides_no_verdict(context, alerts, failure, stored, error):
    alerts.gate = lambda path, *_: failure if path.startswith("/integrations/") else None
    context["ti"].try_number = 2
    conn_id = "unknown" if failure == "no connection" else "victorops"
    operator = paging(stored, victorops_conn_id=conn_id, slack_conn_id="slack_hook")
    if error:
        with pytest.raises(error, match="could not be sent by VictorOps: the errors"):
            operator.execute(context)
        assert context["ti"].pushed["return_value"]["verdict"] == "high discrepancies"
        assert len(alerts.slack()) == 1
    else:
        assert operator.execute(context)["verdict"] == "ok"
    assert alerts.victorops() == []


HISTORY_DOWN = {
    "unknown": None,
    "down": {"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "login": "x"},
    "not a database": {"conn_type": "smtp", "host": "127.0.0.1"},
}


@pytest.mark.parametrize("connection", HISTORY_DOWN.values(), ids=HISTORY_DOWN)
def test_a_history_that_cannot_be_used_silences_nobody(context, mails, alerts, monkeypatch, connection):
    if connection:
        monkeypatch.setenv("AIRFLOW_CONN_HISTORY", json.dumps(connection))
    operator = lossy(history_conn_id="history", victorops_conn_id="victorops")
    with pytest.raises(AirflowFailException, match="lost 1,204 between Agg and DB"):
        operator.execute(context)
    assert (len(mails), len(alerts.slack()), len(alerts.victorops())) == (1, 1, 1)
    assert "The history cannot be used" in mails[0][1].get_body(("plain",)).get_content()


@pytest.mark.parametrize(
    ("key", "email_to"),
    [("a\udc80b", "ops@example.com"), ("a\0b\u202ec", "ops@example.com"), ("5", "ops@example.com\ndev@example.com")],
    ids=["surrogate", "zero byte and direction", "lines of addresses"],
)
def test_a_strange_key_or_address_silences_nobody(context, mails, alerts, key, email_to):
    operator = check(
        stages=[Stage("Agg", counts={key: 2}), Stage("DB", counts={key: 1})],
        email_to=email_to,
        slack_conn_id="slack_hook",
        victorops_conn_id="victorops",
        on_discrepancy="alert",
    )
    operator.execute(context)
    assert (len(mails), len(alerts.slack()), len(alerts.victorops())) == (1, 1, 1)


def test_whatever_one_channel_raises_the_others_are_told_and_the_task_ends_with_it(context, alerts, mails):
    """A sender that no header can hold is a ValueError, which no mail server is to blame for."""
    sender = "a@example.com\nBcc: b@example.com"
    operator = lossy(email_from=sender, victorops_conn_id="victorops", on_discrepancy="alert")
    with pytest.raises(ReportNotDelivered, match="could not be sent by mail:"):
        operator.execute(context)
    assert (mails, len(alerts.slack()), len(alerts.victorops())) == ([], 1, 1)


def test_a_result_that_xcom_refuses_silences_nobody(context, alerts, mails):
    def refuse(key, value):
        raise RuntimeError("too large")

    context["ti"].xcom_push = refuse
    with pytest.raises(AirflowFailException, match="lost 1,204"):
        lossy().execute(context)
    assert (len(mails), len(alerts.slack())) == (1, 1)


@pytest.fixture
def history(cleared_postgres_uri, monkeypatch):
    parts = urlsplit(cleared_postgres_uri)
    fields = {"host": parse_qs(parts.query)["host"][0], "login": parts.username, "schema": parts.path.lstrip("/")}
    monkeypatch.setenv("AIRFLOW_CONN_HISTORY", json.dumps({"conn_type": "postgres", **fields}))
    return {"history_conn_id": "history", "on_discrepancy": "alert"}


def at(context, hour):
    """The context of another run, and of the first try of its task."""
    context["dag_run"].logical_date = datetime(2016, 2, 3, hour, tzinfo=UTC)
    vars(context["ti"]).update(try_number=1, max_tries=0)
    return context


@pytest.mark.parametrize("on_discrepancy", ["alert", "fail"])
def test_a_retry_tells_only_the_channel_that_was_not_told(context, mails, alerts, history, on_discrepancy):
    operator = lossy(**{**history, "on_discrepancy": on_discrepancy}, victorops_conn_id="victorops")
    alerts.gate = lambda path, *_: 404 if "/services/" in path else None
    with pytest.raises(ReportNotDelivered, match="could not be sent by Slack:"):
        operator.execute(at(context, 20))
    alerts.gate = None
    context["ti"].try_number = 2
    if on_discrepancy == "alert":
        assert operator.execute(context)["verdict"] == "high discrepancies"
    else:
        with pytest.raises(AirflowFailException, match="lost 1,204"):
            operator.execute(context)
    assert (len(mails), len(alerts.slack()), len(alerts.victorops())) == (1, 1, 1)
    context["ti"].max_tries = 1  # a person cleared the task
    with contextlib.suppress(AirflowFailException):
        operator.execute(context)
    assert (len(mails), len(alerts.victorops())) == (2, 2)


def test_a_finding_of_which_slack_was_not_told_is_new_to_slack(context, mails, alerts, history):
    alerts.gate = lambda path, *_: 404 if "/services/" in path else None
    with pytest.raises(ReportNotDelivered):
        lossy(**history).execute(at(context, 20))
    alerts.gate = None
    lossy(**history).execute(at(context, 21))
    (body,) = alerts.slack()
    assert "lost 1,204 between Agg and DB (13.4 %); allowed 0 and 0.0 %; new" in body["text"]
    assert "same as before" in mails[1][1].get_body(("plain",)).get_content()
    lossy(**history).execute(at(context, 22))
    assert len(alerts.slack()) == 1


def test_a_check_has_one_incident_until_every_window_is_repaired(context, alerts, history):
    """20:00 and 21:00 lose messages, 22:00 does not; then the two windows are repaired, one after the other."""
    settings = {**history, "slack_conn_id": "slack_hook"}
    told = []
    for hour, stored in [(20, 1), (21, 1), (22, 10), (20, 10), (23, 10), (21, 10), (22, 10)]:
        alerts.forget()
        paging(stored, window=f"{hour}:00", **settings).execute(at(context, hour))
        told.append(([each["message_type"] for each in alerts.victorops()], len(alerts.slack())))
        assert {each["entity_id"] for each in alerts.victorops()} <= {"airflow/EP_STAGE/ep_telemetry_v2/check"}
    assert told == [(["CRITICAL"], 1), (["CRITICAL"], 0), ([], 0), ([], 1), ([], 0), (["RECOVERY"], 1), ([], 0)]


def test_the_incident_names_the_open_windows_and_slack_what_is_repaired(context, alerts, history):
    settings = {**history, "slack_conn_id": "slack_hook"}
    for hour, stored in [(20, 1), (21, 1), (20, 10)]:
        paging(stored, window=f"{hour}:00", **settings).execute(at(context, hour))
    assert "Open windows: 20:00, 21:00" in alerts.victorops()[1]["details"]
    assert alerts.slack()[-1]["text"].endswith("Repaired: 20:00. Still open: 21:00.")


def test_a_recovery_that_could_not_be_sent_is_sent_by_the_next_clean_run(context, alerts, history):
    paging(1, **history).execute(at(context, 20))
    alerts.gate = lambda *_: 404
    paging(10, **history).execute(at(context, 20))
    alerts.gate = None
    paging(10, **history).execute(at(context, 21))
    assert [each["message_type"] for each in alerts.victorops()] == ["CRITICAL", "RECOVERY"]


def test_a_window_that_a_person_accepts_no_longer_keeps_the_incident_open(context, alerts, history):
    paging(1, window="20:00", **history).execute(at(context, 20))
    paging(10, window="21:00", **history, accepted_windows="20:00").execute(at(context, 21))
    assert [each["message_type"] for each in alerts.victorops()] == ["CRITICAL", "RECOVERY"]


def test_slack_hears_of_a_loss_again_after_it_heard_of_the_repair(context, alerts, history):
    settings = {**history, "slack_conn_id": "slack_hook"}
    for hour, stored in [(20, 1), (20, 10), (21, 1)]:
        paging(stored, **settings).execute(at(context, hour))
    assert [body["text"].split("\n")[0].partition("00:00 ")[2] for body in alerts.slack()] == [
        "with High Discrepancies",
        "successfully",
        "with High Discrepancies",
    ]


def test_a_steady_loss_is_told_a_few_times(context, alerts, history):
    """5 % of 1,000 messages in each hour of two days, with the noise of such a loss."""
    noise = random.Random(5)
    for number in range(48):
        lost = sum(noise.random() < 0.05 for _ in range(1000))
        context["dag_run"].logical_date = datetime(2016, 2, 3, tzinfo=UTC) + timedelta(hours=number)
        stages = [Stage("Agg", counts={"5": 1000}), Stage("DB", counts={"5": 1000 - lost})]
        check(stages=stages, slack_conn_id="slack_hook", **history).execute(context)
    assert 1 <= len(alerts.slack()) <= 3


def test_a_steady_warning_is_posted_once_and_needs_no_repair(context, alerts, history):
    settings = {
        **history,
        "tolerance": Tolerance(count=5),
        "warn_tolerance": Tolerance(),
        "slack_conn_id": "slack_hook",
    }
    for hour, stored in [(20, 7), (21, 7), (22, 10)]:
        stages = [Stage("Agg", counts={"5": 10}), Stage("DB", counts={"5": stored})]
        check(stages=stages, **settings).execute(at(context, hour))
    assert [body["text"].split("\n")[0].rpartition("00:00 ")[2] for body in alerts.slack()] == ["with Warnings"]
