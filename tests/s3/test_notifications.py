from __future__ import annotations

import json
import pickle

import pytest

from airflow_agari_provider.s3.notifications import MalformedNotification, ObjectReference, object_references

CREATED = {
    "eventVersion": "2.1",
    "eventSource": "aws:s3",
    "eventName": "ObjectCreated:Put",
    "s3": {
        "bucket": {"name": "scored"},
        "object": {
            "key": "hour%3D05/part+1.avro",
            "size": 12,
            "eTag": "d41d8cd9",
            "versionId": "v1",
            "sequencer": "0055AED6DCD90281E5",
        },
    },
}
PART_1 = ObjectReference("scored", "hour=05/part 1.avro", "v1", "d41d8cd9", 12, "ObjectCreated:Put")
DELETED = CREATED | {"eventName": "ObjectRemoved:Delete"}
TEST_EVENT = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "scored"}
EVENT_BRIDGE = {
    "version": "0",
    "detail-type": "Object Created",
    "source": "aws.s3",
    "detail": {"bucket": {"name": "scored"}, "object": {"key": "a+b %41.avro", "size": 3, "etag": "e1"}},
}


def records(*entries: object) -> str:
    return json.dumps({"Records": entries})


def in_sns(body: str) -> str:
    return json.dumps({"Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:1:scored", "Message": body})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(records(CREATED), [PART_1], id="raw"),
        pytest.param(in_sns(records(CREATED)), [PART_1], id="in an SNS envelope"),
        pytest.param(records(CREATED, CREATED), [PART_1, PART_1], id="several records"),
        pytest.param(records(DELETED, CREATED), [PART_1], id="a deletion among them"),
        pytest.param(records(DELETED), [], id="a deletion alone"),
        pytest.param(json.dumps(TEST_EVENT), [], id="test event"),
        pytest.param(in_sns(json.dumps(TEST_EVENT)), [], id="test event in an SNS envelope"),
        pytest.param(
            json.dumps(EVENT_BRIDGE),
            [ObjectReference("scored", "a+b %41.avro", None, "e1", 3, "Object Created")],
            id="EventBridge does not quote keys",
        ),
        pytest.param(json.dumps(EVENT_BRIDGE | {"detail-type": "Object Deleted"}), [], id="EventBridge deletion"),
    ],
)
def test_a_message_names_the_objects_created(body, expected):
    assert object_references(body) == expected


def test_a_key_is_unquoted_as_s3_quotes_it():
    event = {
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "b"}, "object": {"key": "%C3%BCber+50%25%2B.avro"}},
    }
    assert object_references(records(event)) == [
        ObjectReference("b", "über 50%+.avro", None, None, None, "ObjectCreated:Put")
    ]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("not json", id="no JSON"),
        pytest.param("[]", id="a list"),
        pytest.param("[" * 100_000, id="nested beyond reason"),
        pytest.param("{}", id="nothing in it"),
        pytest.param(records({"eventName": "ObjectCreated:Put"}), id="no object"),
        pytest.param(records(None), id="no record"),
        pytest.param('{"Records": 3}', id="records is a number"),
        pytest.param(json.dumps({"Type": "Notification", "Message": "hello"}), id="SNS with a text of its own"),
        pytest.param(json.dumps({"Type": "Notification", "Message": None}), id="SNS with nothing in it"),
        pytest.param(
            records({"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"}, "object": {"key": "%ff"}}}),
            id="a key that is no UTF-8",
        ),
        pytest.param(
            records({"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"}, "object": {"key": ""}}}),
            id="an empty key",
        ),
    ],
)
def test_any_other_message_is_malformed(body):
    with pytest.raises(MalformedNotification):
        object_references(body)


def test_the_error_shows_the_start_of_the_body_and_survives_pickling():
    with pytest.raises(MalformedNotification) as caught:
        object_references("hello " * 1000)
    assert "hello hello" in str(caught.value)
    assert len(str(caught.value)) < 600
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
