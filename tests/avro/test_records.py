from __future__ import annotations

import gc
import io
import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import fastavro
import pytest

from airflow_agari_provider.avro.blocks import ContainerFile, zigzag
from airflow_agari_provider.avro.columns import columns_of
from airflow_agari_provider.avro.records import Batch, decode
from airflow_agari_provider.avro.schemas import parse_reader_schema, parse_writer_schema
from airflow_agari_provider.exceptions import BadAvro

SCHEMA = {
    "type": "record",
    "name": "message",
    "fields": [{"name": "id", "type": "int"}, {"name": "text", "type": ["null", "string"]}],
}
SYNC = b"0123456789abcdef"


def written(schema: Any, records: list[Any], codec: str = "null", sync_interval: int = 16_000) -> bytes:
    stream = io.BytesIO()
    fastavro.writer(stream, schema, records, codec=codec, sync_interval=sync_interval, sync_marker=SYNC)
    return stream.getvalue()


def batches(data: bytes, reader: Any = None, wanted: Any = None) -> list[Batch]:
    file = ContainerFile(io.BytesIO(data), "s3://b/k")
    writer = parse_writer_schema(file.schema, file.source)
    resolved = parse_reader_schema(reader) if reader else None
    return list(decode(file, writer, resolved, columns_of(resolved or writer, wanted)))


def test_each_block_is_a_batch_of_columns():
    data = written(SCHEMA, [{"id": 1, "text": "a"}, {"id": 2, "text": None}], sync_interval=1)
    assert batches(data) == [Batch(1, ((1,), ("a",))), Batch(1, ((2,), (None,)))]
    data = written(SCHEMA, [{"id": 1, "text": "a"}, {"id": 2, "text": None}], codec="zstandard")
    assert batches(data) == [Batch(2, ((1, 2), ("a", None)))]


def test_only_the_columns_asked_for_come_in_their_order():
    data = written(SCHEMA, [{"id": 1, "text": "a"}, {"id": 2, "text": "b"}])
    assert batches(data, wanted=["text", "id"]) == [Batch(2, (("a", "b"), (1, 2)))]
    assert batches(data, wanted={"text": "body"}) == [Batch(2, (["a", "b"],))]


def test_values_that_are_no_records_come_as_they_are():
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


def test_a_decimal_without_a_precision_is_bytes():
    """fastavro does not write it, so its header is put together by hand."""
    schema: Any = {"type": "record", "name": "r", "fields": [{"name": "v", "type": "bytes"}]}
    body = written(schema, [{"v": b"\x05"}])[len(written(schema, [])) :]
    schema["fields"][0]["type"] = {"type": "bytes", "logicalType": "decimal"}
    text = json.dumps(schema).encode()
    header = b"Obj\x01" + zigzag(1) + zigzag(11) + b"avro.schema" + zigzag(len(text)) + text + b"\x00" + SYNC
    assert batches(header + body) == [Batch(1, ([b"\x05"],))]


def by_hand(schema: Any, *blocks: tuple[int, bytes]) -> bytes:
    """A file of blocks of so many records each, which nobody has checked."""
    text = json.dumps(schema).encode()
    header = b"Obj\x01" + zigzag(1) + zigzag(11) + b"avro.schema" + zigzag(len(text)) + text + b"\x00" + SYNC
    return header + b"".join(zigzag(records) + zigzag(len(data)) + data + SYNC for records, data in blocks)


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
    """fastavro makes 1.235E+4 of it."""
    schema = {"type": "record", "name": "r", "fields": [{"name": "id", "type": "int"}, {"name": "v", "type": kind}]}
    sound = bytes(len(payload))  # zeros, as many as there are
    first = b"\x02" + (b"\x00" if kind != FIXED_DECIMAL else sound)
    with pytest.raises(BadAvro, match=r"field 'v' of record 1 .* 12345\.67 has more than the 4 digits"):
        batches(by_hand(schema, (2, first + b"\x04" + payload)))


def test_a_decimal_beyond_all_reason_is_told_without_being_converted():
    schema = {"type": "record", "name": "r", "fields": [{"name": "v", "type": DECIMAL}]}
    with pytest.raises(BadAvro, match="the decimal of 3000000 bytes has more than the 4 digits"):
        batches(by_hand(schema, (1, zigzag(3_000_000) + b"\x7f" * 3_000_000)))


def test_a_fixed_of_16_bytes_that_says_so_is_a_uuid():
    """Avro 1.12 has it; fastavro leaves it bytes."""
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
def test_what_a_number_means_does_not_matter_where_nobody_asks_for_it(kind):
    """A year of 11476, which Python's datetime does not have."""
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


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        pytest.param([{"name": "a", "type": "int"}, {"name": "a", "type": "int"}], "2 .* named 'a'", id="twice"),
        pytest.param([{"name": "", "type": "int"}], "named ''", id="empty"),
        pytest.param([{"name": 5, "type": "int"}], "named 5", id="no text"),
        pytest.param([{"name": "\ud800", "type": "int"}], "surrogates not allowed", id="no text of UTF-8"),
        pytest.param(
            [{"name": "a", "type": {"type": "enum", "name": "int", "symbols": ["x"]}}],
            "a type is named 'int'",
            id="int",
        ),
    ],
)
@pytest.mark.parametrize("nested", [False, True], ids=["", "nested"])
def test_names_that_stand_for_two_things_or_none_are_refused(fields, problem, nested):
    """Of two fields of a name Arrow takes the first and fastavro the last."""
    schema: Any = {"type": "record", "name": "r", "fields": fields}
    if nested:
        schema = {"type": "record", "name": "outer", "fields": [{"name": "r", "type": ["null", schema]}]}
    with pytest.raises(BadAvro, match=problem):
        batches(by_hand(schema))


@pytest.mark.parametrize(
    "marks", [{"__fastavro_parsed": True}, {"__fastavro_parsed": True, "__named_schemas": {}}], ids=len
)
def test_a_header_with_marks_of_fastavro_is_read_like_any_other(marks):
    schema = {"type": "record", "name": "r", "fields": [{"name": "a", "type": "int"}]} | marks
    assert batches(by_hand(schema, (1, b"\x02"))) == [Batch(1, ([1],))]
    with pytest.raises(BadAvro, match="not valid"):
        batches(by_hand({"type": "record", "name": "r", "fields": [{"name": "a", "type": "other"}]} | marks))


def tree(depth: int, leaf: Any, nullable: bool = False) -> Any:
    """Records that hold two of the one before: two to the depth of them, in a schema of some kilobytes."""
    kind: Any = {"type": "record", "name": "r0", "fields": [{"name": "x", "type": leaf}]}
    for number in range(1, depth):
        pair = [kind, f"r{number - 1}"]
        left, right = ([["null", one] for one in pair]) if nullable else pair
        fields = [{"name": "a", "type": left}, {"name": "b", "type": right}]
        kind = {"type": "record", "name": f"r{number}", "fields": fields}
    return kind


def chain(depth: int) -> Any:
    fields = [{"name": f"f{number}", "type": link(number)} for number in range(depth)]
    return {"type": "record", "name": "chain", "fields": fields}


def link(number: int) -> Any:
    inner = f"r{number - 1}" if number else "int"
    return {"type": "record", "name": f"r{number}", "fields": [{"name": "x", "type": inner}]}


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        pytest.param(tree(60, "null"), "of 576460752303423488 parts that take no bytes", id="nulls"),
        pytest.param({"type": "array", "items": tree(60, "null")}, "could claim any number", id="an array of these"),
        pytest.param(
            {"type": "array", "items": {"type": "null", "doc": ""}}, "could claim any number", id="nulls in an array"
        ),
        pytest.param(chain(120), "122 types within each other", id="a long chain"),
    ],
)
def test_a_small_schema_that_would_fill_the_memory_is_refused(schema, problem):
    with pytest.raises(BadAvro, match=problem):
        batches(by_hand(schema, (1, b"")))


def test_a_small_schema_of_many_types_is_read_without_making_them_all():
    assert batches(by_hand(tree(45, "int", nullable=True), (1, b"\0\0"))) == [Batch(1, ((None,), (None,)))]


def test_records_without_a_byte_may_not_have_a_million_parts_together():
    schema = {"type": "record", "name": "r", "fields": [{"name": f"f{n}", "type": "null"} for n in range(200)]}
    assert batches(by_hand(schema, (5_000, b"")))[0].rows == 5_000
    with pytest.raises(BadAvro, match="5001 records in 0 bytes"):
        batches(by_hand(schema, (5_001, b"")))


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


@pytest.mark.parametrize(
    "items",
    [
        "null",
        {"type": "fixed", "name": "f", "size": 0},
        {"type": "record", "name": "r", "fields": [{"name": "n", "type": "null"}]},
    ],
    ids=["null", "fixed", "record"],
)
def test_arrays_of_items_without_a_byte_are_refused(items):
    """Nine bytes that claim 2**60 of them would fill the memory."""
    schema = {"type": "record", "name": "m", "fields": [{"name": "v", "type": {"type": "array", "items": items}}]}
    data = written(schema, []) + b"\x02" + zigzag(10) + zigzag(2**60) + b"\x00" + SYNC
    with pytest.raises(BadAvro, match="take no bytes"):
        batches(data)


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
        pytest.param(with_block(b"\x02", TWO), "says otherwise|say otherwise|does not decode", id="counts too few"),
        pytest.param(with_block(b"\x06", TWO), "does not decode|say otherwise", id="counts too many"),
        pytest.param(with_block(b"\x00", TWO), "say otherwise", id="counts none"),
        pytest.param(with_block(b"\x04", TWO[:-1]), "does not decode", id="ends in a record"),
        pytest.param(
            with_block(b"\x04", TWO + b"\0"), "say otherwise|does not decode", id="goes on behind the records"
        ),
        pytest.param(with_block(b"\x02", b"\x02\x08"), "does not decode", id="branch outside the union"),
        pytest.param(with_block(b"\x02", b"\x02\x02\x02\xff"), "does not decode", id="text that is no UTF-8"),
        pytest.param(with_block(b"\x02", b"\x02\x02\x7f"), "does not decode", id="text with a negative length"),
        pytest.param(with_block(b"\x80\x80\x80\x80\x10", TWO), "2147483648 records", id="counts beyond reason"),
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


def test_a_schema_is_parsed_as_the_header_has_it():
    assert json.loads(json.dumps(ContainerFile(io.BytesIO(written(SCHEMA, []))).schema))["name"] == "message"
