"""Why letters are dead, by cause, and how long SQS keeps them."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber

from airflow_agari_provider.queues.dead_letters import DeadLetter
from airflow_agari_provider.queues.depth import QueueDepth, read_depth
from airflow_agari_provider.queues.letter_causes import Cause, by_cause, count_and_look, deleted_soon

DAY = 86_400


def letter(body, exception=None, sent=None):
    attributes = {"SentTimestamp": str(sent * 1000)} if sent is not None else {}
    values = {"ErrorMessage": {"StringValue": exception}} if exception else {}
    return DeadLetter(body, body, attributes, values)


def test_letters_are_grouped_by_the_text_of_their_failure():
    letters = [letter("new", "boom", 300), letter("other", None, 200), letter("old", "boom", 100), letter("?", "bad")]
    assert by_cause(letters, lambda one: one.exception) == [
        Cause("boom", 2, 100, "new"),
        Cause(None, 1, 200, "other"),
        Cause("bad", 1, None, "?"),
    ]


def test_the_rarest_causes_are_left_out_and_long_texts_cut():
    letters = [letter(str(n), f"{n} " + "x" * 999) for n in range(30)]
    causes = by_cause(letters, lambda one: one.exception)
    assert len(causes) == 10
    assert len(causes[0].exception) < 400


@pytest.mark.parametrize(
    ("sent", "told"),
    [(0, "deletes 1 of the letters"), (3 * DAY + 3600, "the first in 1.0 h"), (5 * DAY, ""), (None, "")],
    ids=["overdue", "in an hour", "later", "unknown"],
)
def test_letters_that_sqs_will_delete_are_warned_of(sent, told):
    sqs = boto3.client("sqs", region_name="us-east-1")
    with Stubber(sqs) as stub:
        settings = {"VisibilityTimeout": "30", "MessageRetentionPeriod": str(4 * DAY)}
        stub.add_response("get_queue_attributes", {"Attributes": settings})
        note = deleted_soon(sqs, "https://sqs/dead", [letter("x", sent=sent)], now=7 * DAY)
    assert told in note
    assert bool(told) == bool(note)


def test_letters_are_counted_and_looked_at_and_stay_visible(sqs, queue_url):
    for number in range(12):
        sqs.send_message(QueueUrl=queue_url, MessageBody=str(number))
    count, found = count_and_look(sqs, queue_url)
    assert (count, len(found.letters), found.unseen) == (12, 12, 0)
    assert read_depth(sqs, queue_url) == QueueDepth(12, 0, 0)


def test_a_count_of_0_does_not_hide_letters(sqs, queue_url):
    sqs.send_message(QueueUrl=queue_url, MessageBody="x")
    wrong = boto3.client("sqs", region_name="us-east-1")

    def drop_to_0(parsed, **_):
        if "ApproximateNumberOfMessages" in parsed["Attributes"]:
            parsed["Attributes"] = dict.fromkeys(parsed["Attributes"], "0")

    wrong.meta.events.register("after-call.sqs.GetQueueAttributes", drop_to_0)
    count, found = count_and_look(wrong, queue_url)
    assert (count, found.letters[0].body) == (1, "x")


@pytest.mark.parametrize(
    ("stale", "pause", "told"),
    [pytest.param(3, 5, 0, id="until it settles"), pytest.param(10**9, 75, 7, id="never")],
)
def test_a_count_that_is_older_than_the_last_purge_reports_no_letters(sqs, queue_url, stale, pause, told):
    late = boto3.client("sqs", region_name="us-east-1")
    readings, now = [], [0.0]

    def show_those_before(parsed, **_):
        if "ApproximateNumberOfMessages" in parsed["Attributes"]:
            readings.append(1)
            if len(readings) <= stale:
                parsed["Attributes"]["ApproximateNumberOfMessages"] = "7"

    def sleep(seconds):
        now[0] += max(seconds, pause)

    late.meta.events.register("after-call.sqs.GetQueueAttributes", show_those_before)
    count, found = count_and_look(late, queue_url, sleep, lambda: now[0])
    assert (count, found.letters, now[0]) == (told, [], pause)


def test_letters_that_another_reader_holds_count(sqs, queue_url):
    sqs.send_message(QueueUrl=queue_url, MessageBody="x")
    sqs.receive_message(QueueUrl=queue_url, VisibilityTimeout=60)
    assert count_and_look(sqs, queue_url)[0] == 1
