"""The AWS resources of the scoring pipeline: a bucket that notifies a topic, a queue, and its dead-letter queue."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

REGION = "us-east-1"
CREDENTIALS = {"aws_access_key_id": "embedded", "aws_secret_access_key": "embedded"}
BUCKET = "agari-messages"
VISIBILITY_TIMEOUT = 20  # seconds until a dead importer's messages are redelivered; short, so that the demo shows it
RECEIVES_BEFORE_DEAD = 3
TARGETS = ("cluster", "serverless", "eks")  # of the Spark jobs


def client(service: str, endpoint_url: str) -> Any:
    """Return a boto3 client of the embedded AWS."""
    import boto3
    from botocore.config import Config

    patient = Config(retries={"total_max_attempts": 5}, max_pool_connections=20)
    return boto3.client(service, endpoint_url=endpoint_url, region_name=REGION, config=patient, **CREDENTIALS)


def airflow_connection(endpoint_url: str) -> str:
    """Return the value of an ``AIRFLOW_CONN_*`` variable for a connection to the embedded AWS."""
    login = {"login": CREDENTIALS["aws_access_key_id"], "password": CREDENTIALS["aws_secret_access_key"]}
    return json.dumps({"conn_type": "aws", **login, "extra": {"region_name": REGION, "endpoint_url": endpoint_url}})


@dataclass(frozen=True)
class Pipeline:
    """Names of the resources that were created."""

    bucket: str
    queue_url: str
    dead_letter_queue_url: str


def create_target(target: str, endpoint_url: str) -> dict[str, str]:
    """
    Create the place where Spark runs, and return the settings of the example DAG for it.

    :param target: one of ``TARGETS``; the DAG itself creates a cluster.
    """
    role = {"MESSAGE_SCORING_ROLE": "arn:aws:iam::123456789012:role/scoring"}
    if target == "serverless":
        name = "message-scoring"
        client("emr-serverless", endpoint_url).create_application(name=name, releaseLabel="emr-7.9.0", type="SPARK")
        return {"MESSAGE_SCORING_TARGET": f"serverless:{name}", **role}
    if target == "eks":
        provider = {"id": "demo", "type": "EKS", "info": {"eksInfo": {"namespace": "spark"}}}
        eks = client("emr-containers", endpoint_url)
        created = eks.create_virtual_cluster(name="message-scoring", containerProvider=provider)
        return {"MESSAGE_SCORING_TARGET": f"eks:{created['id']}", **role}
    return {}


def create_pipeline(endpoint_url: str) -> Pipeline:
    """Create bucket, topic and queues: every new Avro file under ``scored/`` becomes a message in the queue."""
    s3, sns, sqs = (client(service, endpoint_url) for service in ("s3", "sns", "sqs"))
    s3.create_bucket(Bucket=BUCKET)
    topic = sns.create_topic(Name="scored")["TopicArn"]
    dead = sqs.create_queue(QueueName="importer-dead")["QueueUrl"]
    redrive = {"deadLetterTargetArn": _arn(sqs, dead), "maxReceiveCount": RECEIVES_BEFORE_DEAD}
    attributes = {"VisibilityTimeout": str(VISIBILITY_TIMEOUT), "RedrivePolicy": json.dumps(redrive)}
    queue = sqs.create_queue(QueueName="importer", Attributes=attributes)["QueueUrl"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=_arn(sqs, queue))
    rules = [{"Name": "prefix", "Value": "scored/"}, {"Name": "suffix", "Value": ".avro"}]
    notify = {"TopicArn": topic, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": rules}}}
    s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration={"TopicConfigurations": [notify]})
    return Pipeline(BUCKET, queue, dead)


def _arn(sqs: Any, queue_url: str) -> str:
    answer = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    return str(answer["Attributes"]["QueueArn"])
