from __future__ import annotations

import pickle
from typing import Any
from uuid import UUID

import pytest

from airflow_agari_provider.avro.arrow.values import Unfit
from airflow_agari_provider.avro.blocks import zigzag
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.exceptions import BadAvro
from tests.avro.arrow.decoding import PLAIN, batches, every_decoder, rows
from tests.avro.container_files import SYNC, written
from tests.avro.sample_schemas import record_of

pytest.importorskip("datafusion", reason="the extra [arrow] is not installed")


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


def test_the_problem_survives_the_way_between_processes():
    error = pickle.loads(pickle.dumps(Unfit("a text has a zero byte")))
    assert (error.problem, str(error)) == ("a text has a zero byte",) * 2
