from __future__ import annotations

import io
import pickle
import random
import sys
import zlib
from typing import Any

import fastavro
import pytest

from airflow_agari_provider.avro import codecs
from airflow_agari_provider.avro.blocks import ContainerFile, count_block_records
from airflow_agari_provider.avro.codecs import CODECS
from airflow_agari_provider.exceptions import BadAvro

SCHEMA = {"type": "record", "name": "message", "fields": [{"name": "text", "type": "string"}]}
SYNC = b"0123456789abcdef"
FAST_AVRO_SYNC = 1  # bytes: fastavro closes a block once it holds so many


def avro_file(texts: list[str], codec: str = "null") -> bytes:
    """One block for each text."""
    stream = io.BytesIO()
    fastavro.writer(
        stream, SCHEMA, ({"text": text} for text in texts), codec=codec, sync_interval=FAST_AVRO_SYNC, sync_marker=SYNC
    )
    return stream.getvalue()


def blocks_of(data: bytes) -> list[tuple[int, bytes]]:
    file = ContainerFile(io.BytesIO(data), "s3://b/k")
    return [(block.records, file.decompressed(block)) for block in file.blocks()]


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_gives_the_bytes_that_were_written(codec):
    assert blocks_of(avro_file(["a", "bb"], codec)) == [(1, b"\x02a"), (1, b"\x04bb")]


def test_a_file_of_another_writer_with_many_records_in_a_block_is_counted_from_its_headers():
    stream = io.BytesIO()
    fastavro.writer(stream, SCHEMA, ({"text": str(number)} for number in range(10_000)), codec="deflate")
    assert count_block_records(io.BytesIO(stream.getvalue())) == 10_000


def test_a_file_without_blocks_is_sound_and_empty():
    assert count_block_records(io.BytesIO(avro_file([]))) == 0


def test_the_header_gives_schema_and_codec():
    file = ContainerFile(io.BytesIO(avro_file(["a"], "snappy")))
    assert (file.schema["name"], file.codec) == ("message", "snappy")


def test_metadata_that_is_no_utf_8_disturbs_nobody():
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
        pytest.param(b"PAR1" + b"\0" * 99, 0, "no Avro object container file", id="another format"),
        pytest.param(WHOLE[: HEADER - 1], HEADER - 1, "ends inside its header", id="truncated header"),
        pytest.param(WHOLE[:-1], HEADER + BLOCK_1, "truncated", id="truncated by one byte"),
        pytest.param(WHOLE[: HEADER + 20], HEADER, "truncated", id="truncated in a block"),
        pytest.param(WHOLE[: HEADER + 1], HEADER, "1 bytes behind", id="truncated behind a block's first byte"),
        pytest.param(WHOLE + b"\n", len(WHOLE), "1 bytes behind the last whole block", id="one byte too many"),
        pytest.param(WHOLE + b"\n" * 40, len(WHOLE), "sync marker", id="many bytes too many"),
        pytest.param(WHOLE + WHOLE, len(WHOLE), "sync marker", id="two files in one"),
        pytest.param(WHOLE[:-1] + b"\0", HEADER + BLOCK_1, "sync marker", id="damaged marker"),
        pytest.param(WHOLE[:HEADER] + b"\x01" + WHOLE[HEADER + 1 :], HEADER, "-1 records", id="negative count"),
        pytest.param(WHOLE[:HEADER] + b"\x02\x01", HEADER + 2, "-1 bytes", id="negative size"),
        pytest.param(
            WHOLE[:HEADER] + b"\x02" + b"\xfe" * 6 + b"\x01", HEADER + 8, "a length of", id="size beyond reason"
        ),
        pytest.param(WHOLE[:HEADER] + b"\xff" * 30, HEADER + 10, "more than ten bytes", id="endless number"),
        pytest.param(WHOLE.replace(b"null", b"lzo "), 0, "codec 'lzo '", id="unknown codec"),
        pytest.param(WHOLE.replace(b'{"', b"{{"), 0, "schema", id="schema that is no JSON"),
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


def with_payload(codec: str, payload: bytes) -> bytes:
    return avro_file([], codec) + b"\x02" + zigzag(len(payload)) + payload + SYNC


def zigzag(number: int) -> bytes:
    number, out = number << 1, bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def stored_payload(codec: str, text: str) -> bytes:
    (block,) = ContainerFile(io.BytesIO(avro_file([text], codec))).blocks()
    return block.payload


@pytest.mark.parametrize("codec", [codec for codec in CODECS if codec != "null"])
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda payload: b"", id="nothing"),
        pytest.param(lambda payload: payload[:-5], id="cut"),
        pytest.param(lambda payload: payload + b"\0\0\0\0\0", id="too long"),
        pytest.param(lambda payload: b"\xff" * 40, id="garbage"),
    ],
)
def test_a_damaged_payload_is_told(codec: str, damage: Any):
    with pytest.raises(BadAvro, match="damaged"):
        blocks_of(with_payload(codec, damage(stored_payload(codec, "hello" * 9))))


@pytest.mark.parametrize("codec", CODECS)
def test_a_payload_that_grows_a_lot_is_whole(codec: str):
    text = "hello" * 100_000
    assert blocks_of(avro_file([text], codec)) == [(1, zigzag(len(text)) + text.encode())]


@pytest.fixture(params=["isal", "zlib"])
def inflater(request, monkeypatch):
    """Each of the libraries that inflate."""
    if request.param == "zlib":
        monkeypatch.setitem(sys.modules, "isal", None)
    codecs._inflater.cache_clear()
    yield request.param
    codecs._inflater.cache_clear()


def deflated(data: bytes, tail: int = 0) -> bytes:
    """:param tail: bytes of zlib's checksum that are left behind it."""
    whole = zlib.compress(data)
    return whole[2 : len(whole) - 4 + tail]


@pytest.mark.parametrize("tail", range(5), ids=str)
def test_a_piece_of_the_checksum_behind_deflate_is_held_to_the_data(inflater, tail):
    text = "hello" * 5000
    payload = deflated(zigzag(len(text)) + text.encode(), tail)
    assert (codecs._inflater()[1] is zlib.error) is (inflater == "zlib")
    assert blocks_of(with_payload("deflate", payload)) == [(1, zigzag(len(text)) + text.encode())]
    if tail:
        with pytest.raises(BadAvro, match="checksum"):
            blocks_of(with_payload("deflate", payload[:-1] + bytes([payload[-1] ^ 1])))


def test_both_inflaters_find_the_same_damage(monkeypatch):
    """What one takes for sound the other does too, with the same bytes: no row depends on whether ISA-L is there."""
    chance = random.Random(1)
    sound = [deflated(bytes(chance.choices(b"abcdef", k=200 + 40 * n)), n % 5) for n in range(40)]
    damaged = [flipped(chance.choice(sound), chance) for _ in range(4000)]
    outcomes = []
    for library in ("isal", "zlib"):
        codecs._inflater.cache_clear()
        with monkeypatch.context() as patch:
            if library == "zlib":
                patch.setitem(sys.modules, "isal", None)
            outcomes.append([inflated(payload) for payload in [*sound, *damaged]])
    codecs._inflater.cache_clear()
    assert outcomes[0] == outcomes[1]
    assert None not in outcomes[0][:40]
    assert 1000 < outcomes[0].count(None) < 4000


def flipped(payload: bytes, chance: random.Random) -> bytes:
    bit, broken = chance.randrange(len(payload) * 8), bytearray(payload)
    broken[bit // 8] ^= 1 << bit % 8
    return bytes(broken)


def inflated(payload: bytes) -> bytes | None:
    try:
        return codecs.decompressor_of("deflate")(payload)
    except codecs.DamagedPayload:
        return None


def test_snappy_without_a_matching_checksum_is_damaged():
    payload = stored_payload("snappy", "hello")
    with pytest.raises(BadAvro, match="checksum"):
        blocks_of(with_payload("snappy", payload[:-1] + bytes([payload[-1] ^ 1])))


@pytest.mark.parametrize("codec", [codec for codec in CODECS if codec != "null"])
def test_a_payload_that_grows_beyond_reason_is_refused(codec, monkeypatch):
    monkeypatch.setattr("airflow_agari_provider.avro.codecs.MAX_PAYLOAD_BYTES", 1000)
    bomb = stored_payload(codec, "a" * 2000)
    with pytest.raises(BadAvro, match="grows beyond"):
        blocks_of(with_payload(codec, bomb))


@pytest.mark.parametrize("codec", [codec for codec in CODECS if codec != "null"])
def test_so_is_one_that_is_hardly_smaller_than_what_it_may_grow_to(inflater, codec, monkeypatch):
    monkeypatch.setattr("airflow_agari_provider.avro.codecs.MAX_PAYLOAD_BYTES", 1000)
    bomb = stored_payload(codec, random.Random(1).randbytes(200).hex() + "a" * 9000)
    with pytest.raises(BadAvro, match="grows beyond"):
        blocks_of(with_payload(codec, bomb))


def test_the_error_survives_pickling():
    error = BadAvro("s3://b/k", 7, "broken")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
