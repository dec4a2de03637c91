from __future__ import annotations

import io
import json
from typing import Any
from uuid import UUID

import pytest

from airflow_agari_provider.avro.blocks import ContainerFile, zigzag
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.exceptions import BadAvro
from tests.avro.container_files import SYNC, batches, by_hand, written

DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}
FIXED_DECIMAL = {"type": "fixed", "name": "d", "size": 3, "logicalType": "decimal", "precision": 4, "scale": 2}
LONG_DECIMAL = (1_234_567).to_bytes(3, "big")  # 12345.67


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        pytest.param(DECIMAL, zigzag(3) + LONG_DECIMAL, id="bytes"),
        pytest.param(FIXED_DECIMAL, LONG_DECIMAL, id="fixed"),
        pytest.param(["null", DECIMAL], b"\x02" + zigzag(3) + LONG_DECIMAL, id="nullable"),
        pytest.param(
            {"type": "array", "items": FIXED_DECIMAL}, zigzag(1) + LONG_DECIMAL + b"\x00", id="inside of an array"
        ),
    ],
)
def test_a_decimal_of_more_digits_than_it_declares_is_told_and_not_rounded(kind, payload):
    """fastavro by itself reads it as 1.235E+4."""
    schema = {"type": "record", "name": "r", "fields": [{"name": "id", "type": "int"}, {"name": "v", "type": kind}]}
    sound = bytes(len(payload))  # zeros, as many as the payload has bytes
    first = b"\x02" + (b"\x00" if kind != FIXED_DECIMAL else sound)
    with pytest.raises(BadAvro, match=r"field 'v' of record 1 .* 12345\.67 has more than the 4 digits"):
        batches(by_hand(schema, (2, first + b"\x04" + payload)))


def test_a_decimal_beyond_all_reason_is_told_without_being_converted():
    schema = {"type": "record", "name": "r", "fields": [{"name": "v", "type": DECIMAL}]}
    with pytest.raises(BadAvro, match="the decimal of 3000000 bytes has more than the 4 digits"):
        batches(by_hand(schema, (1, zigzag(3_000_000) + b"\x7f" * 3_000_000)))


def test_a_fixed_of_16_bytes_that_says_so_is_a_uuid():
    """Avro 1.12 has this logical type; fastavro by itself leaves the bytes."""
    kind = {"type": "fixed", "name": "u", "size": 16, "logicalType": "uuid"}
    schema = {"type": "record", "name": "r", "fields": [{"name": "v", "type": kind}]}
    assert batches(by_hand(schema, (1, bytes(15) + b"\x05"))) == [Batch(1, ([UUID(int=5)],))]
    short = {"type": "record", "name": "r", "fields": [{"name": "v", "type": kind | {"size": 2}}]}
    assert batches(by_hand(short, (1, b"ab"))) == [Batch(1, ([b"ab"],))]


FAR_AWAY = {"type": "long", "logicalType": "timestamp-millis"}


@pytest.mark.parametrize(
    "kind",
    [FAR_AWAY, ["null", FAR_AWAY], {"type": "array", "items": FAR_AWAY}],
    ids=["plain", "nullable", "inside of an array"],
)
def test_the_meaning_of_a_number_does_not_matter_in_an_unread_field(kind):
    """The number means the year 11476, which Python's datetime does not have."""
    raw: Any = json.loads(json.dumps(kind).replace(json.dumps(FAR_AWAY), '"long"'))
    fields = [{"name": "id", "type": "int"}, {"name": "at", "type": raw}]
    at: Any = [300_000_000_000_000] if isinstance(kind, dict) and kind["type"] == "array" else 300_000_000_000_000
    data = written({"type": "record", "name": "r", "fields": fields}, [{"id": 1, "at": at}])
    (block,) = ContainerFile(io.BytesIO(data)).blocks()
    fields[1]["type"] = kind
    data = by_hand({"type": "record", "name": "r", "fields": fields}, (1, block.payload))
    assert batches(data, wanted=["id"]) == [Batch(1, ([1],))]
    with pytest.raises(BadAvro, match="field 'at' of record 0"):
        batches(data)


def test_a_recursive_record_comes_nested():
    schema = {
        "type": "record",
        "name": "m",
        "fields": [{"name": "v", "type": "int"}, {"name": "m", "type": ["null", "m"]}],
    }
    assert batches(written(schema, [{"v": 1, "m": {"v": 2, "m": None}}])) == [Batch(1, ((1,), ({"v": 2, "m": None},)))]


def test_a_record_nested_beyond_reason_is_told():
    """fastavro's compiled reader would end the process."""
    schema = {
        "type": "record",
        "name": "m",
        "fields": [{"name": "m", "type": ["null", {"type": "array", "items": "m"}]}],
    }
    payload = b"\x02\x02" * 50_000 + b"\x00" * 100_000
    data = written(schema, []) + b"\x02" + zigzag(len(payload)) + payload + SYNC
    with pytest.raises(BadAvro, match="RecursionError"):
        batches(data)
