"""The endpoints speak what the real ones speak, and keep every message."""

from __future__ import annotations

import json
import smtplib
import urllib.request

from airflow_agari_provider.local.demo.alert_endpoints import open_endpoints


def post(url: str, body: object) -> bytes:
    request = urllib.request.Request(url, data=json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request) as answer:
        return bytes(answer.read())


def test_messages_of_every_channel_are_kept_in_order(tmp_path):
    with open_endpoints(tmp_path) as sinks:
        assert post(f"{sinks.http}/slack/T0/B0/key", {"text": "late"}) == b"ok"
        post(f"{sinks.http}/victorops/alert/key/route", {"message_type": "CRITICAL", "state_message": "very late"})
        with smtplib.SMTP("127.0.0.1", sinks.mail_port) as mail:
            mail.sendmail("airflow@example.com", "team@example.com", "Subject: report\r\n\r\nall good\r\n")
        assert [(message.channel, message.text) for message in sinks.received] == [
            ("slack", "late"),
            ("victorops", "very late"),
            ("mail", "report"),
        ]
    lines = (tmp_path / "received.jsonl").read_text().splitlines()
    assert [json.loads(line)["channel"] for line in lines] == ["slack", "victorops", "mail"]


def test_two_can_run_at_the_same_time(tmp_path):
    with open_endpoints(tmp_path / "one") as one, open_endpoints(tmp_path / "two") as two:
        post(f"{two.http}/slack", {"text": "for two"})
        assert one.received == []
        assert [message.text for message in two.received] == ["for two"]
