"""A wait on queues of moto."""

from __future__ import annotations

import json
import logging

import boto3
import pytest
from botocore.stub import Stubber

from airflow_agari_provider.queues.depth import QueueDepth, read_depth
from airflow_agari_provider.queues.drain import poll, start_watch
from airflow_agari_provider.queues.drain_errors import DeadLettersGrew

Q = "https://sqs.us-east-1.amazonaws.com/123456789012/importer"
OTHER = "https://sqs.us-east-1.amazonaws.com/123456789012/importer-2"
DEAD = "https://sqs.us-east-1.amazonaws.com/123456789012/importer-dead"


@pytest.fixture
def dead_letter_url(sqs, queue_url):
    """URL of the dead-letter queue of ``queue_url``, which takes a message over at its second receive."""
    url = sqs.create_queue(QueueName="importer-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"RedrivePolicy": policy})
    return url


def test_a_message_an_importer_still_holds_keeps_the_queue_busy(sqs, queue_url):
    sqs.send_message(QueueUrl=queue_url, MessageBody="scored")
    sqs.receive_message(QueueUrl=queue_url, VisibilityTimeout=60)
    watch = start_watch(sqs, [queue_url], quiet_period=0)
    assert poll(sqs, watch, now=0) == 30


def test_the_watched_queue_is_never_received_from(sqs, queue_url, dead_letter_url):
    sqs.send_message(QueueUrl=queue_url, MessageBody="scored")
    watch = start_watch(sqs, [queue_url], on_dead_letters="warn")
    for minute in range(5):
        poll(sqs, watch, now=60 * minute)
        sqs.send_message(QueueUrl=dead_letter_url, MessageBody="dead")
    message = sqs.receive_message(QueueUrl=queue_url, MessageSystemAttributeNames=["All"])["Messages"][0]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"  # this receive


def test_the_dead_letter_queue_is_found_and_its_growth_fails_with_a_sample(sqs, queue_url, dead_letter_url):
    sqs.send_message(QueueUrl=dead_letter_url, MessageBody="an old one")
    watch = start_watch(sqs, [queue_url])
    assert watch.dead_letter_urls == [dead_letter_url]
    for now in (0, 30, 60, 90, 120):
        poll(sqs, watch, now)
    sqs.purge_queue(QueueUrl=dead_letter_url)
    for body in ("first", "second"):
        sqs.send_message(QueueUrl=dead_letter_url, MessageBody=f"\x1b[31m{body}\nfake log line")
    for now in (150, 180, 210, 240):
        poll(sqs, watch, now)
    with pytest.raises(DeadLettersGrew) as caught:
        poll(sqs, watch, now=270)
    assert "grew from 1 to 2" in str(caught.value)
    assert r"\x1b[31m" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert read_depth(sqs, dead_letter_url) == QueueDepth(2, 0, 0)


def test_a_message_that_its_consumers_gave_up_on_fails_the_wait(sqs, queue_url, dead_letter_url):
    sqs.send_message(QueueUrl=queue_url, MessageBody="poison")
    watch = start_watch(sqs, [queue_url], quiet_period=5)
    poll(sqs, watch, now=0)
    for _ in range(2):
        sqs.receive_message(QueueUrl=queue_url, VisibilityTimeout=0)
    poll(sqs, watch, now=1)
    with pytest.raises(DeadLettersGrew, match="body 'poison'"):
        poll(sqs, watch, now=2)


def test_new_dead_letters_warn_once_each_with_a_sample(sqs, queue_url, dead_letter_url, caplog):
    watch = start_watch(sqs, [queue_url], on_dead_letters="warn")
    for now in (0, 30, 60, 90, 120):
        poll(sqs, watch, now)
    sqs.send_message(QueueUrl=dead_letter_url, MessageBody="dead")
    for now in range(150, 360, 30):
        poll(sqs, watch, now)
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "grew from 0 to 1" in warnings[0]
    assert "body 'dead'" in warnings[0]
    assert watch.summary()["new_dead_letters"] == 1


def test_a_dead_letter_queue_that_is_gone_is_left_out_with_a_warning(sqs, queue_url, dead_letter_url, caplog):
    sqs.delete_queue(QueueUrl=dead_letter_url)
    watch = start_watch(sqs, [queue_url])
    assert watch.dead_letter_urls == []
    assert "cannot be looked up" in caplog.text


def test_a_forbidden_dead_letter_queue_is_left_out_with_a_warning(caplog):
    sqs = boto3.client("sqs", region_name="us-east-1")
    policy = json.dumps({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:999999999999:importer-dead"})
    with Stubber(sqs) as stub:
        stub.add_response("get_queue_attributes", {"Attributes": {"VisibilityTimeout": "30", "RedrivePolicy": policy}})
        stub.add_response(
            "get_queue_url",
            {"QueueUrl": DEAD},
            {"QueueName": "importer-dead", "QueueOwnerAWSAccountId": "999999999999"},
        )
        stub.add_client_error("get_queue_attributes", "AccessDenied", http_status_code=403)
        watch = start_watch(sqs, [Q])
    assert watch.dead_letter_urls == []
    assert "A dead-letter queue is not watched" in caplog.text


@pytest.mark.parametrize(
    ("dead_letters", "before", "watched", "baseline"),
    [
        (None, None, [], {}),
        (DEAD, 0, [DEAD], {DEAD: 0}),
        ([DEAD, OTHER], {OTHER: 7}, [DEAD, OTHER], {OTHER: 7}),
    ],
)
def test_dead_letter_queues_and_their_baseline_may_be_given(sqs, queue_url, dead_letters, before, watched, baseline):
    watch = start_watch(sqs, [queue_url], dead_letters, before)
    assert (watch.dead_letter_urls, watch.dead_letters_before) == (watched, baseline)


def test_a_short_quiet_period_is_for_test_queues_and_says_so(sqs, queue_url, caplog):
    start_watch(sqs, [queue_url], quiet_period=5)
    assert "shorter than the 60 s that AWS needs until" in caplog.text


def test_nothing_to_watch_is_an_error_and_not_drained(sqs):
    with pytest.raises(ValueError, match="no queue to watch"):
        start_watch(sqs, [])


def test_a_poll_that_fails_restarts_the_window_and_warns(queue_url, sqs, caplog):
    caplog.set_level(logging.INFO)
    watch = start_watch(sqs, [queue_url], quiet_period=60)
    assert poll(sqs, watch, now=0) == 30
    blind = boto3.client("sqs", region_name="us-east-1")
    with Stubber(blind) as stub:
        stub.add_response("get_queue_attributes", {})
        assert poll(blind, watch, now=30) == 30
    assert [poll(sqs, watch, now) for now in (60, 90, 120)] == [30, 30, None]
    assert "did not tell the depth" in caplog.text
    assert "Drained: 0 visible, 0 in flight, 0 delayed; empty for 60 of 60 s; 1 poll(s) unanswered" in caplog.text


def test_a_throttled_request_does_not_end_the_wait_before_it_began():
    sqs = boto3.client("sqs", region_name="us-east-1")
    waits = []
    with Stubber(sqs) as stub:
        stub.add_client_error("get_queue_attributes", "RequestThrottled", http_status_code=400)
        stub.add_response("get_queue_attributes", {"Attributes": {"VisibilityTimeout": "45"}})
        assert start_watch(sqs, [Q], sleep=waits.append).visibility_timeout == 45
    assert waits == [1]
