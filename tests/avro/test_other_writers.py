"""Files that other implementations have written are loaded, or refused with a clear reason."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.util import find_spec
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from airflow_agari_provider.avro.blocks import ContainerFile
from airflow_agari_provider.avro.columns import columns_of
from airflow_agari_provider.avro.decoders import DecoderChoice
from airflow_agari_provider.avro.schemas import parse_writer_schema
from airflow_agari_provider.exceptions import BadAvro

FILES = Path(__file__).parent / "files"
DIGESTS = b"\x00\x01\xfe\xff", b"abcd"
MESSAGES: dict[str, tuple[str, list[Any]]] = {
    "id": ("long", [1, -2]),
    "subject": ("text", ["déjà vu", None]),
    "received_at": ("instant", [datetime(2016, 4, 28, 5, 0, 0, 7, UTC), datetime(1969, 12, 31, 23, 59, 59, 0, UTC)]),
    "amount": ("decimal", [Decimal("-12.34"), Decimal("0.00")]),
    "verdict": ("text", ["bad", "good"]),
    "digest": ("bytes", list(DIGESTS)),
    "tags": ("json", [["a", "b"], []]),
    "headers": ("json", [{"k": 5}, {}]),
}
WITHOUT_LOGICAL_TYPES = MESSAGES | {
    "received_at": ("long", [1_461_819_600_000_007, -1_000_000]),
    "amount": ("bytes", [b"\xfb\x2e", b"\0"]),
}
FRAME: dict[str, tuple[str, list[Any]]] = {
    "id": ("long", [1, -2]),
    "subject": ("text", ["déjà vu", None]),
    "received_at": ("local_time", [datetime(2016, 4, 28, 5, 0, 0, 7), None]),
    "day": ("date", [date(2016, 4, 28), None]),
    "score": ("double", [0.5, None]),
    "tags": ("json", [["a", "b"], []]),
}
TABLE: dict[str, tuple[str, list[Any]]] = {
    "id": ("long", [1, -2]),
    "subject": ("text", ["déjà vu", None]),
    "received_at": ("instant", [datetime(2016, 4, 28, 5, 0, 0, 7, UTC), None]),
    "local": ("local_time", [datetime(2016, 4, 28, 5, 0, 0, 7), None]),
    "day": ("date", [date(2016, 4, 28), None]),
    "amount": ("decimal", [Decimal("-12.34"), None]),
    "score": ("double", [0.5, None]),
    "digest": ("bytes", [b"\x00\x01\xfe\xff", None]),
    "seen": ("boolean", [True, None]),
    "tags": ("json", [["a", None, "b"], []]),
    "headers": ("json", [{"n": None, "k": 5}, {}]),
    "sender": ("json", [{"domain": "agari.com", "ip": None}, None]),
}
CASES = [
    *[(f"spark_{codec}", TABLE) for codec in ("null", "deflate", "snappy", "zstandard", "bzip2", "xz")],
    *[(f"java_{codec}", MESSAGES) for codec in ("null", "deflate", "snappy", "zstandard", "bzip2", "xz")],
    ("java_string_type", MESSAGES),
    *[(f"python_avro_{codec}", MESSAGES) for codec in ("null", "deflate", "snappy", "zstandard", "bzip2")],
    *[(f"c_{codec}", WITHOUT_LOGICAL_TYPES) for codec in ("null", "deflate", "snappy")],
    *[(f"polars_{codec}", FRAME) for codec in ("null", "deflate", "snappy")],
]
ARROW = pytest.mark.skipif(find_spec("datafusion") is None, reason="the extra [arrow] is not installed")


@pytest.mark.parametrize("decoder", ["fastavro", pytest.param("arrow", marks=ARROW)])
@pytest.mark.parametrize(("name", "expected"), CASES, ids=[name for name, _ in CASES])
def test_files_of_other_writers_load(name: str, expected: dict[str, tuple[str, list[Any]]], decoder: Any):
    file = ContainerFile(BytesIO((FILES / f"{name}.avro").read_bytes()))
    writer = parse_writer_schema(file.schema, name)
    columns = columns_of(writer)
    batches = list(DecoderChoice(decoder).batches(file, writer, None, columns, None))
    values = [list(chain.from_iterable(parts)) for parts in zip(*[batch.columns for batch in batches], strict=True)]
    found = {column.name: (column.kind, one) for column, one in zip(columns, values, strict=True)}
    assert repr(found) == repr(expected)


def test_the_codec_that_only_the_c_library_has_is_refused_by_its_name():
    with pytest.raises(BadAvro, match="its codec is one of null, deflate, snappy, zstandard, bzip2, xz, not 'lzma'"):
        ContainerFile(BytesIO((FILES / "c_lzma.avro").read_bytes()))
