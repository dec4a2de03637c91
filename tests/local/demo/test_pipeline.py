from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_plus

from airflow_agari_provider.local.demo.pipeline import create_pipeline


def test_each_avro_file_below_scored_becomes_a_message(local_aws: str, client: Callable[[str], Any]) -> None:
    pipeline, s3, sqs = create_pipeline(local_aws), client("s3"), client("sqs")
    for key in ("scored/1/part-0.avro", "scored/1/_SUCCESS", "archive/part-0.avro"):
        s3.put_object(Bucket=pipeline.bucket, Key=key, Body=b"x")
    messages = sqs.receive_message(QueueUrl=pipeline.queue_url, MaxNumberOfMessages=10)["Messages"]
    events = [json.loads(json.loads(message["Body"])["Message"]) for message in messages]
    keys = [unquote_plus(record["s3"]["object"]["key"]) for event in events for record in event.get("Records", [])]
    assert keys == ["scored/1/part-0.avro"]


def test_the_queue_sends_a_message_to_its_dead_letters_after_three_receives(
    local_aws: str, client: Callable[[str], Any]
) -> None:
    pipeline, sqs = create_pipeline(local_aws), client("sqs")
    answer = sqs.get_queue_attributes(QueueUrl=pipeline.queue_url, AttributeNames=["RedrivePolicy"])
    policy = json.loads(answer["Attributes"]["RedrivePolicy"])
    assert int(policy["maxReceiveCount"]) == 3
    assert policy["deadLetterTargetArn"].endswith(":importer-dead")
    assert pipeline.dead_letter_queue_url.endswith("/importer-dead")
