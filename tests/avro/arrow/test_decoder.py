"""Arrow's decoder, and fastavro's with Arrow's arrays, give what fastavro gives: for sound and for damaged files."""

from __future__ import annotations

import io
import random
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import fastavro
import pytest
from hypothesis import HealthCheck, given, settings

from airflow_agari_provider.avro.arrow.batches import ArrowBatch
from airflow_agari_provider.avro.blocks import ContainerFile, zigzag
from airflow_agari_provider.avro.codecs import CODECS
from airflow_agari_provider.avro.columns import columns_of
from airflow_agari_provider.avro.decoders import ArrowUnusable
from airflow_agari_provider.avro.schemas import parse_writer_schema
from airflow_agari_provider.exceptions import BadAvro, UnimportableObject
from tests.avro.arrow.decoding import PLAIN, batches, every_decoder, in_rows, rows
from tests.avro.container_files import SYNC, written
from tests.avro.random_avro import files
from tests.avro.sample_schemas import SCHEMA, record_of

pytest.importorskip("datafusion", reason="the extra [arrow] is not installed")


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
def test_values_that_are_not_records_come_as_they_are(decoder, schema, values):
    assert rows(decoder, written(schema, values)) == [(value,) for value in values]


@every_decoder
def test_an_empty_file_has_no_rows(decoder):
    assert batches(decoder, written(SCHEMA, [])) == []


@every_decoder
def test_a_moment_that_is_not_read_may_be_any_number(decoder):
    fields: list[Any] = [{"name": "id", "type": "int"}, {"name": "at", "type": "long"}]
    data = written({"type": "record", "name": "r", "fields": fields}, [{"id": 1, "at": 2**60}])
    fields[1]["type"] = {"type": "long", "logicalType": "timestamp-millis"}
    head = written({"type": "record", "name": "r", "fields": fields}, [])
    (block,) = ContainerFile(io.BytesIO(data)).blocks()
    assert rows(decoder, head + data[block.offset :], ["id"]) == [(1,)]


TWO = b"\x02\x00" + b"\x04\x00"  # records (1, null) and (2, null)


@pytest.mark.parametrize(
    ("count", "payload"),
    [
        pytest.param(1, TWO, id="counts too few"),
        pytest.param(3, TWO, id="counts too many"),
        pytest.param(0, TWO, id="counts none"),
        pytest.param(2, TWO[:-1], id="ends in a record"),
        pytest.param(2, TWO + b"\0", id="goes on after the records"),
        pytest.param(2, TWO + b"\x02" + TWO[:2], id="goes on like an array of several parts"),
        pytest.param(2**40, TWO, id="counts far too many"),
    ],
)
@every_decoder
def test_a_block_that_does_not_hold_what_it_says_is_told(decoder, count, payload):
    """datafusion by itself never returns from a block that counts too few."""
    sound = zigzag(2) + zigzag(len(TWO)) + TWO + SYNC
    data = written(SCHEMA, []) + sound + zigzag(count) + zigzag(len(payload)) + payload + SYNC + sound
    with pytest.raises(BadAvro) as caught:
        batches(decoder, data)
    assert caught.value.offset == len(written(SCHEMA, [])) + len(sound)


SAMPLE: list[Any] = [{"id": number, "text": f"text {number}" * (number % 4) or None} for number in range(40)]


@every_decoder
@pytest.mark.parametrize("codec", CODECS)
def test_a_file_cut_off_anywhere_is_an_error_or_ends_after_a_block(codec, decoder):
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
    """Every bit of the header is flipped. Some flips make another sound schema, such as one with another name."""
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
    """Return the rows, or the error as text, or None if Arrow does not support the schema."""
    try:
        return rows(decoder, data)
    except UnimportableObject as error:
        return str(error)
    except ArrowUnusable:
        return None


@every_decoder
@pytest.mark.parametrize("codec", CODECS)
def test_flipped_bits_are_told_where_the_codec_has_a_checksum(codec, decoder):
    """Without a checksum they are reported, or leave as many rows as before. No decoder crashes or runs forever."""
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


@every_decoder
def test_fields_within_records_are_null_where_the_record_is(decoder):
    inner = {"type": "record", "name": "h", "fields": [{"name": "day", "type": {"type": "int", "logicalType": "date"}}]}
    fields = [{"name": "city", "type": "string"}, {"name": "in", "type": ["null", inner]}]
    geo = {"type": "record", "name": "g", "fields": fields}
    values = [{"city": "x", "in": {"day": date(2016, 4, 28)}}, None, {"city": "y", "in": None}]
    data = written(record_of(["null", geo]), [{"v": value} for value in values])
    found = rows(decoder, data, {"v.city": "city", "v.in.day": "day", "v.in": "more"})
    assert found == [("x", date(2016, 4, 28), '{"day":"2016-04-28"}'), (None, None, None), ("y", None, None)]
