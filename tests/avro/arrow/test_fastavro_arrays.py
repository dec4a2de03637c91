from __future__ import annotations

import io
from decimal import Decimal

import pytest

from airflow_agari_provider.avro.arrow.fastavro_arrays import FastavroArrays
from airflow_agari_provider.avro.blocks import ContainerFile, zigzag
from airflow_agari_provider.avro.columns import columns_of
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.avro.schemas import parse_reader_schema, parse_writer_schema
from tests.avro.arrow.decoding import PLAIN, batches, rows
from tests.avro.container_files import SYNC, written
from tests.avro.sample_schemas import SCHEMA, record_of

pytest.importorskip("datafusion", reason="the extra [arrow] is not installed")

NOT_A_NUMBER = {"type": "map", "values": ["null", "double", "string"]}


def test_a_number_that_is_none_is_told_from_null_and_from_text_of_that_name():
    """JSON libraries write NaN as null."""
    values = [{"a": None}, {"a": "null"}, {"a": 1e16, "null": 0.5}, None]
    data = written(record_of(["null", NOT_A_NUMBER]), [{"v": value} for value in values])
    (batch,) = batches("fastavro", data)
    assert batch.arrays[0].to_pylist() == ['{"a":null}', '{"a":"null"}', '{"a":1e+16,"null":0.5}', None]
    data = written(record_of(NOT_A_NUMBER), [{"v": {"a": None}}, {"v": {"a": float("nan")}}])
    (batch,) = batches("fastavro", data)
    assert type(batch) is Batch


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(b"", Decimal("0.00"), id="no bytes"),
        pytest.param(b"\xff" * 20 + b"\x85", Decimal("-1.23"), id="more bytes than it needs"),
        pytest.param(b"\x85", Decimal("-1.23"), id="below zero"),
        pytest.param(None, None, id="null"),
    ],
)
def test_decimals_are_made_of_their_bytes(raw, expected):
    kind = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}
    payload = b"\0" if raw is None else b"\x02" + zigzag(len(raw)) + raw
    data = written(record_of(["null", kind]), []) + zigzag(1) + zigzag(len(payload)) + payload + SYNC
    assert [rows(decoder, data) for decoder in ("arrow", "fastavro", PLAIN)] == [[(expected,)]] * 3


def test_records_are_resolved_to_a_reader_schema_before_they_become_arrays():
    wanted = [
        {"name": "number", "type": "long", "aliases": ["id"]},
        {"name": "verdict", "type": "string", "default": "none"},
    ]
    reader = parse_reader_schema({"type": "record", "name": "message", "fields": wanted})
    file = ContainerFile(io.BytesIO(written(SCHEMA, [{"id": 1, "text": "a"}, {"id": 2, "text": None}])))
    decoder = FastavroArrays(parse_writer_schema(file.schema, "k"), reader, columns_of(reader))
    (batch,) = decoder.batches(file)
    assert [array.to_pylist() for array in batch.arrays] == [[1, 2], ["none", "none"]]
