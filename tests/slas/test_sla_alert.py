from __future__ import annotations

import json
from datetime import timedelta
from importlib import import_module

import pytest

from airflow_agari_provider.airflow_compat import BaseNotifier
from airflow_agari_provider.alerts.miss import SlaMiss
from airflow_agari_provider.alerts.sender import AlertInDoubt
from airflow_agari_provider.notifications.slack_sla_miss import SlackSlaMissNotifier
from airflow_agari_provider.notifications.victorops_sla_miss import VictorOpsSlaMissNotifier
from airflow_agari_provider.slas import SlaAlert
from airflow_agari_provider.slas.sla_alert import follows_up, sender_of
from tests.slas.airflow_calls import MISSED, RECOVERED, RUN_ID, missed, succeeded

MISS = SlaMiss("telemetry", "run", "load", "2016-02-26T18:00:00")


class ForgetfulNotifier(BaseNotifier):
    def __init__(self, text):
        super().__init__()

    def notify(self, context):
        raise NotImplementedError


class HttpLikeNotifier(BaseNotifier):
    def __init__(self, http_conn_id="http_default", endpoint=None, headers=None, webhook_url=None):
        super().__init__()
        self.http_conn_id, self.endpoint, self.headers, self.webhook_url = http_conn_id, endpoint, headers, webhook_url

    def notify(self, context):
        raise NotImplementedError


class FailingNotifier(BaseNotifier):
    template_fields = ("text",)

    def __init__(self, text):
        super().__init__()
        self.text = text

    def notify(self, context):
        raise RuntimeError(self.text)


def test_an_alert_is_the_arguments_that_differ_from_their_defaults():
    alert = SlaAlert(
        VictorOpsSlaMissNotifier(message_type="warning", fields={"team": "data"}, incident="run"),
        after=timedelta(minutes=30),
        fallback=SlackSlaMissNotifier(channel="C012AB3CD"),
    )
    assert alert.specification() == {
        "after": 1800,
        "notifier": {
            "path": "airflow_agari_provider.notifications.victorops_sla_miss:VictorOpsSlaMissNotifier",
            "arguments": {"message_type": "WARNING", "fields": {"team": "data"}, "incident": "run"},
        },
        "recovery": None,
        "fallback": {
            "path": "airflow_agari_provider.notifications.slack_sla_miss:SlackSlaMissNotifier",
            "arguments": {"channel": "C012AB3CD"},
        },
    }


def test_an_alert_comes_back_from_json():
    specification = json.loads(
        json.dumps(SlaAlert(SlackSlaMissNotifier(channel="C1", mentions=["<!here>"])).specification())
    )
    sender = sender_of(specification)
    assert isinstance(sender, SlackSlaMissNotifier)
    assert (sender.channel, sender.mentions, sender.slack_conn_id) == ("C1", ["<!here>"], "slack_default")


def test_a_secret_does_not_travel():
    pagerduty = pytest.importorskip("airflow.providers.pagerduty.notifications.pagerduty")
    notifier = pagerduty.PagerdutyNotifier(summary="x", severity="critical", integration_key="hush")
    with pytest.raises(ValueError, match=r"PagerdutyNotifier\(integration_key=\.\.\.\).*into a connection") as raised:
        SlaAlert(notifier).specification()
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        ({"headers": {"Authorization": "Bearer hush"}}, r"headers\['Authorization'\]"),
        ({"endpoint": "services/T012AB3CD/B012AB3CD/hushHUSHhush0123456789ab"}, "endpoint"),
        ({"webhook_url": "https://example.com/hush"}, "webhook_url"),
    ],
)
def test_nor_does_one_in_a_header_or_an_address(arguments, place):
    """Arguments as the HTTP provider's notifier has them, and a notifier of Discord's kind."""
    with pytest.raises(ValueError, match=rf"HttpLikeNotifier\({place}=\.\.\.\).*into a connection") as raised:
        SlaAlert(HttpLikeNotifier(**arguments)).specification()
    assert "hush" not in str(raised.value)


def test_a_notifier_that_cannot_be_made_again_is_refused():
    with pytest.raises(ValueError, match="does not keep what it was given for 'text'"):
        SlaAlert(ForgetfulNotifier("x")).specification()
    with pytest.raises(ValueError, match="must be JSON"):
        SlaAlert(VictorOpsSlaMissNotifier(fields={"x": object()})).specification()

    class Local(FailingNotifier):
        pass

    with pytest.raises(ValueError, match="Local must be in an installed package"):
        SlaAlert(Local("x")).specification()


class RenamingNotifier(BaseNotifier):
    """Keeps its argument under another name, where nothing tells which argument made it."""

    def __init__(self, text="default"):
        super().__init__()
        self.message = text

    def notify(self, context):
        raise NotImplementedError


def test_an_argument_that_is_not_kept_and_was_left_out_does_no_harm():
    assert SlaAlert(RenamingNotifier()).specification()["notifier"]["arguments"] == {}
    with pytest.raises(
        ValueError, match=r"RenamingNotifier does not keep what it was given for 'text'.* Leave that out"
    ):
        SlaAlert(RenamingNotifier("x")).specification()


OFFICIAL = {
    "smtp.notifications.smtp.SmtpNotifier": {"to": ["oncall@example.com"], "subject": "{{ sla_miss.text }}"},
    "slack.notifications.slack.SlackNotifier": {"channel": "C012AB3CD", "text": "{{ sla_miss.text }}"},
    "slack.notifications.slack_webhook.SlackWebhookNotifier": {"text": "{{ sla_miss.text }}"},
    "pagerduty.notifications.pagerduty.PagerdutyNotifier": {"summary": "late", "severity": "critical"},
    "amazon.aws.notifications.sns.SnsNotifier": {"target_arn": "arn:aws:sns:eu-west-1:1:late", "message": "late"},
    "amazon.aws.notifications.sqs.SqsNotifier": {"queue_url": "http://queue", "message_body": "late"},
    "amazon.aws.notifications.chime.ChimeNotifier": {"chime_conn_id": "chime", "message": "late"},
}


@pytest.mark.parametrize("path", OFFICIAL)
def test_the_notifiers_of_airflow_s_own_providers_are_alerts(path):
    module, _, name = path.rpartition(".")
    notifier = getattr(import_module(f"airflow.providers.{module}"), name)(**OFFICIAL[path])
    specification = json.loads(json.dumps(SlaAlert(FailingNotifier("x"), fallback=notifier).specification()))
    again = sender_of({"notifier": specification["fallback"]})._notifier
    assert type(again) is type(notifier)
    assert vars(again) == vars(notifier)


def test_a_mail_whose_text_is_a_file_is_an_alert_with_that_text(tmp_path):
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

    (tmp_path / "late.html").write_text("<b>{{ sla_miss.text }}</b>")
    alert = SlaAlert(SmtpNotifier(to="oncall@example.com", subject="late", template=str(tmp_path / "late.html")))
    assert alert.specification()["notifier"]["arguments"]["html_content"] == "<b>{{ sla_miss.text }}</b>"


def test_what_another_notifier_raises_leaves_its_alert_in_doubt():
    with pytest.raises(AlertInDoubt, match="FailingNotifier: RuntimeError: load is late"):
        sender_of(SlaAlert(FailingNotifier("{{ sla_miss.task_id }} is late")).specification()).send(MISS, "key", False)


@pytest.mark.parametrize(
    ("raised", "shown"),
    [
        (
            "404 for url: https://user:hush@hooks.example.com/hush?hush=1 then",
            "404 for url: https://hooks.example.com then",
        ),
        ("Max retries exceeded with url: /hush/1 (Caused", "Max retries exceeded with url: … (Caused"),
        ("read and/or write of ?token=hush", "read and/or write of …"),
    ],
    ids=["address", "path", "query"],
)
def test_what_another_notifier_raises_is_shown_without_the_secret_parts_of_addresses(raised, shown):
    failing = {"path": f"{FailingNotifier.__module__}:FailingNotifier", "arguments": {"text": raised}}
    with pytest.raises(AlertInDoubt) as error:
        sender_of({"notifier": failing}).send(MISS, "key", False)
    assert str(error.value) == f"FailingNotifier: RuntimeError: {shown}"


@pytest.mark.parametrize(
    "notifier",
    [FailingNotifier("{{ x"), SlackSlaMissNotifier(text="{% if %}")],
    ids=lambda notifier: type(notifier).__name__,
)
def test_a_template_that_is_none_is_refused_when_the_dag_is_parsed(notifier):
    with pytest.raises(ValueError, match=r"\(text=\.\.\.\) is not a valid template"):
        SlaAlert(notifier).specification()


def test_only_those_that_can_tell_a_recovery_do():
    other = FailingNotifier("x")
    alerts = [SlaAlert(SlackSlaMissNotifier()), SlaAlert(other, recovery=other), SlaAlert(other)]
    assert [follows_up(alert.specification()) for alert in alerts] == [True, True, False]


def test_pagerduty_is_told_through_its_own_provider_s_notifier(watch, states, alerts, monkeypatch):
    import pagerduty
    from airflow.providers.pagerduty.notifications.pagerduty import PagerdutyNotifier

    monkeypatch.setattr(pagerduty.EventsApiV2Client, "normalize_url", lambda client, path: alerts.url + path)

    def event(action):
        return PagerdutyNotifier(
            pagerduty_events_conn_id="pagerduty",
            action=action,
            dedup_key="{{ sla_miss.entity_id }}",
            summary="{{ sla_miss.text }}",
            severity="critical",
            source="{{ sla_miss.dag_id }}",
            links=[{"href": "{{ sla_miss.run_url }}", "text": "{{ sla_miss.run_id }}"}],
        )

    told = watch(SlaAlert(event("trigger"), recovery=event("resolve")))
    missed(told)
    succeeded(told)
    entity = f"airflow/EP_STAGE/telemetry/{RUN_ID}/load"
    first, second = alerts.pagerduty()
    assert (first["event_action"], first["dedup_key"], first["payload"]["summary"]) == ("trigger", entity, MISSED)
    assert (second["event_action"], second["dedup_key"], second["payload"]["summary"]) == ("resolve", entity, RECOVERED)
    assert first["routing_key"] == "hush-integration-key"
    assert first["links"][0]["text"] == RUN_ID
