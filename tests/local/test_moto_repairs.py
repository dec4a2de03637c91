from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote_plus

import pytest


@pytest.fixture
def sqs(client: Callable[[str], Any]) -> Any:
    return client("sqs")


@pytest.fixture
def queue_url(sqs: Any) -> str:
    return str(sqs.create_queue(QueueName="importer")["QueueUrl"])


def receive_all(sqs: Any, queue_url: str) -> list[str]:
    bodies = []
    while messages := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            bodies.append(message["Body"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return bodies


def test_each_new_object_is_notified_once_however_it_was_written(
    client: Callable[[str], Any], sqs: Any, queue_url: str
) -> None:
    s3, sns = client("s3"), client("sns")
    s3.create_bucket(Bucket="agari")
    queue = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="scored")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    rules = [{"Name": "prefix", "Value": "scored/"}, {"Name": "suffix", "Value": ".avro"}]
    wanted = {"TopicArn": topic, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": rules}}}
    s3.put_bucket_notification_configuration(
        Bucket="agari", NotificationConfiguration={"TopicConfigurations": [wanted]}
    )

    s3.put_object(Bucket="agari", Key="scored/hour=05/put.avro", Body=b"x")
    s3.copy_object(Bucket="agari", Key="scored/copy.avro", CopySource="agari/scored/hour=05/put.avro")
    upload = {"Bucket": "agari", "Key": "scored/multipart.avro"}
    upload_id = s3.create_multipart_upload(**upload)["UploadId"]
    part = s3.upload_part(**upload, UploadId=upload_id, PartNumber=1, Body=b"")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(**upload, UploadId=upload_id, MultipartUpload=parts)
    s3.put_object(Bucket="agari", Key="scored/_SUCCESS", Body=b"")
    s3.put_object(Bucket="agari", Key="other/put.avro", Body=b"x")
    s3.delete_object(Bucket="agari", Key="scored/copy.avro")

    events = [json.loads(json.loads(body)["Message"]) for body in receive_all(sqs, queue_url)]
    assert [event.get("Event") for event in events] == ["s3:TestEvent", None, None, None]
    records = [event["Records"][0] for event in events[1:]]
    assert [(record["eventName"], unquote_plus(record["s3"]["object"]["key"])) for record in records] == [
        ("ObjectCreated:Put", "scored/hour=05/put.avro"),
        ("ObjectCreated:Copy", "scored/copy.avro"),
        ("ObjectCreated:CompleteMultipartUpload", "scored/multipart.avro"),
    ]


def test_senders_and_consumers_at_once_lose_no_message_and_get_none_twice(sqs: Any, queue_url: str) -> None:
    got: list[str] = []
    sent = threading.Event()

    def send(number: int) -> None:
        sqs.send_message(QueueUrl=queue_url, MessageBody=str(number))

    def consume(_: int) -> None:
        while not sent.is_set() or depth():
            got.extend(receive_all(sqs, queue_url))

    def depth() -> int:
        names = ["ApproximateNumberOfMessages"]
        counts = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
        return int(counts[names[0]])

    with ThreadPoolExecutor(6) as pool:
        consumers = [pool.submit(consume, number) for number in range(2)]
        list(pool.map(send, range(200)))
        sent.set()
        for consumer in consumers:
            consumer.result()
    assert sorted(got, key=int) == [str(number) for number in range(200)]


def test_a_long_poll_is_answered_as_soon_as_a_message_comes(sqs: Any, queue_url: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        poll = pool.submit(sqs.receive_message, QueueUrl=queue_url, WaitTimeSeconds=20)
        time.sleep(0.1)  # it waits, and lets others in meanwhile
        started = time.monotonic()
        sqs.send_message(QueueUrl=queue_url, MessageBody="scored")
        assert [message["Body"] for message in poll.result()["Messages"]] == ["scored"]
    assert time.monotonic() - started < 10


def test_a_poisonous_message_moves_to_the_dead_letter_queue(sqs: Any) -> None:
    dead_url = sqs.create_queue(QueueName="importer-dead")["QueueUrl"]
    dead = sqs.get_queue_attributes(QueueUrl=dead_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 2})
    settings = {"RedrivePolicy": redrive, "VisibilityTimeout": "0"}
    queue_url = sqs.create_queue(QueueName="importer", Attributes=settings)["QueueUrl"]
    sqs.send_message(QueueUrl=queue_url, MessageBody="poison")
    receipts = [bool(sqs.receive_message(QueueUrl=queue_url).get("Messages")) for _ in range(3)]
    assert receipts == [True, True, False]
    assert receive_all(sqs, dead_url) == ["poison"]


def test_records_stay_in_a_shard_that_is_split_and_its_children_get_the_next(client: Callable[[str], Any]) -> None:
    kinesis = client("kinesis")
    kinesis.create_stream(StreamName="nrt", ShardCount=1)

    def put(data: bytes, place: int) -> str:
        where = {"PartitionKey": "k", "ExplicitHashKey": str(place)}
        return str(kinesis.put_record(StreamName="nrt", Data=data, **where)["ShardId"])

    def read(shard: str) -> tuple[list[bytes], bool]:
        first = kinesis.get_shard_iterator(StreamName="nrt", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        answer = kinesis.get_records(ShardIterator=first["ShardIterator"])
        return [record["Data"] for record in answer["Records"]], "NextShardIterator" in answer

    one, two, three, four = (f"shardId-{number:012}" for number in range(4))
    assert put(b"a", 0) == one
    kinesis.split_shard(StreamName="nrt", ShardToSplit=one, NewStartingHashKey=str(2**127))
    assert [put(b"b", 0), put(b"c", 2**128 - 1)] == [two, three]
    kinesis.merge_shards(StreamName="nrt", ShardToMerge=two, AdjacentShardToMerge=three)
    assert put(b"d", 0) == four
    assert [read(shard) for shard in (one, two, three, four)] == [
        ([b"a"], False),
        ([b"b"], False),
        ([b"c"], False),
        ([b"d"], True),
    ]
