from __future__ import annotations

import gzip
import zlib

import pytest

from airflow_agari_provider.streams.errors import BadPayload
from airflow_agari_provider.streams.payloads import (
    MAX_DATUM_BYTES,
    READERS,
    read_confluent,
    read_glue,
    read_single_object,
)
from tests.streams.wire import confluent, glue, single_object

VERSION = "b7b4a7f0-9c96-4e4a-a687-fb5de9ef0c63"
BODY = b"\x0a12345"


@pytest.mark.parametrize(
    ("read", "data", "schema_id"),
    [
        (read_confluent, confluent(100_001, BODY), "100001"),
        (read_confluent, confluent(2**32 - 1, BODY), "4294967295"),
        (read_glue, glue(VERSION, BODY), VERSION),
        (read_glue, glue(VERSION, BODY, compressed=True), VERSION),
        (read_single_object, single_object("int", BODY), "8f5c393f1ad57572"),  # the specification's own example
    ],
    ids=["confluent", "the largest id", "glue", "glue, zlib", "single object"],
)
def test_a_record_tells_its_schema_and_its_datum(read, data, schema_id):
    assert read(data) == (schema_id, BODY)


@pytest.mark.parametrize("data", [confluent(1, b""), glue(VERSION, b""), single_object("int", b"")], ids=list(READERS))
def test_a_datum_may_have_no_bytes(data):
    (read,) = (read for read, begin in zip(READERS.values(), (b"\0", b"\3", b"\xc3"), strict=True) if data[:1] == begin)
    assert read(data)[1] == b""


@pytest.mark.parametrize(
    ("read", "data"),
    [
        (read_confluent, confluent(1, BODY)),
        (read_glue, glue(VERSION, BODY)),
        (read_glue, glue(VERSION, BODY, compressed=True)),
        (read_single_object, single_object("int", BODY)),
    ],
    ids=["confluent", "glue", "glue, zlib", "single object"],
)
def test_every_damaged_byte_of_a_header_is_refused_or_names_another_schema(read, data):
    schema_id, _ = read(data)
    for position in range(len(data) - len(BODY) if read is not read_glue else 18):
        for change in (0x01, 0x05, 0x80, 0xFF):
            damaged = bytearray(data)
            damaged[position] ^= change
            try:
                found, _ = read(bytes(damaged))
            except BadPayload:
                continue
            assert found != schema_id, f"byte {position} ^ {change:#x}"


@pytest.mark.parametrize("position", range(18, 18 + len(zlib.compress(BODY))))
def test_every_damaged_byte_of_compressed_data_is_refused(position):
    data = bytearray(glue(VERSION, BODY, compressed=True))
    data[position] ^= 0xFF
    with pytest.raises(BadPayload, match="does not decompress"):
        read_glue(bytes(data))


@pytest.mark.parametrize(("name", "length"), [("confluent", 4), ("glue", 17), ("single_object", 9)])
def test_a_header_that_is_cut_off_is_refused(name, length):
    whole = {"confluent": confluent(1, b""), "glue": glue(VERSION, b""), "single_object": single_object("int", b"")}
    with pytest.raises(BadPayload, match=f"it has {length} bytes, and its header alone takes {length + 1}"):
        READERS[name](whole[name][:length])


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "it has no bytes"),
        (b'{"a": 1}', "like JSON"),
        (b"Obj\x01...", "leave registry= out"),
        (b"\xf3\x89\x9a\xc2...", "turn its aggregation off"),
        (confluent(1, BODY), "like Confluent's wire format"),
        (gzip.compress(b"a"), "it begins with 1f 8b 08 00$"),
    ],
    ids=["nothing", "json", "file", "kpl", "confluent", "gzip"],
)
def test_an_error_tells_what_a_record_may_be_instead(data, told):
    with pytest.raises(BadPayload, match=told):
        read_single_object(data)


def test_a_datum_that_would_fill_the_memory_is_refused():
    bomb = glue(VERSION, b"\0" * (MAX_DATUM_BYTES + 1), compressed=True)
    assert len(bomb) < 100_000
    with pytest.raises(BadPayload, match="decompresses to more than 67108864 bytes"):
        read_glue(bomb)


@pytest.mark.parametrize("change", [zlib.compress(BODY)[:-1], zlib.compress(BODY) + b"x"], ids=["short", "long"])
def test_compressed_data_ends_where_its_record_ends(change):
    with pytest.raises(BadPayload, match="too early or too late"):
        read_glue(glue(VERSION, b"", compressed=True)[:18] + change)
