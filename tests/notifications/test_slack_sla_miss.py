from __future__ import annotations

import json
import logging
import traceback
from dataclasses import replace

import pytest

from airflow_agari_provider.alerts.miss import SlaMiss
from airflow_agari_provider.alerts.sender import AlertInDoubt, AlertNotSent, AlertPostponed, AlertRefused, CannotLook
from airflow_agari_provider.notifications import slack_sla_miss
from airflow_agari_provider.notifications.slack_sla_miss import SlackSlaMissNotifier
from tests.fix_alerts import SECRETS

MISS = SlaMiss("telemetry", "run", "load", "2016-02-26T18:00:00", environment="EP_STAGE")
TEXT = "EP_STAGE - telemetry SLA Miss for task load on 2016-02-26T18:00:00"


@pytest.fixture
def api():
    return SlackSlaMissNotifier(slack_conn_id="slack_api", channel="C012AB3CD", mentions=["<!channel>"])


@pytest.fixture
def webhook():
    return SlackSlaMissNotifier(slack_conn_id="slack_hook")


def test_a_miss_is_a_message_that_can_be_found_again(api, alerts):
    assert api.send(MISS, "key", in_doubt=False) == "C012AB3CD:17.000001"
    (message,) = alerts.slack()
    assert message["text"] == TEXT
    assert message["channel"] == "C012AB3CD"
    assert message["blocks"][0]["text"]["text"].startswith("<!channel> EP_STAGE")
    assert api.find("key", 1000.0) == "C012AB3CD:17.000001"
    assert api.find("another key", 1000.0) is None


def test_a_recovery_goes_into_the_thread_without_mentions(api, alerts):
    reference = api.send(MISS, "key", in_doubt=False)
    api.follow_up(replace(MISS, event="recovery"), "recovery|key", reference)
    message = alerts.slack()[1]
    assert (message["channel"], message["thread_ts"]) == ("C012AB3CD", "17.000001")
    assert message["blocks"][0]["text"]["text"].startswith("EP_STAGE - telemetry SLA Miss recovered for task load")


def test_a_recovery_is_found_in_the_thread_where_no_history_shows_it(api, alerts):
    reference = api.send(MISS, "key", in_doubt=False)
    assert api.find("recovery|key", 1000.0, reference) is None
    api.follow_up(replace(MISS, event="recovery"), "recovery|key", reference)
    assert api.find("recovery|key", 1000.0) is None
    assert api.find("recovery|key", 1000.0, reference) == "C012AB3CD:17.000003"


def test_a_message_is_found_though_this_host_s_clock_is_ahead_of_slack_s(api, alerts):
    asked = []
    alerts.gate = lambda path, body, port: asked.append(body["oldest"])
    api.find("key", 1000.0)
    assert asked == ["400.000000"]


def test_a_webhook_gets_the_same_message_without_a_thread(webhook, alerts):
    reference = webhook.send(MISS, "key", in_doubt=False)
    webhook.follow_up(replace(MISS, event="recovery"), "recovery|key", reference)
    assert [set(message) for message in alerts.slack()] == [{"text", "blocks"}] * 2
    assert alerts.slack()[0]["text"] == TEXT


def test_text_and_channel_are_templates(alerts):
    notifier = SlackSlaMissNotifier(
        slack_conn_id="slack_api",
        channel="#{{ sla_miss.dag_id }}",
        text="{{ sla_miss.task_id }} <is> {{ sla_miss.standing }}",
    )
    notifier.send(MISS, "key", in_doubt=False)
    (message,) = alerts.slack()
    assert (message["channel"], message["text"]) == ("#telemetry", "load &lt;is&gt; late")
    assert notifier.channel == "#{{ sla_miss.dag_id }}"


@pytest.mark.parametrize("kind", ["api", "webhook"])
@pytest.mark.parametrize(
    ("failure", "error"),
    [
        ((429, {"Retry-After": "7"}), AlertPostponed),
        (503, AlertInDoubt),
        ("silence", AlertInDoubt),
        ("taken, then silence", AlertInDoubt),
        (404, AlertRefused),
    ],
    ids=["429", "503", "silence", "taken", "404"],
)
def test_what_a_failure_means(kind, failure, error, alerts, request, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    if "silence" in str(failure):
        monkeypatch.setattr(slack_sla_miss, "TIMEOUT", 1)
    alerts.failures = [failure]
    with pytest.raises(AlertNotSent) as raised:
        request.getfixturevalue(kind).send(MISS, "key", in_doubt=False)
    assert type(raised.value) is error
    assert getattr(raised.value, "retry_after", 0) == (7 if error is AlertPostponed else 0)
    assert alerts.failures == []  # asked once, although Slack's client would retry
    shown = "".join(traceback.format_exception(raised.value)) + caplog.text
    assert not [secret for secret in SECRETS if secret in shown]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("channel_not_found", AlertRefused),
        ("internal_error", AlertInDoubt),
        ("ratelimited", AlertPostponed),
        ("team_added_to_org", AlertPostponed),
        ("org_login_required", AlertPostponed),
    ],
)
def test_what_an_error_of_the_api_means(answer, error, api, alerts):
    alerts.failures = [answer]
    with pytest.raises(error):
        api.send(MISS, "key", in_doubt=False)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("no_team", "Slack: it answered 404: no_team"),
        ("Cannot POST /services/T0/B0/hush-webhook", "Slack: it answered 404"),
    ],
)
def test_what_a_webhook_answers_is_shown_if_it_is_a_word(body, said, webhook, alerts):
    alerts.failures = [(404, {}, body)]
    with pytest.raises(AlertRefused) as raised:
        webhook.send(MISS, "key", in_doubt=False)
    assert str(raised.value) == said


@pytest.mark.parametrize(
    ("kind", "secret"),
    [
        ("slackwebhook", "T0/B0/hush webhook"),
        ("slackwebhook", "T0/B0/hush-webhook\nX"),
        ("slackwebhook", "T0/B0/hush-webh\u00f6k"),
        ("slack", "xoxb-hush\ntoken"),
    ],
    ids=["blank", "line", "letter", "token"],
)
def test_a_secret_that_cannot_be_sent_is_refused_and_not_shown(kind, secret, alerts, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    host = (
        {"host": f"{alerts.url}/services"} if kind == "slackwebhook" else {"extra": {"base_url": f"{alerts.url}/api/"}}
    )
    monkeypatch.setenv("AIRFLOW_CONN_ODD", json.dumps({"conn_type": kind, "password": secret, **host}))
    with pytest.raises(AlertRefused, match="the request cannot be made") as raised:
        SlackSlaMissNotifier(slack_conn_id="odd", channel="C012AB3CD").send(MISS, "key", in_doubt=False)
    assert "hush" not in "".join(traceback.format_exception(raised.value)) + caplog.text


@pytest.mark.parametrize("text", ["{{ ti.task_id }}", "{{ sla_miss", "{{ sla_miss.run_id + 1 }}"])
def test_a_template_that_cannot_be_rendered_is_refused(text, alerts):
    with pytest.raises(AlertRefused, match="its templates cannot be rendered"):
        SlackSlaMissNotifier(slack_conn_id="slack_api", channel="C012AB3CD", text=text).send(MISS, "key", False)
    assert alerts.received == []


def test_a_slack_that_is_not_there_took_nothing(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_GONE", "slack://:token@/?base_url=http%3A%2F%2F127.0.0.1%3A1%2F")
    with pytest.raises(AlertPostponed, match="Slack: it cannot be reached"):
        SlackSlaMissNotifier(slack_conn_id="gone", channel="C012AB3CD").send(MISS, "key", in_doubt=False)


@pytest.mark.parametrize(
    ("failure", "channel", "conn_id", "reason"),
    [
        ("missing_scope", "C012AB3CD", "slack_api", "missing_scope"),
        (None, "#alerts", "slack_api", "ids only"),
        (None, None, "slack_hook", "webhook cannot be read"),
    ],
    ids=["no permission", "a channel's name", "a webhook"],
)
def test_what_cannot_be_looked_up_is_unknown(failure, channel, conn_id, reason, alerts):
    alerts.failures = [failure]
    with pytest.raises(CannotLook, match=reason):
        SlackSlaMissNotifier(slack_conn_id=conn_id, channel=channel).find("key", 1000.0)


def test_a_choice_that_is_none_is_refused():
    with pytest.raises(ValueError, match="when_in_doubt is one of send, skip"):
        SlackSlaMissNotifier(when_in_doubt="perhaps")
    with pytest.raises(ValueError, match="task, run, dag"):
        SlackSlaMissNotifier(incident="team")


def test_mentions_that_are_not_a_list_are_an_error_where_they_are_written():
    with pytest.raises(TypeError, match=r"mentions must be a list, such as \['<!channel>'\]"):
        SlackSlaMissNotifier(mentions="<!channel>")
