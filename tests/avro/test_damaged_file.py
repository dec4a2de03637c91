"""The sound parts of a damaged file are found, and every other byte is handed out."""

from __future__ import annotations

import io
import random
from itertools import pairwise
from typing import Any

import fastavro
import pytest

from airflow_agari_provider.avro.blocks import Block, ContainerFile
from airflow_agari_provider.avro.columns import columns_of
from airflow_agari_provider.avro.damaged_file import BadBlock, SalvagedFile, SoundRows
from airflow_agari_provider.avro.schemas import parse_reader_schema, parse_writer_schema
from tests.avro.scored_messages import avro_file, messages

CODECS = ["null", "deflate", "snappy", "zstandard", "bzip2", "xz"]
ROWS = 300
SYNC = 16


def small_file(codec: str = "deflate", **written: Any) -> bytes:
    """300 rows in blocks of about 30."""
    records = ({"id": number, "name": f"name {number}"} for number in range(ROWS))
    fields = [{"name": "id", "type": "long"}, {"name": "name", "type": "string"}]
    return avro_file(records, {"type": "record", "name": "r", "fields": fields}, codec, block=400, **written)


def blocks_of(data: bytes) -> list[Block]:
    return list(ContainerFile(io.BytesIO(data)).blocks())


def salvaged(data: bytes) -> tuple[list[int], list[BadBlock], int]:
    """Return the ids of the sound rows, the bad blocks, and the number of bad rows in the other blocks."""
    file = SalvagedFile(io.BytesIO(data), "s3://b/k")
    writer = parse_writer_schema(file.file.schema, "s3://b/k")
    columns = columns_of(writer)
    ids: list[int] = []
    bad: list[BadBlock] = []
    bad_rows = 0
    for block in file.blocks():
        found = block if isinstance(block, BadBlock) else file.rows(block, writer, None, columns)
        if isinstance(found, SoundRows):
            ids += found.batch.columns[0]
            bad_rows += len(found.bad)
        else:
            bad.append(found)
    return ids, bad, bad_rows


def test_a_sound_file_is_read_whole():
    assert salvaged(small_file()) == (list(range(ROWS)), [], 0)


def test_a_smashed_payload_loses_its_block_alone():
    data = bytearray(small_file())
    third = blocks_of(bytes(data))[2]
    at = data.index(third.payload)
    data[at + 5 : at + 25] = bytes(20)
    ids, (bad,), _ = salvaged(bytes(data))
    assert len(ids) == ROWS - third.records
    assert (bad.offset, bad.records) == (third.offset, third.records)
    assert bad.raw == data[third.offset : blocks_of(small_file())[3].offset]
    assert "s3://b/k" in bad.reason


def test_a_smashed_sync_marker_loses_its_block_alone():
    data = bytearray(small_file())
    blocks = blocks_of(bytes(data))
    data[blocks[3].offset - SYNC : blocks[3].offset] = b"x" * SYNC
    ids, (bad,), _ = salvaged(bytes(data))
    assert (bad.offset, bad.records, len(ids)) == (blocks[2].offset, blocks[2].records, ROWS - blocks[2].records)
    assert bad.raw == data[blocks[2].offset : blocks[3].offset]


def test_two_smashed_sync_markers_in_a_row_lose_what_is_between_them():
    data = bytearray(small_file())
    blocks = blocks_of(bytes(data))
    for block in blocks[3:5]:
        data[block.offset - SYNC : block.offset] = b"x" * SYNC
    ids, bad, _ = salvaged(bytes(data))
    assert b"".join(one.raw for one in bad) == data[blocks[2].offset : blocks[5].offset]
    assert len(ids) == ROWS - sum(block.records for block in blocks[2:5])


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(b"\x02", id="too small"),
        pytest.param(b"\xff\x7f", id="too large"),
        pytest.param(b"\xff" * 9 + b"\x01", id="beyond reason"),
        pytest.param(b"\x01", id="negative"),
    ],
)
def test_a_wrong_size_loses_its_block_alone(size):
    data = small_file()
    blocks = blocks_of(data)
    payload_at = data.index(blocks[2].payload)
    assert len(blocks[2].payload) > 63, "its size takes two bytes"
    data = data[: payload_at - 2] + size + data[payload_at:]
    ids, (bad,), _ = salvaged(data)
    assert (bad.offset, len(ids)) == (blocks[2].offset, ROWS - blocks[2].records)


@pytest.mark.parametrize("cut", range(1, SYNC), ids=str)
@pytest.mark.parametrize("marker", [b"\xfe", b"\x00", b"\x7e"], ids=["high bytes", "zeros", "low bytes"])
def test_a_size_that_ends_inside_the_marker_loses_its_block_alone(marker, cut):
    """The rest of the marker, with the count after it, must not be taken for the count of a sound block."""
    data = small_file(sync_marker=marker * (SYNC - 1) + b"\xfe")
    third, fourth = blocks_of(data)[2:4]
    assert len(third.payload) - cut > 63, "its size takes two bytes"
    smaller = (len(third.payload) - cut) * 2
    at = fourth.offset - SYNC - len(third.payload) - 2
    broken = data[:at] + bytes([smaller & 0x7F | 0x80, smaller >> 7]) + data[at + 2 :]
    ids, (bad,), _ = salvaged(broken)
    assert (bad.offset, bad.raw) == (third.offset, broken[third.offset : fourth.offset])
    assert len(ids) == ROWS - third.records


@pytest.mark.parametrize("left", [1, 17, 60], ids=str)
def test_a_truncated_file_loses_its_last_block(left):
    data = small_file()
    last = blocks_of(data)[-1]
    ids, (bad,), _ = salvaged(data[: last.offset + left])
    assert (bad.offset, bad.raw) == (last.offset, data[last.offset : last.offset + left])
    assert len(ids) == ROWS - last.records
    assert "truncated" in bad.reason or "not a block" in bad.reason


def test_bytes_after_the_last_block_are_bad_and_give_no_rows():
    ids, (bad,), _ = salvaged(small_file() + b"\n")
    assert (len(ids), bad.raw) == (ROWS, b"\n")


def test_without_any_further_block_the_rest_comes_in_pieces(monkeypatch):
    monkeypatch.setattr("airflow_agari_provider.avro.damaged_file.MAX_PIECE_BYTES", 100_000)
    whole = small_file()
    ids, bad, _ = salvaged(whole + b"\x03" + bytes(range(1, 200)) * 2000)
    assert len(ids) == ROWS
    assert b"".join(one.raw for one in bad) == b"\x03" + bytes(range(1, 200)) * 2000
    assert len(bad) > 2
    assert {one.records for one in bad[1:]} == {None}


def test_a_file_without_an_avro_header_cannot_be_salvaged():
    with pytest.raises(Exception, match="not an Avro object container file"):
        salvaged(b"hello")


@pytest.mark.parametrize("codec", CODECS)
def test_every_byte_and_every_row_is_accounted_for_after_any_bit_flip(codec):
    """A flip may change a value (null, zstandard), or cost its block; it costs no other block, and no byte."""
    data = small_file(codec)
    blocks = blocks_of(data)
    first, most = blocks[0].offset, max(block.records for block in blocks)
    chance = random.Random(5)
    for _ in range(150):
        bit = chance.randrange(first * 8, len(data) * 8)
        broken = bytearray(data)
        broken[bit // 8] ^= 1 << bit % 8
        ids, bad, bad_rows = salvaged(bytes(broken))
        assert len(bad) <= 1, f"bit {bit}"
        assert ROWS - most <= len(ids) + bad_rows <= ROWS, f"bit {bit}"
        if bad:
            assert bad[0].raw == broken[bad[0].offset : bad[0].offset + len(bad[0].raw)], f"bit {bit}"
            assert bad[0].raw.endswith(data[-SYNC:]) or bit // 8 in range(bad[0].offset, len(data)), f"bit {bit}"
        else:
            assert len(ids) + bad_rows == ROWS, f"bit {bit}"


def test_every_truncation_keeps_the_whole_blocks():
    data = small_file()
    blocks = blocks_of(data)
    for end in range(blocks[0].offset, len(data)):
        ids, bad, _ = salvaged(data[:end])
        whole = [block for block, following in pairwise(blocks) if following.offset <= end]
        assert len(ids) == sum(block.records for block in whole), f"cut at {end}"
        ends_with_a_block = end in [block.offset for block in blocks]
        assert (b"".join(one.raw for one in bad) == b"") is ends_with_a_block, f"cut at {end}"


STAMPED: dict[str, Any] = {
    "type": "record",
    "name": "r",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}]},
        {"name": "name", "type": "string"},
    ],
}


def stamped(*rows: tuple[int, int, bytes]) -> bytes:
    """A file with times and texts that fastavro would not write."""
    raw: Any = {"type": "record", "name": "r", "fields": [
        {"name": "id", "type": "long"}, {"name": "at", "type": ["null", "long"]}, {"name": "name", "type": "bytes"},
    ]}  # fmt: skip
    file = avro_file(({"id": one, "at": two, "name": three} for one, two, three in rows), raw, "null")
    marker = file[-SYNC:]
    head = io.BytesIO()
    fastavro.writer(head, STAMPED, [], sync_marker=marker)
    return head.getvalue() + file[blocks_of(file)[0].offset :]


def test_rows_that_do_not_decode_are_told_from_their_neighbours():
    beyond, fine = 300_000_000_000_000, 1_461_819_600_000  # milliseconds; the year 11476, and 2016
    data = stamped((1, fine, b"x"), (2, beyond, b"x"), (3, fine, b"\xff"), (4, fine, b"y"))
    file = SalvagedFile(io.BytesIO(data), "s3://b/k")
    writer = parse_writer_schema(file.file.schema, "s3://b/k")
    (block,) = file.blocks()
    assert isinstance(block, Block)
    rows = file.rows(block, writer, None, columns_of(writer))
    assert isinstance(rows, SoundRows)
    assert rows.batch.columns[0] == (1, 4)
    assert list(rows.positions) == [0, 3]
    assert [(bad.position, bad.datum[0], bad.reason[:24]) for bad in rows.bad] == [
        (1, 4, "does not decode (3000000"),
        (2, 6, "does not decode (Unicode"),
    ]
    assert file.data(block, writer)[1] == rows.bad[0].datum


def test_rows_are_resolved_to_the_schema_of_the_reader():
    wanted = {"type": "record", "name": "scored_message", "fields": [
        {"name": "message_id", "type": ["null", "string"]}, {"name": "verdict", "type": "string", "default": "none"}
    ]}  # fmt: skip
    file = SalvagedFile(io.BytesIO(messages(3)), "s3://b/k")
    reader = parse_reader_schema(wanted)
    (block,) = file.blocks()
    assert isinstance(block, Block)
    rows = file.rows(block, parse_writer_schema(file.file.schema, ""), reader, columns_of(reader))
    assert isinstance(rows, SoundRows)
    assert rows.batch.columns == (("m0", "m1", "m2"), ("none", "none", "none"))


def test_a_count_that_lies_is_a_bad_block():
    data = small_file("null")
    first = blocks_of(data)[0]
    count = bytes([first.records * 2 + 2])
    assert data[first.offset] == first.records * 2 < 254
    ids, (bad,), _ = salvaged(data[: first.offset] + count[:1] + data[first.offset + 1 :])
    assert len(ids) == ROWS - first.records
    assert bad.offset == first.offset
