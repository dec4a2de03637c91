"""Answers of SQS without attributes, which say nothing about a queue's settings."""

from __future__ import annotations

import boto3
import pytest

from airflow_agari_provider.queues.dead_letters import dead_letter_queue, peek
from airflow_agari_provider.queues.depth import DepthUnknown
from airflow_agari_provider.queues.drain import poll, start_watch
from airflow_agari_provider.queues.lease import Lease
from airflow_agari_provider.queues.letter_look import ReceivesMoveLetters, look
from tests.queues.letters import redrive


@pytest.fixture
def blind(sqs):
    """A client whose first answers lack attributes: ``blind(3)``."""

    def make(answers, names=("VisibilityTimeout",)):
        client = boto3.client("sqs", region_name="us-east-1")
        left = [answers]

        def drop(parsed, **_):
            if left[0] and set(names) & set(parsed.get("Attributes", ())):
                left[0] -= 1
                del parsed["Attributes"]

        client.meta.events.register("after-call.sqs.GetQueueAttributes", drop)
        return client

    return make


@pytest.fixture
def dead(sqs, queue_url):
    url = sqs.create_queue(QueueName="importer-dead")["QueueUrl"]
    redrive(sqs, queue_url, url)
    return url


def test_the_dead_letter_queue_is_watched_although_the_first_answer_was_empty(blind, queue_url, dead):
    waits = []
    watch = start_watch(blind(2), [queue_url], sleep=waits.append)
    assert watch.dead_letter_urls == [dead]
    assert waits == [1, 2]


def test_settings_that_stay_away_are_asked_for_by_the_polls(blind, queue_url, dead):
    client = blind(7)
    watch = start_watch(client, [queue_url], sleep=lambda seconds: None)
    assert watch.pending is not None
    assert [poll(client, watch, now) for now in (0, 30)] == [30, 30]
    assert (watch.unknown_polls, watch.dead_letter_urls, watch.visibility_timeout) == (1, [dead], 30)


def test_a_wait_ends_when_the_settings_stay_unknown(blind, queue_url, dead):
    client = blind(99)
    watch = start_watch(client, [queue_url], sleep=lambda seconds: None, max_unknown=3)
    with pytest.raises(DepthUnknown, match=r"3 poll\(s\)"):
        [poll(client, watch, now) for now in (0, 30, 60)]


def test_a_lease_knows_of_the_dead_letter_queue(blind, queue_url, dead):
    assert Lease(blind(1), queue_url, sleep=lambda seconds: None).has_dead_letter_queue


def test_an_empty_answer_is_no_missing_redrive_policy(blind, queue_url, dead):
    with pytest.raises(DepthUnknown):
        dead_letter_queue(blind(1), None, queue_url)


def test_a_queue_that_redrives_is_not_looked_into(sqs, blind, queue_url, dead):
    sqs.send_message(QueueUrl=queue_url, MessageBody="x")
    assert peek(blind(1), queue_url) is None
    with pytest.raises(ReceivesMoveLetters):
        look(blind(1), queue_url, sleep=lambda seconds: None)
    received = sqs.receive_message(QueueUrl=queue_url, MessageSystemAttributeNames=["All"])["Messages"]
    assert received[0]["Attributes"]["ApproximateReceiveCount"] == "1"
