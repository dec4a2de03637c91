from __future__ import annotations

import pytest

from airflow_agari_provider.alerts.secrets import secrets_in

HOOK = "https://hooks.example.com/services/T012AB3CD/B012AB3CD/hushHUSHhush0123456789ab"


@pytest.mark.parametrize(
    ("name", "value", "places"),
    [
        ("integration_key", "hush", ["integration_key"]),
        ("webhook_url", "https://example.com/x", ["webhook_url"]),
        ("webhook_endpoint", "services/x", ["webhook_endpoint"]),
        ("headers", {"Accept": "text/plain", "Authorization": "hush"}, ["headers['Authorization']"]),
        ("headers", {"X-Api-Key": "hush", "x-auth-token": "hush"}, ["headers['X-Api-Key']", "headers['x-auth-token']"]),
        ("extra_options", {"deep": [{"password": "hush"}]}, ["extra_options['deep'][0]['password']"]),
        ("data", "Bearer hushhushhush", ["data"]),
        ("body", {"to": "xoxb-hush-hush"}, ["body['to']"]),
        ("endpoint", HOOK, ["endpoint"]),
        ("endpoint", HOOK.partition("example.com/")[2], ["endpoint"]),
        ("text", f"see {HOOK} for more", ["text"]),
        ("url", "https://example.com/alert?sig=h1ush2HUSH34hush5HUSH", ["url"]),
        ("endpoint", "v2/enqueue/h1ush2HUSH34hush5HUSH", ["endpoint"]),
        ("url", "https://ada:hush@example.com/", ["url"]),
        ("headers", {"X-Auth": "hush"}, ["headers['X-Auth']"]),
        ("headers", {"DD-APPLICATION-KEY": "hush"}, ["headers['DD-APPLICATION-KEY']"]),
        ("auth", ["ada", "hush"], ["auth[0]", "auth[1]"]),
        ("webhook", "https://example.com/x", ["webhook"]),
        ("data", '{"text": "late", "token": "hush"}', ["data['token']"]),
        ("data", "token=hush&channel=late", ["data"]),
        ("settings", "Endpoint=sb://example/;SharedAccessKey=hush", ["settings"]),
        ("endpoint", "v1/spaces/AAA/messages?key=hush&threadKey=1", ["endpoint"]),
        ("endpoint", "hooks/hushhushhushhushhushhushhu", ["endpoint"]),
        ("endpoint", "integrations/generic/20131114/alert/hush/team", ["endpoint"]),
        ("url", "https://hooks.zapier.com/hooks/catch/123/hush12", ["url"]),
        ("url", "https://api.telegram.org/bot123456:hush/sendMessage", ["url"]),
        ("url", "https://x.logic.azure.com:443/workflows/a/triggers/manual/paths/invoke?api-version=1", ["url"]),
        ("url", "https://0123456789abcdef0123456789abcdef@sentry.example.com/1", ["url"]),
        ("body", "-----BEGIN RSA PRIVATE KEY-----hush", ["body"]),
        ("url", "https://x.webhook.office.com/webhookb2/0f8fad5b-d9cb-469f-a165-70867728950e/x", ["url"]),
    ],
)
def test_a_secret_is_found_by_its_name_or_its_form(name, value, places):
    found = list(secrets_in(name, value))
    assert found == places
    assert "hush" not in "".join(found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("slack_webhook_conn_id", "slack_hook"),
        ("http_conn_id", "alerting"),
        ("routing_key", "data-team"),
        ("dedup_key", "{{ sla_miss.entity_id }}"),
        ("endpoint", "alerts/{{ sla_miss.dag_id }}"),
        ("headers", {"Content-Type": "application/json", "X-Run": "{{ sla_miss.run_id }}"}),
        ("queue_url", "https://sqs.eu-west-1.amazonaws.com/123456789012/importer_dead_letters_of_2016"),
        ("target_arn", "arn:aws:sns:eu-west-1:123456789012:late-tasks-of-the-pipeline"),
        (
            "html_content",
            '<a href="https://airflow.example.com/dags/{{ sla_miss.dag_id }}/grid">{{ sla_miss.text }}</a>',
        ),
        ("to", ["oncall@example.com"]),
        ("template", "/opt/airflow/templates/late.html"),
        ("webhook_token_conn_id", "alerting"),
        ("headers", {"X-Token": "{{ sla_miss.entity_id }}"}),
        ("data", '{"text": "{{ sla_miss.text }}", "routing_key": "data-team"}'),
        ("endpoint", "hooks/airflow-sla-misses"),
        ("dashboard", "https://grafana.example.com/d/abc123/pipeline?orgId=1&from=now-6h"),
        ("responders", [{"id": "4513b7ea-3b91-438f-b7e4-e3e54af9147c", "type": "team"}]),
        ("summary", "Bearer of bad news: {{ sla_miss.text }}"),
        ("author", "ada"),
        ("password", None),
        ("token", ""),
        ("use_token", False),
    ],
)
def test_what_is_no_secret_is_let_through(name, value):
    assert list(secrets_in(name, value)) == []
