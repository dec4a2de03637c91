"""What a deadline of Airflow 3 does when it has passed; the states of tasks are told by the test."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest

from airflow_agari_provider import airflow_runs
from airflow_agari_provider.alerts import delivery
from airflow_agari_provider.slas import SlaAlert, deadline_callback, dispatch
from airflow_agari_provider.slas.deadline_callback import on_deadline
from tests.slas.airflow_calls import (
    DATE,
    MISSED,
    RUN_ID,
    SLACK,
    VICTOROPS,
    WEBHOOK,
    as_object,
    context,
    missed,
    succeeded,
)


def test_a_late_task_is_told_to_everybody(watch, states, alerts):
    assert missed(watch(SLACK, VICTOROPS)) == {"Slack slack_api C012AB3CD": "sent", "VictorOps victorops ": "sent"}
    assert [message["text"] for message in alerts.slack()] == [MISSED]
    assert [(alert["message_type"], alert["state_message"]) for alert in alerts.victorops()] == [("CRITICAL", MISSED)]
    assert alerts.victorops()[0]["blocking_tasks"] == "load (running)"


@pytest.mark.parametrize("shape", [dict, as_object], ids=["a dict", "objects"])
def test_a_context_of_either_shape_is_read_and_what_is_new_in_it_is_ignored(shape, watch, states, alerts):
    given, told = shape({**context(), "new": 1}), watch(VICTOROPS)
    given["deadline_of"] = object()
    asyncio.run(on_deadline(told.to_json(), context=given, newer_argument=1))
    (alert,) = alerts.victorops()
    assert (alert["run_id"], alert["state_message"]) == (RUN_ID, MISSED)
    assert alert["entity_display_name"] == f"telemetry.load late by 2 s ({RUN_ID})"


def test_a_context_of_objects_names_its_kind_of_run(watch, states, alerts):
    told = watch(VICTOROPS, silent_for=["backfill"])
    answer = asyncio.run(on_deadline(told.to_json(), context=as_object(context(run_type="backfill"))))
    assert json.loads(answer) == "not watched: backfill"


class Unreadable:
    def __getattr__(self, name):
        raise RuntimeError("no such form was known")


@pytest.mark.parametrize(
    "given",
    [None, {}, {"dag_run": "text"}, {"deadline": {"deadline_time": "tomorrow"}}, {"dag_run": Unreadable()}, 42],
    ids=["nothing", "empty", "text", "no time", "fails", "a number"],
)
def test_what_cannot_be_read_pages_with_what_is_known(given, watch, states, alerts, caplog):
    told = watch(VICTOROPS, SLACK, dag_id="telemetry", owner="ada")
    answer = asyncio.run(on_deadline(told.to_json(), context=given))
    assert list(json.loads(answer).values()) == ["sent", "sent"]
    (alert,) = alerts.victorops()
    assert alert["state_message"].startswith("EP_STAGE - telemetry SLA Miss for task load on ")
    assert alert["run_id"].startswith("unknown run 20")
    assert alert["details"].startswith("Perhaps late: Airflow did not tell how it stands, due ")
    assert not [name for name in alert if name.startswith("vo_annotate")]
    assert "Airflow did not tell which run of telemetry has missed an SLA" in caplog.text


@pytest.mark.parametrize(
    ("changed", "passed"),
    [({"logical_date": "soon", "run_after": "2016-02-26T18:00:00"}, None), ({"logical_date": DATE}, 1_456_509_600_000)],
    ids=["a date", "a deadline"],
)
def test_a_fact_that_cannot_be_read_hides_no_other(changed, passed, watch, states, alerts):
    given = context()
    given["dag_run"] |= changed
    given["deadline"]["deadline_time"] = passed
    asyncio.run(on_deadline(watch(VICTOROPS).to_json(), context=given))
    (alert,) = alerts.victorops()
    assert (alert["run_id"], alert["state_message"]) == (RUN_ID, MISSED)


def test_a_time_without_a_zone_is_in_utc(watch, states, alerts):
    given = context()
    given["deadline"]["deadline_time"] = "2016-02-26T19:30:00"
    asyncio.run(on_deadline(watch(VICTOROPS).to_json(), context=given))
    assert alerts.victorops()[0]["state_start_time"] == 1_456_515_000


def test_each_run_is_told_also_if_airflow_gives_deadlines_no_id(watch, states, alerts, monkeypatch):
    monkeypatch.setattr(airflow_runs, "read_run", lambda dag_id, run_id: ("running", {"load": "running"}))
    runs = ["scheduled__1", "scheduled__2"]
    for run_id in [*runs, runs[-1]]:
        given = {"dag_run": {**context()["dag_run"], "dag_run_id": run_id}}
        asyncio.run(on_deadline(watch(VICTOROPS).to_json(), context=given))
    assert [alert["run_id"] for alert in alerts.victorops()] == runs


def test_if_airflow_never_tells_how_a_task_stands_it_is_told(watch, states, alerts, monkeypatch):
    monkeypatch.setattr(deadline_callback, "ASK_FOR", 0.1)
    states[:] = [RuntimeError("the API server is down")]
    assert list(missed(watch(VICTOROPS)).values()) == ["sent"]
    assert alerts.victorops()[0]["details"].startswith("Perhaps late: Airflow did not tell how it stands, due ")


def test_a_task_in_time_is_not_told(watch, states, alerts):
    states[:] = [{"load": "success"}]
    assert missed(watch(SLACK, VICTOROPS)) == "in time"
    assert alerts.received == []


def test_runs_that_are_not_watched_are_not_told(watch, states, alerts):
    assert missed(watch(SLACK, silent_for=["backfill"]), run_type="backfill") == "not watched: backfill"
    assert alerts.received == []


def test_a_task_that_comes_in_while_it_is_told_is_told_as_recovered(watch, states, alerts):
    states[:] = [{"load": "running"}, {"load": "success"}]
    missed(watch(VICTOROPS))
    assert [alert["message_type"] for alert in alerts.victorops()] == ["CRITICAL", "RECOVERY"]


@pytest.mark.parametrize(
    ("changes", "then"),
    [
        ({"when_failed": "skip"}, {"extract": "success", "load": "failed"}),
        ({"reported_later": ["extract"]}, {"extract": "failed", "load": "upstream_failed"}),
    ],
    ids=["its own failure, for which no alert is wanted", "a failure that another SLA tells"],
)
def test_a_task_that_fails_while_it_is_told_has_not_recovered(changes, then, watch, states, alerts):
    states[:] = [{"extract": "running", "load": "running"}, then]
    missed(watch(VICTOROPS, **changes))
    assert [alert["message_type"] for alert in alerts.victorops()] == ["CRITICAL"]


def test_a_failure_is_not_hidden_by_an_unrelated_one(watch, states, alerts):
    """``score -> load`` and ``other``, of which ``score`` has no SLA: only ``load`` can tell that it failed."""
    states[:] = [{"score": "failed", "load": "upstream_failed", "other": "failed"}]
    missed(watch(VICTOROPS, upstream=["load", "score"]))
    assert [alert["entity_display_name"] for alert in alerts.victorops()] == [
        f"telemetry.load failed and therefore late ({RUN_ID})"
    ]


def test_a_failure_that_was_told_already_is_told_once(watch, states, alerts):
    states[:] = [{"extract": "failed", "load": "upstream_failed"}]
    missed(watch(VICTOROPS, SLACK, task_id="extract"), deadline="1")
    assert missed(watch(VICTOROPS, SLACK, reported_earlier=["extract"]), deadline="2") == "nothing to tell"
    assert [alert["task_id"] for alert in alerts.victorops()] == ["extract"]


@pytest.mark.parametrize("claims", ["sql:claims", "sql:nowhere", ""], ids=["claims", "no connection", "no claims"])
def test_a_task_that_was_in_time_then_cleared_and_failed_hides_nothing(claims, watch, states, alerts, monkeypatch):
    monkeypatch.setattr(delivery, "REPEATABLE_UNCLAIMED_AFTER", 0)
    monkeypatch.setattr(dispatch, "GIVE_UP_AFTER", 1)  # what cannot be recorded is tried for as long
    states[:] = [{"extract": "success", "load": None}]
    assert missed(watch(VICTOROPS, task_id="extract", claims=claims), deadline="1") == "in time"
    states[:] = [{"extract": "failed", "load": "upstream_failed"}]
    missed(watch(VICTOROPS, reported_earlier=["extract"], claims=claims), deadline="2")
    assert [alert["task_id"] for alert in alerts.victorops()] == ["load"]


def test_nor_does_one_that_was_late_came_in_and_was_cleared(watch, states, alerts):
    extract = watch(VICTOROPS, task_id="extract")
    states[:] = [{"extract": "running"}]
    missed(extract, deadline="1")
    succeeded(extract, task_id="extract")
    states[:] = [{"extract": "failed", "load": "upstream_failed"}]
    missed(watch(VICTOROPS, reported_earlier=["extract"]), deadline="2")
    told = [(alert["task_id"], alert["message_type"]) for alert in alerts.victorops()]
    assert told == [("extract", "CRITICAL"), ("extract", "RECOVERY"), ("load", "CRITICAL")]


def test_a_storm_is_one_message_and_a_digest_and_an_incident_each(watch, states, alerts):
    async def storm():
        hook = SlaAlert(WEBHOOK, recovery=WEBHOOK)
        tasks = [watch(SLACK, VICTOROPS, hook, task_id=name, digest=6) for name in ("load", "extract", "report")]
        due = datetime.now(UTC)  # of all three, which are one window
        contexts = [
            {**context(str(number)), "deadline": {"id": str(number), "deadline_time": due}} for number in (1, 2, 3)
        ]
        return await asyncio.gather(
            *(on_deadline(task.to_json(), one) for task, one in zip(tasks, contexts, strict=True))
        )

    states[:] = [{"load": "running", "extract": "running", "report": None}]
    asyncio.run(storm())
    one, digest = [message for message in alerts.slack() if "channel" in message]
    assert one["text"] in [MISSED.replace("load", name) for name in ("load", "extract", "report")]
    assert digest["text"] == "EP_STAGE - telemetry SLA Miss for 2 more"
    told = "".join(block["text"]["text"] for block in digest["blocks"])
    assert told.count("on 2016-02-26T18:00:00") == 2
    assert len(alerts.victorops()) == 3
    assert len(alerts.slack()) == 2 + 3


def test_the_same_deadline_in_two_triggerers_is_told_once(watch, states, alerts, monkeypatch):
    told = watch(SLACK, VICTOROPS)
    missed(told)
    monkeypatch.setattr(deadline_callback, "_jobs", {})  # another process
    assert set(missed(told).values()) == {"sent already"}
    assert (len(alerts.slack()), len(alerts.victorops())) == (1, 1)


def test_a_callback_that_airflow_cancels_and_starts_again_goes_on(watch, states, alerts):
    told = watch(SLACK).to_json()
    alerts.failures = [503]

    async def steal():
        for _ in range(3):
            stolen = asyncio.ensure_future(on_deadline(told, context()))
            await asyncio.sleep(0.01)
            stolen.cancel()
        return await on_deadline(told, context())

    assert json.loads(asyncio.run(steal())) == {"Slack slack_api C012AB3CD": "sent"}
    assert len(alerts.slack()) == 1


def test_airflow_that_does_not_answer_is_asked_again(watch, states, alerts):
    states[:] = [RuntimeError("the API server is down"), {"load": "running"}]
    missed(watch(VICTOROPS))
    assert len(alerts.victorops()) == 1
