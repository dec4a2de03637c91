from __future__ import annotations

import gc
import io
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from airflow_agari_provider.avro.blocks import ContainerFile
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.exceptions import BadAvro
from tests.avro.container_files import SYNC, batches, by_hand, written
from tests.avro.sample_schemas import SCHEMA, record_of


def test_each_block_is_a_batch_of_columns():
    data = written(SCHEMA, [{"id": 1, "text": "a"}, {"id": 2, "text": None}], sync_interval=1)
    assert batches(data) == [Batch(1, ((1,), ("a",))), Batch(1, ((2,), (None,)))]
    data = written(SCHEMA, [{"id": 1, "text": "a"}, {"id": 2, "text": None}], codec="zstandard")
    assert batches(data) == [Batch(2, ((1, 2), ("a", None)))]


def test_only_the_columns_asked_for_come_in_their_order():
    data = written(SCHEMA, [{"id": 1, "text": "a"}, {"id": 2, "text": "b"}])
    assert batches(data, wanted=["text", "id"]) == [Batch(2, (("a", "b"), (1, 2)))]
    assert batches(data, wanted={"text": "body"}) == [Batch(2, (["a", "b"],))]


def test_values_that_are_not_records_come_as_they_are():
    assert batches(written("string", ["a", "b"])) == [Batch(2, (["a", "b"],))]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ({"type": "int", "logicalType": "date"}, date(2016, 4, 28)),
        ({"type": "int", "logicalType": "time-millis"}, time(5, 1, 2, 3000)),
        ({"type": "long", "logicalType": "time-micros"}, time(5, 1, 2, 3)),
        ({"type": "long", "logicalType": "timestamp-millis"}, datetime(2016, 4, 28, 5, 0, 0, 1000, UTC)),
        ({"type": "long", "logicalType": "timestamp-micros"}, datetime(1969, 12, 31, 23, 59, 59, 999999, UTC)),
        ({"type": "long", "logicalType": "local-timestamp-micros"}, datetime(2016, 4, 28, 5, 0, 0, 1)),
        ({"type": "string", "logicalType": "uuid"}, UUID(int=5)),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 40, "scale": 3},
            Decimal("-1234567890123456789012345.678"),
        ),
        ({"type": "enum", "name": "e", "symbols": ["x", "y"]}, "y"),
        ({"type": "fixed", "name": "f", "size": 3}, b"abc"),
        ({"type": "map", "values": "long"}, {"a": 2**63 - 1}),
        (["string", "int"], 7),
    ],
    ids=lambda kind: str(kind)[:60],
)
def test_a_value_comes_back_as_it_was_written(kind, value):
    schema = {"type": "record", "name": "r", "fields": [{"name": "v", "type": kind}]}
    assert batches(written(schema, [{"v": value}])) == [Batch(1, ([value],))]


def test_records_without_a_byte_may_not_have_a_million_parts_together():
    schema = {"type": "record", "name": "r", "fields": [{"name": f"f{n}", "type": "null"} for n in range(200)]}
    assert batches(by_hand(schema, (5_000, b"")))[0].rows == 5_000
    with pytest.raises(BadAvro, match="5001 records in 0 bytes"):
        batches(by_hand(schema, (5_001, b"")))


def test_a_reader_schema_resolves_the_records():
    reader = {
        "type": "record",
        "name": "message",
        "fields": [
            {"name": "number", "type": "long", "aliases": ["id"]},
            {"name": "verdict", "type": "string", "default": "none"},
        ],
    }
    data = written(SCHEMA, [{"id": 1, "text": "a"}, {"id": 2, "text": None}])
    assert batches(data, reader) == [Batch(2, ((1, 2), ("none", "none")))]


def test_a_reader_schema_that_does_not_fit_is_told():
    reader = {"type": "record", "name": "message", "fields": [{"name": "other", "type": "string"}]}
    with pytest.raises(BadAvro, match="does not decode"):
        batches(written(SCHEMA, [{"id": 1, "text": "a"}]), reader)


def with_block(count: bytes, payload: bytes, schema: Any = SCHEMA) -> bytes:
    return written(schema, []) + count + bytes([len(payload) << 1]) + payload + SYNC


TWO = b"\x02\x00" + b"\x04\x00"  # records (1, null) and (2, null)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(with_block(b"\x02", TWO), "do not match|does not decode", id="counts too few"),
        pytest.param(with_block(b"\x06", TWO), "does not decode|do not match", id="counts too many"),
        pytest.param(with_block(b"\x00", TWO), "do not match", id="counts none"),
        pytest.param(with_block(b"\x04", TWO[:-1]), "does not decode", id="ends in a record"),
        pytest.param(with_block(b"\x04", TWO + b"\0"), "do not match|does not decode", id="goes on after the records"),
        pytest.param(with_block(b"\x02", b"\x02\x08"), "does not decode", id="branch outside the union"),
        pytest.param(with_block(b"\x02", b"\x02\x02\x02\xff"), "does not decode", id="text that is not UTF-8"),
        pytest.param(with_block(b"\x02", b"\x02\x02\x7f"), "does not decode", id="text with a negative length"),
        pytest.param(with_block(b"\x80\x80\x80\x80\x10", TWO), "2147483648 records", id="counts far too many"),
        pytest.param(
            with_block(
                b"\x02", b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f", {"type": "long", "logicalType": "timestamp-micros"}
            ),
            "does not decode",
            id="a year beyond 9999",
        ),
    ],
)
def test_a_block_that_does_not_hold_what_it_says_is_told(data, problem):
    with pytest.raises(BadAvro, match=problem) as caught:
        batches(data)
    assert caught.value.offset == len(data) - len(data.split(SYNC)[-2]) - len(SYNC)


def test_an_empty_block_is_an_empty_batch():
    assert batches(with_block(b"\x00", b"")) == [Batch(0, ((), ()))]


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_is_collected_afterwards_as_before_also_after_an_error(enabled):
    was = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        batches(with_block(b"\x04", TWO))
        assert gc.isenabled() is enabled
        with pytest.raises(BadAvro):
            batches(with_block(b"\x04", TWO[:-1]))
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was else gc.disable)()


def test_bytes_in_a_block_of_records_that_take_none_are_not_read_as_further_records():
    """0xfe 0xff ... is a count of billions to a reader of arrays."""
    with pytest.raises(BadAvro, match="says it holds 1 records in 6 bytes"):
        batches(by_hand("null", (1, b"\xfe\xff\xff\xff\xff\x0f")))


@pytest.mark.parametrize(
    ("plain", "kind", "number", "problem"),
    [
        pytest.param("int", "date", -800_000, "day -800000 from 1970 is not in the years 1 to 9999", id="date"),
        pytest.param("int", "time-millis", 86_400_000, "86400000 is not a time-millis", id="time of tomorrow"),
        pytest.param("int", "time-millis", -1, "-1 is not a time-millis", id="time before midnight"),
        pytest.param("long", "time-micros", -3_600_000, "-3600000 is not a time-micros", id="micros before midnight"),
        pytest.param("string", "uuid", "nope", "'nope' is not a UUID", id="uuid"),
    ],
)
def test_a_value_beyond_its_logical_type_is_told_in_plain_words(plain, kind, number, problem):
    right = str(UUID(int=0)) if kind == "uuid" else 0
    data = written(record_of(plain), [{"v": right}, {"v": number}])
    payload = next(ContainerFile(io.BytesIO(data)).blocks()).payload
    with pytest.raises(BadAvro, match=f"field 'v' of record 1 .* does not decode \\({problem}"):
        batches(by_hand(record_of({"type": plain, "logicalType": kind}), (2, payload)))
