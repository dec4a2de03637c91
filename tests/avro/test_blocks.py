from __future__ import annotations

import io
import json
import pickle

import fastavro
import pytest

from airflow_agari_provider.avro.blocks import ContainerFile, count_block_records
from airflow_agari_provider.exceptions import BadAvro
from tests.avro.text_files import SCHEMA, avro_file


def test_a_file_of_another_writer_with_many_records_in_a_block_is_counted_from_its_headers():
    stream = io.BytesIO()
    fastavro.writer(stream, SCHEMA, ({"text": str(number)} for number in range(10_000)), codec="deflate")
    assert count_block_records(io.BytesIO(stream.getvalue())) == 10_000


def test_a_file_without_blocks_is_sound_and_empty():
    assert count_block_records(io.BytesIO(avro_file([]))) == 0


def test_the_header_gives_schema_and_codec():
    file = ContainerFile(io.BytesIO(avro_file(["a"], "snappy")))
    assert (file.schema["name"], file.codec) == ("message", "snappy")


def test_metadata_that_is_not_utf_8_is_ignored():
    stream = io.BytesIO()
    fastavro.writer(stream, SCHEMA, [{"text": "a"}], metadata={"made_by": "zxcv"})
    assert count_block_records(io.BytesIO(stream.getvalue().replace(b"zxcv", b"\xff\xfe\xfd\xfc"))) == 1


WHOLE = avro_file(["first", "second"])
HEADER = len(avro_file([]))
BLOCK_1 = 1 + 1 + 6 + 16  # bytes: count, size, payload, marker
BLOCK_2 = 1 + 1 + 7 + 16


def test_the_sample_is_laid_out_as_the_cases_below_assume():
    assert len(WHOLE) == HEADER + BLOCK_1 + BLOCK_2


@pytest.mark.parametrize(
    ("data", "offset", "problem"),
    [
        pytest.param(b"", 0, "ends inside its header", id="empty object"),
        pytest.param(b"PAR1" + b"\0" * 99, 0, "not an Avro object container file", id="another format"),
        pytest.param(b"PAR1" + b"\0" * 99, 0, "like a Parquet file", id="Parquet"),
        pytest.param(
            b"\0\0\0\1\2\x02a", 0, "in Confluent's wire format, with the schema 258 of a schema registry", id="Kafka"
        ),
        pytest.param(
            b"\xc3\x01" + b"12345678", 0, "Avro's single-object encoding, without a schema", id="single object"
        ),
        pytest.param(b"\x1f\x8b\x08\0\0", 0, "by gzip; use Avro's own compression", id="gzip"),
        pytest.param(b"\0" * 9, 0, "not an Avro object container file.", id="zeros"),
        pytest.param(WHOLE[: HEADER - 1], HEADER - 1, "ends inside its header", id="truncated header"),
        pytest.param(WHOLE[:-1], HEADER + BLOCK_1, "truncated", id="truncated by one byte"),
        pytest.param(WHOLE[: HEADER + 20], HEADER, "truncated", id="truncated in a block"),
        pytest.param(
            WHOLE[: HEADER + 1], HEADER, "1 bytes after the last whole block", id="truncated after a block's first byte"
        ),
        pytest.param(WHOLE + b"\n", len(WHOLE), "1 bytes after the last whole block", id="one byte too many"),
        pytest.param(WHOLE + b"\n" * 40, len(WHOLE), "sync marker", id="many bytes too many"),
        pytest.param(WHOLE + WHOLE, len(WHOLE), "sync marker", id="two files in one"),
        pytest.param(WHOLE[:-1] + b"\0", HEADER + BLOCK_1, "sync marker", id="damaged marker"),
        pytest.param(WHOLE[:HEADER] + b"\x01" + WHOLE[HEADER + 1 :], HEADER, "-1 records", id="negative count"),
        pytest.param(WHOLE[:HEADER] + b"\x02\x01", HEADER, "has -1 bytes", id="negative size"),
        pytest.param(
            WHOLE[:HEADER] + b"\x02" + b"\xfe" * 6 + b"\x01",
            HEADER,
            "bytes, which is larger than max_block_bytes=268435456; if it is not damaged, raise",
            id="size beyond the limit",
        ),
        pytest.param(WHOLE[:HEADER] + b"\xff" * 30, HEADER + 10, "more than ten bytes", id="endless number"),
        pytest.param(
            WHOLE.replace(b"null", b"lzo "),
            0,
            "its codec is one of null, deflate, snappy, zstandard, bzip2, xz, not 'lzo '",
            id="unknown codec",
        ),
        pytest.param(WHOLE.replace(b'{"', b"{{"), 0, "schema", id="schema that is not JSON"),
        pytest.param(WHOLE.replace(b"avro.schema", b"avro.scheme"), 0, "schema", id="no schema"),
    ],
)
def test_damage_is_told_with_its_place(data, offset, problem):
    with pytest.raises(BadAvro) as caught:
        count_block_records(io.BytesIO(data), "s3://b/k")
    assert (caught.value.offset, caught.value.source) == (offset, "s3://b/k")
    assert problem in str(caught.value)


def test_the_sound_blocks_before_the_damage_come_first():
    blocks = ContainerFile(io.BytesIO(WHOLE[:-1])).blocks()
    assert next(blocks).records == 1
    with pytest.raises(BadAvro):
        next(blocks)


def test_the_error_survives_pickling():
    error = BadAvro("s3://b/k", 7, "broken")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_schema_is_parsed_as_the_header_has_it():
    assert json.loads(json.dumps(ContainerFile(io.BytesIO(avro_file([]))).schema))["name"] == "message"
