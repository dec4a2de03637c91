"""An SLA as a short text, which Airflow keeps many times."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from airflow_agari_provider.alerts.payload_text import short_text, whole_text


def test_a_text_of_another_day_is_still_read():
    """Airflow's database keeps them for as long as a run is there."""
    assert whole_text("1:L)MX#pO}KGs}=w") == '{"task_id":"load","sla":3600.0}'


@given(st.text())
def test_every_text_comes_back(text):
    assert whole_text(short_text(text)) == text


def test_a_text_that_was_never_short_is_read_as_it_is():
    assert whole_text('{"task_id": "load"}') == '{"task_id": "load"}'


def test_it_needs_no_escape_in_json():
    text = short_text(json.dumps({"task_id": "load", "channel": '"<!channel>" \\ \n'}))
    assert json.dumps(text) == f'"{text}"'


def test_what_most_slas_say_takes_little_room():
    words = {"after": 900.0, "notifier": {"path": ".notifications.slack_sla_miss:SlackSlaMissNotifier"}}
    text = json.dumps(words, separators=(",", ":"))
    assert len(short_text(text)) < len(text) / 3
