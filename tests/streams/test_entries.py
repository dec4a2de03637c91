"""Records that hold Avro files with their own schema."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_agari_provider.streams.entries import RecordReader
from airflow_agari_provider.streams.errors import BadPayload
from airflow_agari_provider.streams.kinesis import StreamRecord
from tests.avro.scored_messages import messages

FILE = messages(3)


def record(data):
    return StreamRecord("1", data, datetime(2016, 4, 28, tzinfo=UTC))


def test_a_file_has_its_rows():
    reader = RecordReader("messages", None)
    entry = reader.entry(record(FILE))
    assert entry.rows == 3
    assert entry.size_bytes > 0
    assert reader.entry(record(FILE)).schema_id == entry.schema_id


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(b"", "not an Avro file", id="empty"),
        pytest.param(b'{"a": 1}', "not an Avro file", id="JSON"),
        pytest.param(FILE[:40], "damaged at byte", id="header cut"),
        pytest.param(FILE[:-5], "damaged at byte", id="end cut"),
    ],
)
def test_what_is_no_whole_file_is_refused(data, problem):
    with pytest.raises(BadPayload, match=problem):
        RecordReader("messages", None).entry(record(data))
