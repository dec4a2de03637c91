"""The trigger that waits for a redrive of SQS; moto has none, so its answers are scripted."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict

import pytest

from airflow_agari_provider.queues import move_task
from airflow_agari_provider.queues.move_task import MoveTask
from airflow_agari_provider.triggers.sqs_redrive import SqsRedriveTrigger

AWS = {"aws_conn_id": None, "region_name": "us-east-1"}
ARN = "arn:aws:sqs:us-east-1:123456789012:importer-dead"


def task(status, moved=0):
    return MoveTask(ARN, 5, status, moved, handle="h" if status == "RUNNING" else None)


@pytest.fixture
def asked(monkeypatch, aws):
    """Scripts what SQS answers about the redrive; returns how often it was asked."""

    def script(*answers):
        left, count = list(answers), []

        def listed(*_):
            count.append(1)
            return [left.pop(0) if len(left) > 1 else left[0]]

        monkeypatch.setattr(move_task, "_all", listed)
        return count

    return script


def fired(state):
    trigger = SqsRedriveTrigger(asdict(state), AWS, 0.001)
    path, arguments = trigger.serialize()
    assert path == "airflow_agari_provider.triggers.sqs_redrive.SqsRedriveTrigger"
    event = asyncio.run(anext(SqsRedriveTrigger(**json.loads(json.dumps(arguments))).run()))
    return MoveTask(**json.loads(json.dumps(event.payload))["task"])


@pytest.mark.parametrize("end", ["COMPLETED", "FAILED", "CANCELLED"])
def test_it_waits_until_the_redrive_has_ended_however_it_ends(asked, end):
    count = asked(task("RUNNING"), task("CANCELLING", 2), task(end, 3))
    assert fired(task("RUNNING")) == task(end, 3)
    assert len(count) == 3


def test_what_has_ended_already_is_not_asked_about(asked):
    count = asked(task("FAILED"))
    assert fired(task("COMPLETED", 7)) == task("COMPLETED", 7)
    assert count == []


def test_a_redrive_that_sqs_no_longer_lists_keeps_its_last_state(asked):
    asked(MoveTask(ARN, 6, "FAILED", 9), task("COMPLETED", 3))
    assert fired(task("RUNNING")).moved == 3
