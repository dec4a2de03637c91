from __future__ import annotations

import io
import pickle
import random
import sys
import zlib
from typing import Any

import pytest

from airflow_agari_provider.avro import codecs
from airflow_agari_provider.avro.blocks import MAX_BLOCK_BYTES, ContainerFile
from airflow_agari_provider.avro.codecs import CODECS
from airflow_agari_provider.exceptions import BadAvro
from tests.avro.text_files import SYNC, avro_file


def blocks_of(data: bytes, max_block_bytes: int = MAX_BLOCK_BYTES) -> list[tuple[int, bytes]]:
    file = ContainerFile(io.BytesIO(data), "s3://b/k", max_block_bytes)
    return [(block.records, file.decompressed(block)) for block in file.blocks()]


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_gives_the_bytes_that_were_written(codec):
    assert blocks_of(avro_file(["a", "bb"], codec)) == [(1, b"\x02a"), (1, b"\x04bb")]


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
    """Each of the libraries that decompress deflate."""
    if request.param == "zlib":
        monkeypatch.setitem(sys.modules, "isal", None)
    codecs._inflater.cache_clear()
    yield request.param
    codecs._inflater.cache_clear()


def deflated(data: bytes, tail: int = 0) -> bytes:
    """:param tail: how many bytes of zlib's checksum follow the data."""
    whole = zlib.compress(data)
    return whole[2 : len(whole) - 4 + tail]


@pytest.mark.parametrize("tail", range(5), ids=str)
def test_a_part_of_the_checksum_after_deflate_is_compared_with_the_data(inflater, tail):
    text = "hello" * 5000
    payload = deflated(zigzag(len(text)) + text.encode(), tail)
    assert (codecs._inflater()[1] is zlib.error) is (inflater == "zlib")
    assert blocks_of(with_payload("deflate", payload)) == [(1, zigzag(len(text)) + text.encode())]
    if tail:
        with pytest.raises(BadAvro, match="checksum"):
            blocks_of(with_payload("deflate", payload[:-1] + bytes([payload[-1] ^ 1])))


def test_both_inflaters_find_the_same_damage(monkeypatch):
    """Both accept the same payloads, with the same bytes: no row depends on whether ISA-L is installed."""
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
        return codecs.decompressor_of("deflate", 10**9)(payload)
    except codecs.DamagedPayload:
        return None


def test_snappy_without_a_matching_checksum_is_damaged():
    payload = stored_payload("snappy", "hello")
    with pytest.raises(BadAvro, match="checksum"):
        blocks_of(with_payload("snappy", payload[:-1] + bytes([payload[-1] ^ 1])))


@pytest.mark.parametrize("codec", [codec for codec in CODECS if codec != "null"])
def test_a_payload_that_grows_beyond_reason_is_refused(codec):
    bomb = stored_payload(codec, "a" * 2000)
    with pytest.raises(BadAvro, match=r"more than 1000 bytes when it is decompressed.* raise max_block_bytes"):
        blocks_of(with_payload(codec, bomb), 500)


@pytest.mark.parametrize("codec", [codec for codec in CODECS if codec != "null"])
def test_so_is_one_that_is_hardly_smaller_than_what_it_may_grow_to(inflater, codec):
    bomb = stored_payload(codec, random.Random(1).randbytes(200).hex() + "a" * 9000)
    with pytest.raises(BadAvro, match=r"more than 1800 bytes when it is decompressed.* raise max_block_bytes"):
        blocks_of(with_payload(codec, bomb), 900)


def test_damage_keeps_its_problem_on_the_way_between_processes():
    error = pickle.loads(pickle.dumps(codecs.DamagedPayload("its payload does not match its checksum")))
    assert (error.problem, str(error)) == ("its payload does not match its checksum",) * 2


@pytest.mark.parametrize("codec", ["zstandard", "bzip2", "xz"])
def test_a_payload_of_two_frames_is_whole(codec):
    """A writer that flushes within a block writes two."""
    first, second = (stored_payload(codec, text) for text in ("a", "bb"))
    assert blocks_of(with_payload(codec, first + second)) == [(1, b"\x02a\x04bb")]


@pytest.mark.parametrize("codec", ["zstandard", "bzip2", "xz"])
def test_frames_have_one_limit_together(codec):
    frame = stored_payload(codec, "a" * 1000)
    assert len(blocks_of(with_payload(codec, frame), 750)) == 1
    with pytest.raises(BadAvro, match="more than 1500 bytes"):
        blocks_of(with_payload(codec, frame + frame), 750)
