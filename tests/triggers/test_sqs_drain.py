"""The trigger: what a triggerer that takes it over knows, and what it watches itself."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict

import pytest

from airflow_agari_provider.queues.depth import QueueDepth
from airflow_agari_provider.queues.drain_watch import DrainWatch
from airflow_agari_provider.triggers.sqs_drain import SqsDrainTrigger

AWS = {"aws_conn_id": None, "region_name": "us-east-1"}
FOREVER = 9e9  # seconds since 1970


def run(watch, deadline=FOREVER):
    event = asyncio.run(anext(SqsDrainTrigger(watch, AWS, deadline).run()))
    return json.loads(json.dumps(event.payload))


def test_a_trigger_survives_its_row_in_the_database():
    from airflow.models.trigger import Trigger

    watch = DrainWatch(
        ["https://sqs/a", "https://sqs/b"], ["https://sqs/dead"], dead_letters_before={"https://sqs/dead": 3}
    )
    watch.observe(
        {"https://sqs/a": QueueDepth(1, 2, 3), "https://sqs/b": QueueDepth(0, 0, 0)}, 1e9, {"https://sqs/dead": 4}
    )
    trigger = SqsDrainTrigger(asdict(watch), AWS, 1e9)
    row = Trigger.from_object(trigger)
    again = SqsDrainTrigger(**row.kwargs)
    assert row.classpath == "airflow_agari_provider.triggers.sqs_drain.SqsDrainTrigger"
    assert again.serialize() == trigger.serialize()
    assert DrainWatch(**again.watch) == watch


def test_a_takeover_watches_a_whole_quiet_period_but_keeps_the_beginning(sqs, queue_url):
    watch = DrainWatch(
        [queue_url], poll_interval=0.1, quiet_period=1, quiet_since=0, started_at=0, polls=7, depth_peak=40
    )
    event = run(asdict(watch))
    assert event["status"] == "drained"
    assert event["figures"]["polls"] >= 7 + 2
    assert event["figures"]["depth_peak"] == 40
    assert event["figures"]["seconds"] > 1e9


def test_dead_letters_since_the_beginning_fail_after_a_restart(sqs, queue_url):
    sqs.send_message(QueueUrl=queue_url, MessageBody="poison")
    dead, source = queue_url, sqs.create_queue(QueueName="source")["QueueUrl"]
    watch = DrainWatch([source], [dead], poll_interval=0.1, quiet_period=5, dead_letters_before={dead: 0})
    event = run(asdict(watch))
    assert event["status"] == "dead_letters"
    assert "grew from 0 to 1" in event["message"]


@pytest.fixture
def variables(monkeypatch):
    """Airflow's Variables in a dict."""
    from airflow_agari_provider.triggers import sqs_drain

    kept = {}

    class Variable:
        @staticmethod
        def get(key, default, deserialize_json):
            return json.loads(kept[key]) if key in kept else default

        @staticmethod
        def set(key, value, description, serialize_json):
            kept[key] = json.dumps(value)

    monkeypatch.setattr(sqs_drain, "Variable", Variable)
    return kept


def test_what_was_seen_survives_a_restart_of_the_triggerer(sqs, queue_url, variables):
    memory = {"name": "agari_wait_1", "state": {"try_number": 1, "deadline": FOREVER}}
    watch = asdict(DrainWatch([queue_url], poll_interval=0.1, quiet_period=0.2, expected_messages=2))

    async def seen_and_killed():
        task = asyncio.ensure_future(anext(SqsDrainTrigger(watch, AWS, FOREVER, memory).run()))
        while not variables:
            await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    for _ in range(2):
        sqs.send_message(QueueUrl=queue_url, MessageBody="scored")
    asyncio.run(seen_and_killed())
    sqs.purge_queue(QueueUrl=queue_url)
    trigger = SqsDrainTrigger(**json.loads(json.dumps(SqsDrainTrigger(watch, AWS, FOREVER, memory).serialize()[1])))
    event = asyncio.run(anext(trigger.run())).payload
    assert (event["status"], event["figures"]["messages_seen"], event["remembered"]) == ("drained", 2, True)
    other_try = SqsDrainTrigger(watch, AWS, 0, memory | {"state": {"try_number": 2, "deadline": FOREVER}})
    assert asyncio.run(anext(other_try.run())).payload["status"] == "timeout"


def test_waits_share_one_client(sqs, queue_url):
    from airflow_agari_provider.hooks.aws_clients import _shared

    async def wait_twice():
        watch = asdict(DrainWatch([queue_url], poll_interval=0.1, quiet_period=0.2))
        return await asyncio.gather(*(anext(SqsDrainTrigger(watch, AWS, FOREVER).run()) for _ in range(2)))

    assert [event.payload["status"] for event in asyncio.run(wait_twice())] == ["drained", "drained"]
    assert [list(clients._clients) for clients in _shared.values()] == [["sqs []"]]


def test_the_deadline_holds(sqs, queue_url):
    sqs.send_message(QueueUrl=queue_url, MessageBody="scored")
    event = run(asdict(DrainWatch([queue_url])), deadline=0)
    assert event["status"] == "timeout"
    assert event["message"] == "1 visible, 0 in flight, 0 delayed"


def test_a_queue_that_goes_away_fails(sqs, queue_url):
    sqs.delete_queue(QueueUrl=queue_url)
    event = run(asdict(DrainWatch([queue_url])))
    assert event["status"] == "failed"
    assert "does not exist" in event["message"]


def test_a_bug_crashes_with_its_traceback(sqs, queue_url):
    with pytest.raises(TypeError):
        run(asdict(DrainWatch([queue_url])) | {"quiet_period": "two minutes"})
