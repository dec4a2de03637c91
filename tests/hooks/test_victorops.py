from __future__ import annotations

import importlib
import json
import logging
import traceback

import pytest

from airflow_agari_provider.alerts.sender import AlertInDoubt, AlertPostponed, AlertRefused
from airflow_agari_provider.hooks import victorops
from airflow_agari_provider.hooks.victorops import VictorOpsHook
from airflow_agari_provider.provider_info import get_provider_info
from tests.fix_alerts import API_KEY

PATH = f"/integrations/generic/20131114/alert/{API_KEY}/data-team"


def answered(body):
    """The answer of the server that stands in for VictorOps."""
    return (200, {}, body)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(victorops, "FIRST_PAUSE", 0.01)


def test_an_alert_is_posted_under_key_and_routing_key(alerts):
    sent = VictorOpsHook("victorops").send("critical", "airflow/x", state_message="Late", entity_display_name="X", n=1)
    assert sent == "airflow/x"
    assert alerts.received == [
        (
            PATH,
            {
                "monitoring_tool": "Airflow",
                "state_message": "Late",
                "entity_display_name": "X",
                "n": 1,
                "message_type": "CRITICAL",
                "entity_id": "airflow/x",
            },
        )
    ]


def test_keys_are_quoted(alerts, monkeypatch):
    value = {"conn_type": "victorops", "host": alerts.url, "password": "a/b", "extra": {"routing_key": "data team"}}
    monkeypatch.setenv("AIRFLOW_CONN_ODD", json.dumps(value))
    VictorOpsHook("odd").send("INFO", "x")
    VictorOpsHook("odd", routing_key="../other").send("INFO", "x")
    assert [path.partition("/alert/")[2] for path, _ in alerts.received] == ["a%2Fb/data%20team", "a%2Fb/..%2Fother"]


@pytest.mark.parametrize(
    "failures",
    [[503, 500, None], [(429, {"Retry-After": "0"}), None], [408, 425, None]],
    ids=["5xx", "429", "408 and 425"],
)
def test_what_passes_is_tried_again(failures, alerts, impatient):
    alerts.failures = failures
    VictorOpsHook("victorops").send("CRITICAL", "x")
    assert len(alerts.victorops()) == 1


def connection(monkeypatch, host, **changes):
    value = {"conn_type": "victorops", "host": host, "password": API_KEY, "extra": {"routing_key": "data-team"}}
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps(value | changes))
    return VictorOpsHook("other", retry_for=0, timeout=0.5)


@pytest.mark.parametrize(
    "end", ["", "/", f"{PATH}", f"{PATH}/", "/integrations/generic/20131114/alert/$key/$routing_key"]
)
def test_the_whole_url_that_victorops_shows_may_be_the_endpoint(end, alerts, monkeypatch):
    connection(monkeypatch, alerts.url + end).send("INFO", "x")
    assert [path for path, _ in alerts.received] == [PATH]


@pytest.mark.parametrize(
    ("host", "warnings"),
    [("http://victorops.invalid", 1), ("http://127.0.0.1:1", 0), ("https://victorops.invalid", 0)],
)
def test_plain_http_is_remarked_once(host, warnings, monkeypatch, caplog):
    monkeypatch.setattr(victorops, "_remarked", set())
    for _ in range(2):
        with pytest.raises(AlertPostponed):
            connection(monkeypatch, host).send("INFO", "x")
    told = [record.getMessage() for record in caplog.records if "plain http" in record.getMessage()]
    assert told == ["Connection other sends the API key unencrypted, by plain http. Use https."] * warnings


def test_credentials_of_netrc_are_not_sent(alerts, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ada password hush-netrc")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    VictorOpsHook("victorops").send("INFO", "x")
    assert [headers.get("Authorization") for headers in alerts.headers] == [None]


def test_it_gives_up_when_its_time_is_over(alerts, impatient):
    alerts.failures = [503] * 100
    with pytest.raises(AlertInDoubt, match=r"VictorOps: it answered 503 \(connection victorops\)"):
        VictorOpsHook("victorops", retry_for=0.05).send("CRITICAL", "x")
    assert alerts.received == []
    assert len(alerts.failures) > 90


@pytest.mark.parametrize(
    ("failure", "retry_after"),
    [(503, 0), ((502, {"Retry-After": "7"}), 7), ("silence", 0), ("taken, then silence", 0), ("nothing", 0)],
    ids=["503", "502", "silence", "taken", "closed"],
)
def test_an_answer_that_got_lost_leaves_in_doubt_whether_it_was_taken(failure, retry_after, alerts):
    alerts.failures = [failure]
    timeout = 0.5 if "silence" in str(failure) else 10
    with pytest.raises(AlertInDoubt) as raised:
        VictorOpsHook("victorops", retry_for=0, timeout=timeout).send("CRITICAL", "x")
    assert raised.value.retry_after == retry_after


@pytest.mark.parametrize("answer", ["<html>Please log in to the proxy</html>", "[]", "{}"])
def test_an_answer_that_did_not_come_from_victorops_is_not_a_success_and_is_repeated(answer, alerts, impatient):
    alerts.failures = [answered(answer), None]
    VictorOpsHook("victorops").send("CRITICAL", "x")
    assert len(alerts.victorops()) == 1
    assert alerts.failures == []


def test_a_result_that_is_not_a_success_is_refused(alerts):
    alerts.failures = [answered('{"result": "failure"}')]
    with pytest.raises(AlertRefused, match="it answered 200"):
        VictorOpsHook("victorops").send("CRITICAL", "x")


@pytest.mark.parametrize(
    ("host", "fields", "error"),
    [
        ("ftp://127.0.0.1", {}, "InvalidSchema"),
        ("http://exa mple", {}, "InvalidURL"),
        (None, {"n": float("nan")}, "InvalidJSONError"),
    ],
)
def test_what_can_never_be_sent_is_refused_at_once(host, fields, error, alerts, monkeypatch):
    value = {"conn_type": "victorops", "host": host or alerts.url, "password": API_KEY}
    monkeypatch.setenv("AIRFLOW_CONN_ODD", json.dumps({**value, "extra": {"routing_key": "data-team"}}))
    with pytest.raises(AlertRefused, match=f"the request cannot be made \\({error}, connection odd\\)") as raised:
        VictorOpsHook("odd").send("CRITICAL", "x", **fields)
    assert API_KEY not in "".join(traceback.format_exception(raised.value))


def test_a_service_that_asks_for_more_time_than_there_is_is_not_waited_for(alerts):
    alerts.failures = [(429, {"Retry-After": "600"})]
    with pytest.raises(AlertPostponed) as raised:
        VictorOpsHook("victorops").send("CRITICAL", "x")
    assert raised.value.retry_after == 600


@pytest.mark.parametrize("status", [400, 401, 404, 302])
def test_a_refusal_is_not_repeated_and_says_what_to_check(status, alerts):
    alerts.failures = [status] * 2
    with pytest.raises(AlertRefused, match=f"it answered {status} \\(connection victorops\\)") as raised:
        VictorOpsHook("victorops").send("CRITICAL", "x")
    assert ("Check the routing key" in str(raised.value)) is (status in (401, 404))
    assert len(alerts.failures) == 1


@pytest.mark.parametrize(("field", "missing"), [("password", "API key"), ("extra", "routing key")])
def test_a_connection_that_lacks_something_says_what(field, missing, monkeypatch):
    value = {"conn_type": "victorops", "password": "key", "extra": {"routing_key": "data-team"}}
    monkeypatch.setenv("AIRFLOW_CONN_BARE", json.dumps({**value, field: None}))
    with pytest.raises(AlertRefused, match=f"connection bare has no {missing}"):
        VictorOpsHook("bare").send("CRITICAL", "x")


@pytest.mark.parametrize("failure", [404, 503, "silence"])
def test_the_key_is_in_no_error_and_no_log(failure, alerts, caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3").setLevel(logging.DEBUG)
    alerts.failures = [failure]
    hook = VictorOpsHook("victorops", retry_for=0, timeout=0.5)
    with pytest.raises((AlertRefused, AlertInDoubt)) as raised:
        hook.send("CRITICAL", "x")
    shown = "".join(traceback.format_exception(raised.value)) + repr(raised.value) + repr(vars(hook)) + caplog.text
    assert "VictorOps" in shown
    assert API_KEY not in shown


def test_an_unreachable_endpoint_shows_no_key_either(monkeypatch):
    value = {
        "conn_type": "victorops",
        "host": "http://127.0.0.1:1",
        "password": API_KEY,
        "extra": {"routing_key": "data-team"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_GONE", json.dumps(value))
    with pytest.raises(AlertPostponed) as raised:
        VictorOpsHook("gone", retry_for=0).send("CRITICAL", "x")
    assert API_KEY not in "".join(traceback.format_exception(raised.value))
    assert str(raised.value) == "VictorOps: it cannot be reached (ConnectionError, connection gone)"


def test_the_connection_test_opens_no_incident(alerts):
    assert VictorOpsHook("victorops").test_connection()[0]
    assert [alert["message_type"] for alert in alerts.victorops()] == ["INFO"]


def test_the_connection_test_tells_what_is_wrong(alerts):
    alerts.failures = [404]
    assert VictorOpsHook("victorops").test_connection() == (
        False,
        "VictorOps: it answered 404 (connection victorops). Check the routing key and the API key.",
    )


def test_airflow_finds_the_hook_by_the_connection_s_type(alerts):
    from airflow_agari_provider.airflow_compat import BaseHook

    (declared,) = get_provider_info()["connection-types"]
    module, _, name = declared["hook-class-name"].rpartition(".")
    assert getattr(importlib.import_module(module), name) is VictorOpsHook
    assert declared["connection-type"] == VictorOpsHook.conn_type
    assert declared["hook-name"] == VictorOpsHook.hook_name
    assert BaseHook.get_connection("victorops").conn_type == "victorops"


def test_both_forms_of_the_connection_are_the_same():
    (declared,) = get_provider_info()["connection-types"]
    form = {name.replace("-", "_"): value for name, value in declared["ui-field-behaviour"].items()}
    assert form == VictorOpsHook.get_ui_field_behaviour()


def test_the_form_of_airflow_2_has_the_same_fields():
    pytest.importorskip("flask_appbuilder.fieldwidgets")
    (declared,) = get_provider_info()["connection-types"]
    assert set(VictorOpsHook.get_connection_form_widgets()) == set(declared["conn-fields"])
