from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest


def test_the_process_says_where_it_serves_and_ends_on_sigterm(tmp_path: Path, wait_for: Callable[..., Any]) -> None:
    import boto3

    ready = tmp_path / "aws.json"
    ready.write_text("of an earlier run")
    command = [sys.executable, "-m", "airflow_agari_provider.local.aws", "--ready-file", str(ready)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        address = wait_for(
            lambda: ready.exists() and ready.read_text().startswith("{") and json.loads(ready.read_text())
        )
        assert address["pid"] == process.pid
        assert address["endpoint_url"].startswith("http://127.0.0.1:")
        for service, call in (("s3", "list_buckets"), ("sqs", "list_queues"), ("sns", "list_topics")):
            getattr(boto3.client(service, endpoint_url=address["endpoint_url"]), call)()
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
        assert (process.returncode, output) == (0, b"")
    finally:
        process.kill()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 200, id="a program"),
        pytest.param({"Origin": "http://{host}"}, 200, id="moto's own dashboard"),
        pytest.param({"Origin": "https://evil.example"}, 403, id="a web page of elsewhere"),
        pytest.param({"Origin": "null"}, 403, id="a web page without an origin"),
        pytest.param({"Host": "evil.example"}, 403, id="a name that was pointed here"),
        pytest.param({"Host": "evil.example:5000"}, 403, id="a name with a port that was pointed here"),
    ],
)
def test_only_programs_of_this_machine_are_served(local_aws: str, headers: dict[str, str], status: int) -> None:
    host = local_aws.removeprefix("http://")
    told = {name: value.format(host=host) for name, value in headers.items()}
    request = urllib.request.Request(f"{local_aws}/moto-api/data.json", headers=told)
    assert status_of(request) == status


@pytest.mark.parametrize(("method", "path"), [("POST", "unknown"), ("GET", "orders")])
def test_the_books_answer_404_to_what_they_are_not_asked_for(local_aws: str, method: str, path: str) -> None:
    assert status_of(urllib.request.Request(f"{local_aws}/agari-local/emr/{path}", method=method)) == 404


def status_of(request: urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


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
