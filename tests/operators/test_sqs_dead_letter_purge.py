"""The purge of dead letters, on queues and S3 of moto."""

from __future__ import annotations

import json

import pytest

from airflow_agari_provider.queues.depth import QueueDepth, read_depth
from tests.operators.dead_letters import NOTIFICATION, OTHER, OURS, context_of_run, purge, report, send


@pytest.fixture
def context():
    return context_of_run()


def test_a_purge_says_how_many_it_archived_and_where(sqs, s3, queue_url, bucket, context):
    for number in range(12):
        send(sqs, queue_url, f"dead {number}")
    result = purge(queue_url).execute(context)
    assert (result["queue_url"], result["count"], result["remaining"]) == (queue_url, 12, 0)
    assert len(result["archive_urls"]) == 2
    assert all(url.startswith("s3://agari/dead/2016-02-26/importer-") for url in result["archive_urls"])
    assert read_depth(sqs, queue_url).total == 0


def test_a_purge_takes_no_more_than_allowed_and_says_what_remains(sqs, s3, queue_url, bucket, context):
    for number in range(5):
        send(sqs, queue_url, f"dead {number}")
    result = purge(queue_url, max_messages=2).execute(context)
    assert (result["count"], result["remaining"]) == (2, 3)
    assert read_depth(sqs, queue_url) == QueueDepth(3, 0, 0)


def test_an_empty_queue_needs_no_purge(queue_url, bucket, context):
    assert purge(queue_url).execute(context) == {
        "queue_url": queue_url,
        "count": 0,
        "remaining": 0,
        "archive_urls": [],
    }


def test_a_purged_run_has_no_dead_letters_to_report(sqs, queue_url, bucket, context, alerts):
    send(sqs, queue_url, "of the run before")
    purge(queue_url).execute(context)
    assert report(queue_url, slack_conn_id="slack_hook").execute(context)["count"] == 0
    assert alerts.slack() == []


def test_a_purge_of_one_run_leaves_the_letters_of_the_others(sqs, s3, queue_url, bucket, context):
    for body in (OTHER, NOTIFICATION, "hello", OTHER):
        send(sqs, queue_url, body)
    result = purge(queue_url, **OURS).execute(context)
    (archived,) = result.pop("archive_urls")
    assert result == {"queue_url": queue_url, "count": 1, "remaining": 3, "unclaimed": 1, "unseen": 0}
    key = archived.removeprefix("s3://agari/")
    assert json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())["body"] == NOTIFICATION
    assert read_depth(sqs, queue_url) == QueueDepth(3, 0, 0)


def test_a_format_that_there_is_not_is_refused_before_a_letter_is_taken(sqs, queue_url, bucket, context):
    send(sqs, queue_url, "dead")
    with pytest.raises(ValueError, match="archive_format is one of jsonl, avro, not 'csv'"):
        purge(queue_url, archive_format="csv").execute(context)
    assert read_depth(sqs, queue_url) == QueueDepth(1, 0, 0)


def test_a_bucket_that_there_is_not_costs_no_letter(sqs, queue_url, context):
    send(sqs, queue_url, "dead ü\n")
    with pytest.raises(Exception, match="NoSuchBucket"):
        purge(queue_url).execute(context)
    assert read_depth(sqs, queue_url).total == 1
