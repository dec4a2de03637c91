"""Runs that share a dead-letter queue of moto: each finds its own letters, and leaves the others' alone."""

from __future__ import annotations

import json
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.exceptions import ClientError

from airflow_agari_provider.queues.dead_letter_archive import Archive
from airflow_agari_provider.queues.dead_letter_scan import LetterScan
from airflow_agari_provider.queues.depth import QueueDepth, read_depth
from airflow_agari_provider.queues.letter_look import ReceivesMoveLetters
from tests.queues.letters import envelope, notification, redrive

OURS = "s3://agari/scored/2016-04-28T05/"
OWN = notification("scored/2016-04-28T05/part-0.avro")
OTHER = notification("scored/2016-04-28T06/part-0.avro")
DAY = 86_400


def send(sqs, queue_url, *bodies):
    return [sqs.send_message(QueueUrl=queue_url, MessageBody=body)["MessageId"] for body in bodies]


def scan(sqs, queue_url, objects_below=OURS, **settings):
    return LetterScan(sqs, queue_url, objects_below, **settings)


def counts(letters):
    return letters.own, letters.other_runs, letters.unclaimed, letters.unseen


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(OWN, (1, 0, 0, 0), id="own"),
        pytest.param(envelope(OWN), (1, 0, 0, 0), id="through SNS"),
        pytest.param(notification("scored/2016-04-28T05/org=a b/ü+.avro"), (1, 0, 0, 0), id="URL-encoded"),
        pytest.param(notification("summaries/2016-04-28T05/0.avro"), (1, 0, 0, 0), id="the second folder"),
        pytest.param(OTHER, (0, 1, 0, 0), id="another run's"),
        pytest.param(notification("scored/2016-04-28T05b/0.avro"), (0, 1, 0, 0), id="a name that begins alike"),
        pytest.param(notification("scored/2016-04-28T05/0.avro", bucket="b"), (0, 1, 0, 0), id="another bucket"),
        pytest.param(
            notification("scored/2016-04-28T06/0.avro", "scored/2016-04-28T05/0.avro"), (1, 0, 0, 0), id="both runs'"
        ),
        pytest.param("not a notification", (0, 0, 1, 0), id="no object"),
        pytest.param(json.dumps({"Event": "s3:TestEvent"}), (0, 0, 1, 0), id="test event"),
    ],
)
def test_a_letter_belongs_to_the_run_whose_object_it_names(sqs, queue_url, body, expected):
    send(sqs, queue_url, body)
    folders = ["s3://agari/scored/2016-04-28T05", "s3://agari/summaries/2016-04-28T05/"]
    assert counts(scan(sqs, queue_url, folders).run()) == expected
    assert read_depth(sqs, queue_url) == QueueDepth(1, 0, 0)


def test_an_event_of_event_bridge_belongs_to_a_run_too(sqs, queue_url):
    detail = {"bucket": {"name": "agari"}, "object": {"key": "scored/2016-04-28T05/a+b.avro"}}
    send(sqs, queue_url, json.dumps({"source": "aws.s3", "detail-type": "Object Created", "detail": detail}))
    assert counts(scan(sqs, queue_url).run()) == (1, 0, 0, 0)


def test_a_letter_that_nobody_removes_for_a_day_is_told_by_every_run(sqs, queue_url):
    send(sqs, queue_url, OTHER, OWN)
    assert counts(scan(sqs, queue_url, clock=lambda: time.time() + DAY - 60).run()) == (1, 1, 0, 0)
    assert counts(scan(sqs, queue_url, clock=lambda: time.time() + DAY + 60).run()) == (1, 0, 1, 0)


@pytest.mark.parametrize(
    ("bodies", "body"),
    [((OTHER, "hello", OWN), OWN), ((OTHER, "hello"), "hello"), ((OTHER,), None)],
    ids=["own", "unclaimed", "only another run's"],
)
def test_the_sample_is_one_that_the_run_has_to_tell(sqs, queue_url, bodies, body):
    send(sqs, queue_url, *bodies)
    sample = scan(sqs, queue_url).run().sample
    assert (sample and sample.body) == body


def test_only_letters_that_are_wholly_the_run_s_are_taken(sqs, s3, queue_url, bucket):
    shared = notification("scored/2016-04-28T06/0.avro", "scored/2016-04-28T05/0.avro")
    send(sqs, queue_url, OTHER, "hello", OWN, shared, envelope(OWN))
    archive = Archive(sqs, s3, queue_url, "s3://agari/dead/")
    assert counts(scan(sqs, queue_url).run(archive.take)) == (3, 1, 1, 0)
    assert archive.count == 2
    assert read_depth(sqs, queue_url) == QueueDepth(3, 0, 0)
    (url,) = archive.archive_urls
    stored = s3.get_object(Bucket="agari", Key=url.removeprefix("s3://agari/"))["Body"].read().splitlines()
    assert sorted(json.loads(line)["body"] for line in stored) == sorted([OWN, envelope(OWN)])


def test_a_count_of_0_is_believed_only_if_nothing_is_delivered_either(sqs, queue_url):
    assert counts(scan(sqs, queue_url).run()) == (0, 0, 0, 0)
    send(sqs, queue_url, OWN, OTHER)
    wrong = boto3.client("sqs", region_name="us-east-1")
    first = iter([True])

    def drop_to_0(parsed, **_):
        if parsed.get("Attributes", {}).keys() >= {"ApproximateNumberOfMessages"} and next(first, False):
            parsed["Attributes"] = dict.fromkeys(parsed["Attributes"], "0")

    wrong.meta.events.register("after-call.sqs.GetQueueAttributes", drop_to_0)
    assert counts(scan(wrong, queue_url).run()) == (1, 1, 0, 0)


def test_letters_that_another_reader_holds_are_waited_for(sqs, queue_url):
    send(sqs, queue_url, OWN, OTHER)
    held = sqs.receive_message(QueueUrl=queue_url, VisibilityTimeout=60, MaxNumberOfMessages=1)["Messages"][0]
    pauses = []

    def give_back(pause):
        pauses.append(pause)
        sqs.change_message_visibility(QueueUrl=queue_url, ReceiptHandle=held["ReceiptHandle"], VisibilityTimeout=0)

    assert counts(scan(sqs, queue_url, sleep=give_back).run()) == (1, 1, 0, 0)
    assert len(pauses) == 1


def test_letters_that_stay_hidden_make_the_count_a_lower_bound(sqs, queue_url):
    send(sqs, queue_url, OWN, OWN, OTHER)
    sqs.receive_message(QueueUrl=queue_url, VisibilityTimeout=600, MaxNumberOfMessages=1)
    clock = iter(range(0, 10_000, 10))
    letters = scan(sqs, queue_url, sleep=lambda _: None, clock=lambda: next(clock), max_seconds=100).run()
    assert counts(letters) == (1, 1, 0, 1)
    assert letters.note == (
        "1 letter(s) were not looked at, because other readers held them or a limit was reached. Some may be of this "
        "run, so it has at least 1."
    )
    assert read_depth(sqs, queue_url) == QueueDepth(2, 1, 0)


def test_a_delayed_letter_is_unseen_and_not_absent(sqs, queue_url):
    sqs.send_message(QueueUrl=queue_url, MessageBody=OWN, DelaySeconds=600)
    clock = iter(range(0, 10_000, 10))
    letters = scan(sqs, queue_url, sleep=lambda _: None, clock=lambda: next(clock), max_seconds=50).run()
    assert counts(letters) == (0, 0, 0, 1)


def test_no_more_letters_than_allowed_are_looked_at(sqs, queue_url):
    send(sqs, queue_url, *[OTHER] * 25, OWN)
    letters = scan(sqs, queue_url, max_messages=12, sleep=lambda _: pytest.fail("a second round")).run()
    assert counts(letters) == (0, 12, 0, 14)
    assert read_depth(sqs, queue_url) == QueueDepth(26, 0, 0)


def test_a_queue_whose_receives_move_its_letters_on_is_refused_untouched(sqs, queue_url):
    redrive(sqs, queue_url, sqs.create_queue(QueueName="very-dead")["QueueUrl"])
    send(sqs, queue_url, OWN)
    with pytest.raises(ReceivesMoveLetters, match="has a redrive policy of its own") as refused:
        scan(sqs, queue_url).run()
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)
    (letter,) = sqs.receive_message(QueueUrl=queue_url, MessageSystemAttributeNames=["All"])["Messages"]
    assert letter["Attributes"]["ApproximateReceiveCount"] == "1"


@pytest.mark.parametrize(
    ("objects_below", "problem"),
    [([], "an empty list"), ("", "not an S3 URL"), (["s3://agari/a", "None"], "not an S3 URL")],
)
def test_what_names_no_folder_is_refused_before_anything_is_received(objects_below, problem):
    with pytest.raises(ValueError, match=problem):
        LetterScan(None, "https://sqs/dead", objects_below)


def test_a_run_that_fails_gives_back_what_it_holds(sqs, queue_url):
    send(sqs, queue_url, OTHER, OWN)

    def denied(batch):
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "PutObject")

    with pytest.raises(ClientError, match="AccessDenied"):
        scan(sqs, queue_url).run(denied)
    visible = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)["Messages"]
    assert OTHER in [message["Body"] for message in visible]


def fifo(sqs, groups):
    url = sqs.create_queue(QueueName="dead.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    for number, group in enumerate(groups):
        body = notification(f"scored/2016-04-28T05/{number}.avro")
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=f"{number}")
    return url


def test_a_fifo_queue_is_looked_through_as_far_as_sqs_allows(sqs):
    """SQS hands out no more of a group while some of it are held; a batch has ten."""
    assert counts(scan(sqs, fifo(sqs, "ab" * 5)).run()) == (10, 0, 0, 0)


def test_what_a_fifo_queue_keeps_back_is_unseen(sqs):
    url = fifo(sqs, "a" * 12)
    clock = iter(range(0, 10_000, 10))
    letters = scan(sqs, url, sleep=lambda _: None, clock=lambda: next(clock), max_seconds=50).run()
    assert counts(letters) == (10, 0, 0, 2)


@pytest.mark.parametrize(
    ("each", "purging"),
    [(1, {0, 1, 2, 3}), (1, set()), (10, {0, 1})],
    ids=["purges, one letter each", "reports, one letter each", "both, 40 letters"],
)
def test_four_runs_at_once_each_find_exactly_their_own(sqs, s3, aws, queue_url, bucket, each, purging):
    for number in range(each):  # in turns, so that no batch has the letters of one run only
        send(sqs, queue_url, *(notification(f"scored/{run}/{number}.avro") for run in range(4)))
    send(sqs, queue_url, "of nobody")
    together = threading.Barrier(4)

    def look(run):
        client = boto3.session.Session().client("sqs", endpoint_url=aws, region_name="us-east-1")
        archive = Archive(client, s3, queue_url, f"s3://agari/dead/{run}/")
        together.wait()
        take = archive.take if run in purging else None
        letters = scan(client, queue_url, f"s3://agari/scored/{run}/", max_seconds=600).run(take)
        return letters.own, letters.unclaimed, letters.unseen, archive.count

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(look, range(4)))
    assert found == [(each, 1, 0, each if run in purging else 0) for run in range(4)]
    assert read_depth(sqs, queue_url) == QueueDepth(each * (4 - len(purging)) + 1, 0, 0)
    for run in purging:
        stored = s3.list_objects_v2(Bucket=bucket, Prefix=f"dead/{run}/")["Contents"]
        lines = [s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read().decode().splitlines() for one in stored]
        expected = [notification(f"scored/{run}/{number}.avro") for number in range(each)]
        assert sorted(json.loads(line)["body"] for part in lines for line in part) == sorted(expected)
