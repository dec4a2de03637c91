from __future__ import annotations

import json
from dataclasses import replace

import pytest

from airflow_agari_provider.alerts.miss import SlaMiss, TaskInState
from airflow_agari_provider.alerts.slack_message import slack_message

MISS = SlaMiss(
    dag_id="ep_telemetry_v2",
    run_id="run",
    task_id="load",
    date="2016-02-26T18:00:00",
    environment="EP_STAGE",
    run_url="https://airflow/dags/ep_telemetry_v2/runs/run",
    task_url="https://airflow/dags/ep_telemetry_v2/runs/run/tasks/load",
)


def texts(message):
    return [block["text"]["text"] for block in message["blocks"]]


def test_task_and_date_are_links_and_the_notification_is_plain():
    message = slack_message(MISS)
    assert message["text"] == "EP_STAGE - ep_telemetry_v2 SLA Miss for task load on 2016-02-26T18:00:00"
    (told,) = texts(message)
    assert told == (
        "EP_STAGE - ep_telemetry_v2 SLA Miss for task <https://airflow/dags/ep_telemetry_v2/runs/run/tasks/load|load>"
        " on <https://airflow/dags/ep_telemetry_v2/runs/run|2016-02-26T18:00:00>\nLate"
    )


def test_the_tasks_in_the_way_are_named_with_links():
    blocking = (
        TaskInState("extract", "running", try_number=2, url="https://airflow/extract"),
        TaskInState("load", None),
    )
    assert texts(slack_message(replace(MISS, blocking=blocking)))[1] == (
        "Waiting for:\n• <https://airflow/extract|extract> (running, try 2)\n• load (not scheduled)"
    )


@pytest.mark.parametrize("url", ["", "https://airflow/" + "x" * 3000], ids=["no links", "endless links"])
def test_any_number_of_tasks_in_the_way_fits_slack_s_limits(url):
    blocking = tuple(TaskInState("group." * 40 + f"task_{index}", "running", url=url) for index in range(500))
    hostile = replace(MISS, task_id="&" * 5000, dag_id="<" * 5000, owner=">" * 5000, blocking=blocking, task_url=url)
    message = slack_message(hostile, mentions=["<!channel>"])
    assert len(message["blocks"]) <= 50
    assert len(message["text"]) <= 4000
    assert all(len(text) <= 3000 for text in texts(message))
    assert texts(message)[1].endswith("more")


def test_data_makes_no_mention_and_no_link():
    hostile = "<!channel> <https://evil|click> &amp;"
    message = slack_message(
        replace(
            MISS, task_id=hostile, owner=hostile, environment="<!here>", blocking=(TaskInState(hostile, "running"),)
        ),
        mentions=["<@U012AB3CD>"],
    )
    sent = json.dumps(message)
    assert "<!" not in sent
    assert "<https://evil" not in sent
    assert texts(message)[0].startswith(
        "<@U012AB3CD> &lt;!here&gt; - ep_telemetry_v2 SLA Miss for task <https://airflow"
    )


HOSTILE = {
    "mention": "<!channel>",
    "at": "@here",
    "address": "https://evil.example",
    "link": "<https://evil|click>",
    "direction": "\u202egro.live",
    "code": "```",
}


@pytest.mark.parametrize("field", ["environment", "dag_id", "task_id", "date", "owner", "blocking", "collected"])
@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_no_field_is_read_as_markup(field, hostile):
    value = {"blocking": (TaskInState(hostile, "running"),), "collected": (hostile,)}.get(field, hostile)
    message = slack_message(replace(MISS, **{field: value}))
    assert all(block["text"]["verbatim"] is True for block in message["blocks"])
    told = "".join(texts(message))
    assert not [markup for markup in ("<!", "<https://evil", "\u202e", "`") if markup in told]
    assert not [markup for markup in ("<!", "<https://evil", "\u202e") if markup in message["text"]]


def test_a_text_of_one_s_own_is_shown_as_it_is():
    message = slack_message(MISS, "5 < 6 & <!here>")
    assert message["text"] == "5 &lt; 6 &amp; &lt;!here&gt;"
    assert texts(message) == ["5 &lt; 6 &amp; &lt;!here&gt;\nLate"]


def test_a_message_that_may_be_there_already_says_so():
    assert "may come twice" in texts(slack_message(MISS, in_doubt=True))[-1]


def test_a_digest_says_how_many_there_are_and_names_some():
    names = tuple(f"load_{number:03} on 2016-02-26T18:00:00 <!channel>" for number in range(500))
    message = slack_message(replace(MISS, collected=names), mentions=["<!here>"])
    assert message["text"] == "EP_STAGE - ep_telemetry_v2 SLA Miss for 500 more"
    head, listed = [block["text"]["text"] for block in message["blocks"]]
    assert head == "<!here> EP_STAGE - ep_telemetry_v2 SLA Miss for 500 more"
    assert listed.splitlines()[0] == "• load_000 on 2016-02-26T18:00:00 &lt;!channel&gt;"
    assert listed.splitlines()[15:] == ["… and 485 more"]


@pytest.mark.parametrize(
    ("mention", "end"),
    [("<!here>", "&lt;&lt;&lt;…"), ("<!channel>", "&lt;&lt;&lt;…"), ("<@U1>", "&lt;&lt;…")],
)
def test_a_section_is_not_cut_inside_an_escape_either(mention, end):
    (text,) = texts(slack_message(MISS, "<" * 3000, mentions=[mention]))
    assert len(text) <= 3000
    assert text.endswith(end)
    assert set(text.removeprefix(f"{mention} ").removesuffix("…").split("&lt;")) == {""}
