"""A redrive that SQS does by itself, by its scripted answers."""

from __future__ import annotations

import pickle

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from airflow_agari_provider.queues.move_task import (
    MoveTask,
    MoveTaskFailed,
    can_move,
    cancel,
    moved_by,
    start_or_join,
    state_of,
)

ARN = "arn:aws:sqs:us-east-1:123456789012:importer-dead"


@pytest.fixture
def sqs():
    return boto3.client("sqs", region_name="us-east-1")


def task(status, **more):
    return MoveTask(ARN, 5, status, 2, **more)


def test_a_redrive_of_sqs_is_joined_and_counted(sqs):
    running = {"Status": "RUNNING", "TaskHandle": "h", "StartedTimestamp": 5, "ApproximateNumberOfMessagesMoved": 2}
    old = {"Status": "COMPLETED", "StartedTimestamp": 1, "ApproximateNumberOfMessagesMoved": 900}
    with Stubber(sqs) as stub:
        stub.add_response("list_message_move_tasks", {"Results": [old]})
        stub.add_response(
            "start_message_move_task", {"TaskHandle": "h"}, {"SourceArn": ARN, "MaxNumberOfMessagesPerSecond": 9}
        )
        for _ in range(3):
            stub.add_response("list_message_move_tasks", {"Results": [running, old]})
        stub.add_response("cancel_message_move_task", {"ApproximateNumberOfMessagesMoved": 2}, {"TaskHandle": "h"})
        done = {**running, "Status": "COMPLETED", "ApproximateNumberOfMessagesMoved": 40}
        stub.add_response("list_message_move_tasks", {"Results": [done, old]})
        task = start_or_join(sqs, ARN, None, 9)
        assert start_or_join(sqs, ARN, None, 9) == task
        cancel(sqs, task)
        assert moved_by(state_of(sqs, task)) == 40
    with pytest.raises(MoveTaskFailed, match="importer-dead is RUNNING after 2"):
        moved_by(task)


@pytest.mark.parametrize(
    ("status", "live"),
    [("RUNNING", True), ("CANCELLING", True), ("COMPLETED", False), ("CANCELLED", False), ("FAILED", False)],
)
def test_a_redrive_lives_until_it_has_ended(status, live):
    assert task(status).live is live


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("AWS.SimpleQueueService.UnsupportedOperation", 400, False),
        ("InvalidAction", 400, False),
        ("UnknownOperationException", 400, False),
        ("NotImplemented", 501, False),
        ("404", 404, False),
        ("500", 500, False),
        ("AccessDenied", 403, True),
        ("ResourceNotFoundException", 400, True),
        ("ThrottlingException", 400, True),
        ("InternalError", 500, True),
        ("", None, True),
    ],
)
def test_where_sqs_has_no_redrive_it_says_so(code, status, expected):
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    assert can_move(ClientError(answer, "StartMessageMoveTask")) is expected


def test_an_error_without_an_answer_says_nothing_about_it():
    assert can_move(OSError("no connection"))


def test_a_request_has_the_queue_that_gets_the_letters_and_no_rate_if_none_is_given(sqs):
    with Stubber(sqs) as stub:
        stub.add_response("list_message_move_tasks", {})
        stub.add_response("start_message_move_task", {}, {"SourceArn": ARN, "DestinationArn": f"{ARN}-2"})
        stub.add_response("list_message_move_tasks", {})
        started = start_or_join(sqs, ARN, f"{ARN}-2", None)
    assert (started.status, started.moved, started.handle) == ("RUNNING", 0, None)


def test_of_several_the_one_that_runs_is_joined(sqs):
    results = [
        {"Status": "COMPLETED", "StartedTimestamp": 9},
        {"Status": "RUNNING", "StartedTimestamp": 5, "TaskHandle": "h"},
        {"Status": "CANCELLED"},
    ]
    with Stubber(sqs) as stub:
        stub.add_response("list_message_move_tasks", {"Results": results}, {"SourceArn": ARN, "MaxResults": 10})
        assert start_or_join(sqs, ARN, None, None).handle == "h"


def test_a_state_that_sqs_has_forgotten_is_the_last_one_known(sqs):
    with Stubber(sqs) as stub:
        stub.add_response("list_message_move_tasks", {"Results": [{"Status": "FAILED", "StartedTimestamp": 6}]})
        assert state_of(sqs, task("RUNNING")) == task("RUNNING")


def test_what_has_ended_is_not_cancelled(sqs):
    with Stubber(sqs) as stub:
        stub.add_response("list_message_move_tasks", {"Results": [{"Status": "COMPLETED", "StartedTimestamp": 5}]})
        cancel(sqs, task("RUNNING", handle="h"))
        stub.assert_no_pending_responses()


@pytest.mark.parametrize(("reason", "says"), [("ü: no such queue", "ü: no such queue"), ("", "no reason given")])
def test_a_redrive_that_failed_says_how_far_it_was_and_why(reason, says):
    with pytest.raises(MoveTaskFailed) as caught:
        moved_by(task("FAILED", reason=reason))
    error = pickle.loads(pickle.dumps(caught.value))
    assert str(error).startswith(f"The redrive of {ARN} is FAILED after 2 message(s): {says}. The rest is still in")
