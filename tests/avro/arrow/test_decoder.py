"""Arrow's decoder, and fastavro's with Arrow's arrays, give what fastavro gives: of sound files and of damaged ones."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain
from typing import Any
from uuid import UUID

import fastavro
import pytest
from hypothesis import HealthCheck, given, settings

from airflow_agari_provider.avro.arrow.batches import ArrowBatch
from airflow_agari_provider.avro.blocks import ContainerFile, zigzag
from airflow_agari_provider.avro.codecs import CODECS
from airflow_agari_provider.avro.columns import Column, columns_of
from airflow_agari_provider.avro.decoders import ArrowUnusable, DecoderChoice
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.avro.schemas import parse_reader_schema, parse_writer_schema
from airflow_agari_provider.databases.statements import as_json
from airflow_agari_provider.exceptions import BadAvro, UnimportableObject
from tests.avro.random_avro import files

pytest.importorskip("datafusion", reason="the extra [arrow] is not installed")

PLAIN = "fastavro without arrays"
SYNC = b"0123456789abcdef"
SCHEMA = {
    "type": "record",
    "name": "message",
    "fields": [{"name": "id", "type": "int"}, {"name": "text", "type": ["null", "string"]}],
}


every_decoder = pytest.mark.parametrize("decoder", ["arrow", "fastavro", PLAIN])


def batches(decoder: Any, data: bytes, wanted: Any = None) -> list[Batch]:
    file = ContainerFile(io.BytesIO(data), "s3://b/k")
    writer = parse_writer_schema(file.schema, file.source)
    choice, refusal = (DecoderChoice("auto"), "not asked for") if decoder == PLAIN else (DecoderChoice(decoder), None)
    return list(choice.batches(file, writer, None, columns_of(writer, wanted), refusal))


def rows(decoder: Any, data: bytes, wanted: Any = None) -> list[tuple[Any, ...]]:
    """JSON as its text, in which numbers that Python takes for equal differ."""
    file = ContainerFile(io.BytesIO(data))
    columns = columns_of(parse_writer_schema(file.schema, "k"), wanted)
    found = batches(decoder, data, wanted)
    values = [list(chain.from_iterable(batch.columns[position] for batch in found)) for position in range(len(columns))]
    return in_rows(columns, values)


def in_rows(columns: Sequence[Column], values: list[list[Any]]) -> list[tuple[Any, ...]]:
    texts = [
        as_json(column, one) if column.kind == "json" else one for column, one in zip(columns, values, strict=True)
    ]
    return list(zip(*texts, strict=True))


def written(schema: Any, records: list[Any], codec: str = "null", sync_interval: int = 16_000) -> bytes:
    stream = io.BytesIO()
    fastavro.writer(stream, schema, records, codec=codec, sync_interval=sync_interval, sync_marker=SYNC)
    return stream.getvalue()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(files())
def test_all_decoders_give_the_values_of_fastavro_itself(data):
    file = ContainerFile(io.BytesIO(data))
    columns = columns_of(parse_writer_schema(file.schema, "k"))
    records = list(fastavro.reader(io.BytesIO(data)))
    values = [[record[column.name] for record in records] for column in columns]
    expected = repr(in_rows(columns, values))
    assert repr(rows(PLAIN, data)) == expected
    assert repr(rows("fastavro", data)) == expected
    assert repr(rows("arrow", data)) == expected


@pytest.mark.parametrize("decoder", ["arrow", "fastavro"])
def test_the_values_are_those_that_were_written(decoder):
    records = [{"id": number, "text": None if number % 3 else f"t{number}"} for number in range(1000)]
    data = written(SCHEMA, records, "deflate", 500)
    assert rows(decoder, data) == [(record["id"], record["text"]) for record in records]
    assert {type(batch) for batch in batches(decoder, data)} == {ArrowBatch}


@pytest.mark.parametrize("decoder", ["arrow", "fastavro"])
def test_more_blocks_than_a_group_takes_come_in_their_order(decoder):
    data = written(SCHEMA, [{"id": number, "text": "x"} for number in range(600)], sync_interval=1)
    found = batches(decoder, data)
    assert [batch.rows for batch in found] == [256, 256, 88]
    assert [value for batch in found for value in batch.columns[0]] == list(range(600))


@every_decoder
def test_only_the_columns_asked_for_come_in_their_order(decoder):
    assert rows(decoder, written(SCHEMA, [{"id": 1, "text": "a"}]), ["text", "id"]) == [("a", 1)]


@every_decoder
@pytest.mark.parametrize(
    ("schema", "values"),
    [
        pytest.param("string", ["a", "b"], id="text"),
        pytest.param({"type": "int", "logicalType": "date"}, [date(2016, 4, 28)], id="dates"),
    ],
)
def test_values_that_are_no_records_come_as_they_are(decoder, schema, values):
    assert rows(decoder, written(schema, values)) == [(value,) for value in values]


@every_decoder
def test_an_empty_file_has_no_rows(decoder):
    assert batches(decoder, written(SCHEMA, [])) == []


def record_of(kind: Any) -> Any:
    return {"type": "record", "name": "r", "fields": [{"name": "v", "type": kind}]}


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        pytest.param("string", ["a\0b"], id="text with a zero byte"),
        pytest.param({"type": "array", "items": "string"}, [["a\0b"]], id="a zero byte inside of JSON"),
        pytest.param({"type": "array", "items": "double"}, [[float("nan")]], id="NaN inside of JSON"),
    ],
)
def test_what_a_database_may_refuse_is_left_to_fastavro(kind, values):
    (batch,) = batches("arrow", written(record_of(kind), [{"v": value} for value in values]))
    assert type(batch) is Batch
    assert repr(list(batch.columns[0])) == repr(values)


NOT_A_NUMBER = {"type": "map", "values": ["null", "double", "string"]}


def test_a_number_that_is_none_is_told_from_null_and_from_text_of_that_name():
    """JSON libraries write it as null."""
    values = [{"a": None}, {"a": "null"}, {"a": 1e16, "null": 0.5}, None]
    data = written(record_of(["null", NOT_A_NUMBER]), [{"v": value} for value in values])
    (batch,) = batches("fastavro", data)
    assert batch.arrays[0].to_pylist() == ['{"a":null}', '{"a":"null"}', '{"a":1e+16,"null":0.5}', None]
    data = written(record_of(NOT_A_NUMBER), [{"v": {"a": None}}, {"v": {"a": float("nan")}}])
    (batch,) = batches("fastavro", data)
    assert type(batch) is Batch


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ({"type": "int", "logicalType": "date"}, 2_932_897),
        ({"type": "int", "logicalType": "date"}, -719_163),
        ({"type": "int", "logicalType": "time-millis"}, 86_400_000),
        ({"type": "long", "logicalType": "timestamp-millis"}, 253_402_300_800_000),
        ({"type": "long", "logicalType": "timestamp-micros"}, -62_135_596_800_000_001),
    ],
    ids=str,
)
@pytest.mark.parametrize("decoder", ["arrow", "fastavro"])
def test_moments_that_python_has_not_are_told_as_fastavro_tells_them(decoder, kind, number):
    data = written(record_of(kind), [{"v": number}])
    with pytest.raises(BadAvro, match="does not decode") as caught:
        batches(decoder, data)
    with pytest.raises(BadAvro) as expected:
        batches(PLAIN, data)
    assert str(caught.value) == str(expected.value)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(b"", Decimal("0.00"), id="no bytes"),
        pytest.param(b"\xff" * 20 + b"\x85", Decimal("-1.23"), id="more bytes than it takes"),
        pytest.param(b"\x85", Decimal("-1.23"), id="below zero"),
        pytest.param(None, None, id="null"),
    ],
)
def test_decimals_are_made_of_their_bytes(raw, expected):
    kind = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}
    payload = b"\0" if raw is None else b"\x02" + zigzag(len(raw)) + raw
    data = written(record_of(["null", kind]), []) + zigzag(1) + zigzag(len(payload)) + payload + SYNC
    assert [rows(decoder, data) for decoder in ("arrow", "fastavro", PLAIN)] == [[(expected,)]] * 3


@every_decoder
@pytest.mark.parametrize("nested", [False, True])
def test_a_decimal_of_more_digits_than_it_declares_is_told(decoder, nested):
    decimal = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}
    raw = zigzag(3) + (1_234_567).to_bytes(3, "big")
    kind: Any = {"type": "array", "items": decimal} if nested else decimal
    payload = zigzag(1) + raw + b"\0" if nested else raw
    data = written(record_of(kind), []) + zigzag(1) + zigzag(len(payload)) + payload + SYNC
    with pytest.raises(BadAvro, match=r"field 'v' of record 0 .* 12345\.67 has more than the 4 digits"):
        rows(decoder, data)


@every_decoder
@pytest.mark.parametrize("nested", [False, True])
def test_a_uuid_of_16_bytes_comes_as_one(decoder, nested):
    kind: Any = {"type": "fixed", "name": "u", "size": 16, "logicalType": "uuid"}
    value: Any = bytes(15) + b"\x05"
    data = written(
        record_of({"type": "array", "items": kind} if nested else kind), [{"v": [value] if nested else value}]
    )
    expected: Any = '["00000000-0000-0000-0000-000000000005"]' if nested else UUID(int=5)
    assert rows(decoder, data) == [(expected,)]


@every_decoder
def test_the_name_of_a_nested_field_is_escaped_as_text_is(decoder):
    inner = {"type": "record", "name": "i", "fields": [{"name": 'a":1,"b\\', "type": "int"}]}
    data = written(record_of(inner), [{"v": {'a":1,"b\\': 7}}])
    assert rows(decoder, data) == [('{"a\\":1,\\"b\\\\":7}',)]


def test_types_that_name_each_other_are_left_to_fastavro_before_they_are_too_many(caplog):
    kind: Any = {"type": "record", "name": "r0", "fields": [{"name": "x", "type": "int"}]}
    for number in range(1, 40):
        fields = [{"name": "a", "type": ["null", kind]}, {"name": "b", "type": ["null", f"r{number - 1}"]}]
        kind = {"type": "record", "name": f"r{number}", "fields": fields}
    with caplog.at_level("INFO"):
        assert rows("auto", written(kind, [{"a": None, "b": None}])) == [(None, None)]
    assert "more than 10000 types" in caplog.text


LISTS = {"type": "array", "items": ["null", "string"]}
TEXTS = {"type": "array", "items": "string"}
MAP = {"type": "map", "values": "string"}
POINT = {"type": "record", "name": "point", "fields": [{"name": "x", "type": "double"}, {"name": "on", "type": TEXTS}]}


@every_decoder
@pytest.mark.parametrize(
    ("kind", "values", "texts"),
    [
        (TEXTS, [["a", "b"], [""], []], ['["a","b"]', '[""]', "[]"]),
        (TEXTS, [["a", "b"], [""]], ['["a","b"]', '[""]']),  # none of them empty
        (["null", TEXTS], [["a"], None, []], ['["a"]', None, "[]"]),
        (["null", TEXTS], [None, None], [None, None]),
        (LISTS, [["a", None], [None], []], ['["a",null]', "[null]", "[]"]),
        ({"type": "array", "items": TEXTS}, [[["a"], []], [[]], []], ['[["a"],[]]', "[[]]", "[]"]),
        ({"type": "array", "items": ["null", TEXTS]}, [[["a", "b"], None]], ['[["a","b"],null]']),
        ({"type": "array", "items": "long"}, [[1, -2], [3], []], ["[1,-2]", "[3]", "[]"]),
        ({"type": "array", "items": ["null", "double"]}, [[1.0, None, 0.5], []], ["[1.0,null,0.5]", "[]"]),
        ({"type": "map", "values": "null"}, [{"a": None, "b": None}, {}], ['{"a":null,"b":null}', "{}"]),
        (MAP, [{"a": "1", "b": ""}, {"": "x"}, {}], ['{"a":"1","b":""}', '{"":"x"}', "{}"]),
        ({"type": "map", "values": "int"}, [{"a": 1, "b": 2}, {}], ['{"a":1,"b":2}', "{}"]),
        ({"type": "map", "values": ["null", "string"]}, [{"a": None, "b": "c"}], ['{"a":null,"b":"c"}']),
        ({"type": "map", "values": TEXTS}, [{"a": ["b", "c"], "d": []}, {}], ['{"a":["b","c"],"d":[]}', "{}"]),
        ({"type": "map", "values": "double"}, [{}, {}], ["{}", "{}"]),
        ({"type": "array", "items": POINT}, [[]], ["[]"]),
        (POINT, [{"x": -0.5, "on": ["a", "b"]}], ['{"x":-0.5,"on":["a","b"]}']),
        (POINT, [{"x": 2.0, "on": []}], ['{"x":2.0,"on":[]}']),
        (["null", POINT], [{"x": 1.5, "on": ["a"]}, None], ['{"x":1.5,"on":["a"]}', None]),
        ({"type": "array", "items": POINT}, [[{"x": 1.5, "on": ["a"]}, {"x": 2.5, "on": ["b"]}], []],
         ['[{"x":1.5,"on":["a"]},{"x":2.5,"on":["b"]}]', "[]"]),
    ],
)  # fmt: skip
def test_nested_values_are_text_whatever_is_empty_or_missing(decoder, kind, values, texts):
    assert rows(decoder, written(record_of(kind), [{"v": value} for value in values])) == [(text,) for text in texts]


@pytest.mark.parametrize("ending", ["end", "error", "closed"])
def test_arrow_has_its_own_memory_again_behind_a_file(ending):
    import pyarrow as pa

    before = pa.default_memory_pool().backend_name
    data = written(SCHEMA, [{"id": number, "text": "x"} for number in range(10)])
    file = ContainerFile(io.BytesIO(data[:-1] if ending == "error" else data), "s3://b/k")
    writer = parse_writer_schema(file.schema, file.source)
    decoding = DecoderChoice("arrow").batches(file, writer, None, columns_of(writer), None)
    try:
        for _ in decoding:
            assert pa.default_memory_pool().backend_name == "system"
            if ending == "closed":
                break
    except BadAvro:
        assert ending == "error"
    decoding.close()
    assert pa.default_memory_pool().backend_name == before != "system"


def test_a_group_of_blocks_takes_so_many_records_without_a_byte(monkeypatch):
    monkeypatch.setattr("airflow_agari_provider.avro.arrow.fastavro_arrays.GROUP_BYTES", 1000)
    monkeypatch.setattr("airflow_agari_provider.avro.arrow.batches.FIRST_BYTES", 300)
    schema = {"type": "record", "name": "r", "fields": [{"name": "n", "type": "null"}]}
    data = written(schema, []) + (zigzag(400) + zigzag(0) + SYNC) * 5
    assert [batch.rows for batch in batches("fastavro", data)] == [400, 1200, 400]  # the first is small


@every_decoder
def test_a_moment_that_nobody_asks_for_may_be_any_number(decoder):
    fields: list[Any] = [{"name": "id", "type": "int"}, {"name": "at", "type": "long"}]
    data = written({"type": "record", "name": "r", "fields": fields}, [{"id": 1, "at": 2**60}])
    fields[1]["type"] = {"type": "long", "logicalType": "timestamp-millis"}
    head = written({"type": "record", "name": "r", "fields": fields}, [])
    (block,) = ContainerFile(io.BytesIO(data)).blocks()
    assert rows(decoder, head + data[block.offset :], ["id"]) == [(1,)]


NODE = {"type": "record", "name": "node", "fields": [{"name": "next", "type": ["null", "node"]}]}


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        pytest.param(record_of(["int", "string"]), "a union of 2 types", id="union"),
        pytest.param(NODE, "records of their own type", id="recursive"),
        pytest.param(
            record_of({"type": "bytes", "logicalType": "decimal", "precision": 39}), "39 digits", id="long decimal"
        ),
    ],
)
def test_what_arrow_would_not_hold_goes_to_fastavro(schema, problem, caplog):
    data = written(schema, [])
    with caplog.at_level("INFO"):
        assert batches("auto", data) == []
    assert problem in caplog.text
    with pytest.raises(ArrowUnusable, match=problem):
        batches("arrow", data)


def test_why_a_database_or_a_reader_schema_takes_fastavro_is_told_once(caplog):
    data = written(SCHEMA, [{"id": 1, "text": "a"}])
    choice = DecoderChoice("auto")
    with caplog.at_level("INFO"):
        for _ in range(3):
            file = ContainerFile(io.BytesIO(data))
            writer = parse_writer_schema(file.schema, "k")
            assert len(list(choice.batches(file, writer, None, columns_of(writer), "it is no PostgreSQL"))) == 1
    assert caplog.text.count("it is no PostgreSQL") == 1
    file = ContainerFile(io.BytesIO(data))
    with pytest.raises(ArrowUnusable, match="reader_schema"):
        DecoderChoice("arrow").batches(file, writer, parse_reader_schema(SCHEMA), columns_of(writer), None)


TWO = b"\x02\x00" + b"\x04\x00"  # records (1, null) and (2, null)


@pytest.mark.parametrize(
    ("count", "payload"),
    [
        pytest.param(1, TWO, id="counts too few"),
        pytest.param(3, TWO, id="counts too many"),
        pytest.param(0, TWO, id="counts none"),
        pytest.param(2, TWO[:-1], id="ends in a record"),
        pytest.param(2, TWO + b"\0", id="goes on behind the records"),
        pytest.param(2, TWO + b"\x02" + TWO[:2], id="goes on like an array of several parts"),
        pytest.param(2**40, TWO, id="counts beyond reason"),
    ],
)
@every_decoder
def test_a_block_that_does_not_hold_what_it_says_is_told(decoder, count, payload):
    """datafusion by itself never ends on a block that says too few."""
    sound = zigzag(2) + zigzag(len(TWO)) + TWO + SYNC
    data = written(SCHEMA, []) + sound + zigzag(count) + zigzag(len(payload)) + payload + SYNC + sound
    with pytest.raises(BadAvro) as caught:
        batches(decoder, data)
    assert caught.value.offset == len(written(SCHEMA, [])) + len(sound)


SAMPLE: list[Any] = [{"id": number, "text": f"text {number}" * (number % 4) or None} for number in range(40)]


@every_decoder
@pytest.mark.parametrize("codec", CODECS)
def test_a_file_cut_off_anywhere_is_an_error_or_ends_behind_a_block(codec, decoder):
    whole = written(SCHEMA, SAMPLE[:20], codec, 60)
    expected = rows("fastavro", whole)
    for length in range(len(whole)):
        try:
            found = rows(decoder, whole[:length])
        except BadAvro:
            continue
        assert whole[:length].endswith(SYNC)
        assert found == expected[: len(found)]


SEVERAL_KINDS: dict[str, Any] = {
    "id": "int",
    "at": {"type": "long", "logicalType": "timestamp-millis"},
    "d": {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2},
    "e": {"type": "enum", "name": "en", "symbols": ["good", "bad"]},
    "a": {"type": "array", "items": {"type": "record", "name": "in", "fields": [{"name": "l", "type": "long"}]}},
}


def test_a_flipped_bit_of_the_header_is_told_or_changes_no_count_and_nothing_between_decoders():
    """Every bit of it; some make another sound schema, such as one of another name."""
    schema: Any = {"type": "record", "name": "r", "fields": [{"name": n, "type": k} for n, k in SEVERAL_KINDS.items()]}
    moment = datetime(2016, 4, 28, 5, tzinfo=UTC)
    record = {"id": 1, "at": moment, "d": Decimal("1.25"), "e": "good", "a": [{"l": 7}]}
    whole = written(schema, [record] * 3)
    header = len(written(schema, []))
    told = 0
    for bit in range(8 * header):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        try:
            columns_of(parse_writer_schema(ContainerFile(io.BytesIO(data), "s3://b/k").schema, "s3://b/k"))
        except UnimportableObject:
            told += 1
            continue  # before anything is decoded
        found = outcome(PLAIN, bytes(data))
        assert isinstance(found, str) or len(found) == 3
        assert repr(outcome("fastavro", bytes(data))) == repr(found), bit
        if (by_arrow := outcome("arrow", bytes(data))) is not None:
            assert repr(by_arrow) == repr(found), bit
    assert 4 * header < told < 8 * header


def outcome(decoder: str, data: bytes) -> Any:
    """The rows; the error; or None where Arrow does not take the schema."""
    try:
        return rows(decoder, data)
    except UnimportableObject as error:
        return str(error)
    except ArrowUnusable:
        return None


@every_decoder
@pytest.mark.parametrize("codec", CODECS)
def test_flipped_bits_are_told_where_the_codec_has_a_checksum(codec, decoder):
    """... and elsewhere too, or leave as many rows as there were; never a crash, and never without an end."""
    whole = written(SCHEMA, SAMPLE, codec, 60)
    source = random.Random(codec)
    header = len(written(SCHEMA, [], codec))
    for _ in range(80):
        data = bytearray(whole)
        data[source.randrange(header, len(data))] ^= 1 << source.randrange(8)
        try:
            found = rows(decoder, bytes(data))
        except BadAvro:
            continue
        assert codec in ("null", "zstandard") or found == rows(decoder, whole)
        assert len(found) == len(SAMPLE)
