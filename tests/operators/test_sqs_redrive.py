"""The operator that brings dead letters back: by hand on moto, which has no redrive, and by SQS's own."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import pytest

from airflow_agari_provider.airflow_compat import AirflowException, TaskDeferred
from airflow_agari_provider.operators.sqs_redrive import SqsRedriveOperator
from airflow_agari_provider.queues.move_task import MoveTaskFailed
from airflow_agari_provider.triggers.sqs_redrive import SqsRedriveTrigger
from tests.queues.letters import redrive

CONTEXT = {"ti": SimpleNamespace(try_number=1)}


@pytest.fixture
def dead(sqs, queue_url):
    url = sqs.create_queue(QueueName="importer-dead")["QueueUrl"]
    redrive(sqs, queue_url, url)
    for number in range(3):
        sqs.send_message(QueueUrl=queue_url, MessageBody=str(number))
    for _ in range(2):
        sqs.receive_message(QueueUrl=queue_url, VisibilityTimeout=0, MaxNumberOfMessages=10)
    return url


def operator(**arguments):
    return SqsRedriveOperator(task_id="redrive", aws_conn_id=None, region_name="us-east-1", **arguments)


@pytest.mark.parametrize("deferrable", [False, True])
def test_where_sqs_has_no_redrive_the_task_moves_the_letters(sqs, queue_url, dead, deferrable):
    result = operator(source_queue_url="importer", deferrable=deferrable).execute(CONTEXT)
    assert result == {"moved": 3, "left": 0, "homeless": 0, "by": "hand"}


def test_letters_of_an_archive_go_to_the_named_queue(sqs, s3, queue_url, bucket):
    line = {"message_id": "m", "body": "a\nb", "attributes": {}, "message_attributes": {}}
    s3.put_object(Bucket="agari", Key="dead/a.jsonl", Body=json.dumps(line).encode())
    result = operator(archive_url="s3://agari/dead/", to_queue=queue_url, exception=None).execute(CONTEXT)
    assert result["moved"] == 1
    assert sqs.receive_message(QueueUrl=queue_url)["Messages"][0]["Body"] == "a\nb"


def test_a_killed_task_fails_and_leaves_the_rest(sqs, queue_url, dead):
    killed = operator(queue_url=dead, method="hand")
    killed.on_kill()
    with pytest.raises(AirflowException, match="killed after 0"):
        killed.execute(CONTEXT)


def test_sqs_s_own_redrive_is_waited_for_without_a_slot(sqs, queue_url, dead, monkeypatch):
    from airflow_agari_provider.queues import move_task

    states = iter(["RUNNING", "COMPLETED"])

    def listed(*_):
        status = next(states, "COMPLETED")
        return [move_task.MoveTask("arn", 5, status, 3, handle="h")]

    monkeypatch.setattr(move_task, "_all", listed)
    deferring = operator(queue_url=dead, deferrable=True, poll_interval=0.01)
    with pytest.raises(TaskDeferred) as deferred:
        deferring.execute(CONTEXT)
    path, arguments = deferred.value.trigger.serialize()
    assert path == "airflow_agari_provider.triggers.sqs_redrive.SqsRedriveTrigger"
    event = asyncio.run(anext(SqsRedriveTrigger(**json.loads(json.dumps(arguments))).run()))
    result = deferring.execute_complete(CONTEXT, json.loads(json.dumps(event.payload)))
    assert result == {"moved": 3, "left": 0, "homeless": 0, "by": "sqs"}


def test_a_redrive_that_failed_fails_the_task():
    event = {"task": {"source_arn": "arn", "started": 5, "status": "FAILED", "moved": 2, "reason": "AccessDenied"}}
    with pytest.raises(MoveTaskFailed, match="FAILED after 2 message"):
        operator(queue_url="dead").execute_complete(CONTEXT, event)


@pytest.mark.parametrize("places", [{}, {"queue_url": "a", "archive_url": "s3://b/c"}])
def test_one_place_must_be_given(places):
    with pytest.raises(ValueError, match="one of queue_url, source_queue_url and archive_url"):
        operator(**places)


def test_sqs_s_own_redrive_has_no_filter(sqs, queue_url, dead):
    with pytest.raises(ValueError, match="knows no filters"):
        operator(queue_url=dead, method="sqs", exception="boom").execute(CONTEXT)
