from __future__ import annotations

import boto3
from botocore.stub import Stubber

from airflow_agari_provider.queues.batches import give_back, receive
from airflow_agari_provider.queues.depth import QueueDepth, read_depth


def test_what_is_given_back_is_visible_at_once_however_many_it_is(sqs, queue_url):
    for number in range(23):
        sqs.send_message(QueueUrl=queue_url, MessageBody=f"{number}")
    held = []
    while batch := receive(sqs, queue_url, 100, hidden_for=60, wait=0):
        held += [message["ReceiptHandle"] for message in batch]
    assert read_depth(sqs, queue_url) == QueueDepth(0, 23, 0)
    give_back(sqs, queue_url, held)
    assert read_depth(sqs, queue_url) == QueueDepth(23, 0, 0)


def test_a_message_comes_with_all_that_sqs_knows_of_it(sqs, queue_url):
    attributes = {"ErrorMessage": {"DataType": "String", "StringValue": "boom"}}
    sqs.send_message(QueueUrl=queue_url, MessageBody="dead", MessageAttributes=attributes)
    (message,) = receive(sqs, queue_url, 1, hidden_for=0, wait=0)
    assert message["MessageAttributes"]["ErrorMessage"]["StringValue"] == "boom"
    assert {"SentTimestamp", "ApproximateReceiveCount"} <= set(message["Attributes"])


def test_messages_that_cannot_be_given_back_are_only_logged(caplog):
    sqs = boto3.client("sqs", region_name="us-east-1")
    with Stubber(sqs) as stub:
        stub.add_client_error("change_message_visibility_batch", "AccessDenied", http_status_code=403)
        give_back(sqs, "https://sqs/dead", ["r-1"])
    assert "stay hidden until their visibility timeout ends" in caplog.text
