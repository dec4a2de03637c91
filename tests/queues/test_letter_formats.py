"""Archived letters come back as they were, from JSON lines and from Avro."""

from __future__ import annotations

import io

import fastavro
import pytest

from airflow_agari_provider.queues.dead_letters import DeadLetter
from airflow_agari_provider.queues.letter_formats import FORMATS, UNREADABLE, format_of

Q = "https://sqs/importer-dead"
MESSAGES = [
    {
        "MessageId": "m1",
        "ReceiptHandle": "r",
        "Body": 'größer\n\u2028{"a": 1}',
        "Attributes": {"ApproximateReceiveCount": "7", "SentTimestamp": "1456455600123"},
        "MessageAttributes": {
            "ErrorMessage": {"DataType": "String", "StringValue": "boom"},
            "checksum": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    },
    {"MessageId": "m2", "ReceiptHandle": "r", "Body": "bare"},
]


@pytest.mark.parametrize("name", ["jsonl", "avro"])
def test_letters_come_back_as_they_were(name):
    form = FORMATS[name]
    first, second = form.read(form.write(Q, MESSAGES))
    assert first == DeadLetter("m1", MESSAGES[0]["Body"], MESSAGES[0]["Attributes"], MESSAGES[0]["MessageAttributes"])
    assert second == DeadLetter("m2", "bare", {}, {})


def test_json_says_when_a_letter_was_sent_and_how_often_received():
    line = FORMATS["jsonl"].write(Q, MESSAGES[:1]).decode()
    assert '"receive_count": 7, "sent_at": "2016-02-26T03:00:00.123Z"' in line
    assert line.count("\n") == 1


def test_avro_is_a_container_file_that_any_reader_knows():
    (record, _) = fastavro.reader(io.BytesIO(FORMATS["avro"].write(Q, MESSAGES)))
    assert (record["receive_count"], record["sent_at"].isoformat()) == (7, "2016-02-26T03:00:00.123000+00:00")
    assert record["message_attributes"]["checksum"]["BinaryValue"] == b"\x00\xff"
    assert record["queue_url"] == Q


@pytest.mark.parametrize("name", ["jsonl", "avro"])
@pytest.mark.parametrize("bytes_", [b'{"rows": 3}\n', b"\xff\xfe", b"Obj\x01", b"[1]\n"], ids=list("abcd"))
def test_what_is_no_archive_is_told_by_an_error(name, bytes_):
    with pytest.raises(UNREADABLE):
        FORMATS[name].read(bytes_)


def test_avro_of_somebody_else_is_no_archive():
    file = io.BytesIO()
    schema = {"type": "record", "name": "r", "fields": [{"name": "id", "type": "long"}]}
    fastavro.writer(file, fastavro.parse_schema(schema), [{"id": 1}])
    with pytest.raises(UNREADABLE):
        FORMATS["avro"].read(file.getvalue())


def test_damaged_avro_is_told_by_an_error():
    sound = FORMATS["avro"].write(Q, MESSAGES)
    for damaged in (sound[:-30], sound[:-60] + b"\0" * 60, sound[:20]):
        with pytest.raises(UNREADABLE):
            FORMATS["avro"].read(damaged)


def test_the_ending_says_the_format():
    assert [format_of(key) for key in ("a.jsonl", "a.avro", "a.jsonl.redriven", "a.csv")] == [
        FORMATS["jsonl"],
        FORMATS["avro"],
        None,
        None,
    ]
