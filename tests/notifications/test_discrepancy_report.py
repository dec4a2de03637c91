"""Which channels get a discrepancy report, and what happens if one of them cannot be reached."""

from __future__ import annotations

import json
import os

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
