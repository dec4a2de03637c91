"""What a request that AWS refuses says: which permission is missing, and where."""

from __future__ import annotations

import pickle

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from airflow_agari_provider.queues.addresses import NoSuchQueue, RegionalSqs, queue_url_of
from airflow_agari_provider.queues.depth import QueueUnreadable, read_depth
from airflow_agari_provider.queues.permissions import explained
from airflow_agari_provider.queues.topics import queue_urls_of

Q = "https://sqs.us-east-1.amazonaws.com/123456789012/importer"
ARN = "arn:aws:sqs:us-east-1:123456789012:importer"


@pytest.fixture
def refusing():
    """Takes an operation and what AWS says; SQS and SNS that refuse it once."""

    def make(operation, code="AccessDenied", message="User etl is not authorized.", service="sqs"):
        client = boto3.client(service, region_name="us-east-1")
        stub = Stubber(client)
        stub.add_client_error(operation, code, message, http_status_code=403)
        stub.activate()
        return RegionalSqs(lambda region: client, lambda region: client)

    return make


@pytest.mark.parametrize(
    ("operation", "request_", "needs"),
    [
        ("receive_message", {"QueueUrl": Q}, "sqs:ReceiveMessage on " + Q),
        ("delete_message_batch", {"QueueUrl": Q, "Entries": []}, "sqs:DeleteMessage on " + Q),
        ("change_message_visibility_batch", {"QueueUrl": Q, "Entries": []}, "sqs:ChangeMessageVisibility on " + Q),
        ("send_message_batch", {"QueueUrl": Q, "Entries": []}, "sqs:SendMessage on " + Q),
        ("start_message_move_task", {"SourceArn": ARN}, "sqs:StartMessageMoveTask on " + ARN),
        ("list_message_move_tasks", {"SourceArn": ARN}, "sqs:ListMessageMoveTasks on " + ARN),
    ],
    ids=lambda value: value if isinstance(value, str) and value.islower() else "",
)
def test_a_refused_request_names_its_permission_and_its_queue(refusing, operation, request_, needs):
    with pytest.raises(ClientError) as caught:
        getattr(refusing(operation), operation)(**request_)
    text = str(caught.value)
    assert f"User etl is not authorized. The connection needs {needs}. If that is in another account" in text
    assert caught.value.response["Error"]["Code"] == "AccessDenied"
    assert str(pickle.loads(pickle.dumps(caught.value.response))) == str(caught.value.response)


@pytest.mark.parametrize(
    ("operation", "key"),
    [
        ("receive_message", "needs kms:Decrypt on"),
        ("send_message_batch", "needs kms:GenerateDataKey and kms:Decrypt on"),
    ],
)
def test_a_refused_key_is_told_from_a_refused_queue(refusing, operation, key):
    arguments = {"Entries": []} if "send" in operation else {}
    with pytest.raises(ClientError, match=key):
        getattr(refusing(operation, "KMS.AccessDeniedException", "no"), operation)(QueueUrl=Q, **arguments)


def test_counts_and_names_that_are_refused_are_errors_of_their_own(refusing):
    with pytest.raises(QueueUnreadable, match="may call sqs:GetQueueAttributes"):
        read_depth(refusing("get_queue_attributes"), Q)
    with pytest.raises(NoSuchQueue, match="need the permission sqs:GetQueueUrl"):
        queue_url_of(refusing("get_queue_url"), ARN)
    topic = "arn:aws:sns:us-east-1:123456789012:scored"
    with pytest.raises(NoSuchQueue, match=f"sns:ListSubscriptionsByTopic on {topic}"):
        queue_urls_of(refusing("list_subscriptions_by_topic", "AuthorizationError", service="sns"), topic)


def test_other_errors_stay_as_they_are():
    error = ClientError({"Error": {"Code": "OverLimit", "Message": "too many"}}, "ReceiveMessage")
    assert explained(error, Q) is error
