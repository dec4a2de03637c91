"""JSON of an SLA as a short text: Airflow keeps it for each SLA and step of a DAG, and again with each of its runs."""

from __future__ import annotations

import zlib
from base64 import b85decode, b85encode

# What most SLAs say; zlib writes what is also here as a reference. A text that was stored can only be read with the
# words it was written with, so a change needs a new mark, and the old words beside it.
_MARK = "1:"
_WORDS = (
    b'"by":":00:00 UTC","digest":300.0,"incident":"run","dag","when_failed":"downgrade","skip","reference":'
    b'"logical_date",'
    b'"silent_for":["manual","backfill"],"mapped":[""],"lookalikes":[],"families":[],"recovery":{"path":"airflow.providers.'
    b'pagerduty.notifications.pagerduty:PagerdutyNotifier","arguments":{"summary":"{{ sla_miss.text }}","severity":'
    b'"critical","source":"{{ sla_miss.dag_id }}","dedup_key":"{{ sla_miss.entity_id }}","pagerduty_events_conn_id":'
    b'"pagerduty_events_default","action":"trigger","resolve"}},"fallback":{"path":"airflow.providers.smtp.notifications.'
    b'smtp:SmtpNotifier","arguments":{"to":"@example.com","subject":"{{ sla_miss.text }}","html_content":'
    b'"{{ sla_miss.details }}"}},{"after":900.0,"notifier":{"path":".notifications.victorops_sla_miss:'
    b'VictorOpsSlaMissNotifier","arguments":{"message_type":"WARNING","CRITICAL","routing_key":"","victorops_conn_id":'
    b'"victorops_default"}}},{"after":1800.0,"notifier":{"path":".notifications.slack_sla_miss:SlackSlaMissNotifier",'
    b'"arguments":{"mentions":["<!channel>","<!here>"],"channel":"C0","slack_conn_id":"slack_default","slack_webhook"}}}],'
    b'"dag_id":"","claims":"sql:","environment":"","silent_for":["backfill"],"owner":"airflow","packed":{"tasks":"",'
    b'"upstream":"c-","reported_later":"c-","reported_earlier":"c-"}}{"task_id":"","sla":3600.0,"alerts":[{"after":0.0,'
)


def short_text(text: str) -> str:
    """Write JSON short, in characters that need no escape in JSON."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=_WORDS)
    return _MARK + b85encode(packer.compress(text.encode()) + packer.flush()).decode()


def whole_text(text: str) -> str:
    """Return the JSON, also if it is not written short."""
    if not text.startswith(_MARK):
        return text
    unpacker = zlib.decompressobj(-15, zdict=_WORDS)
    return (unpacker.decompress(b85decode(text.removeprefix(_MARK))) + unpacker.flush()).decode()
