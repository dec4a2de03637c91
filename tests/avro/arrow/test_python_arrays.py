from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from airflow_agari_provider.avro.arrow.python_arrays import array_of
from airflow_agari_provider.avro.columns import Column, Kind

pa = pytest.importorskip("pyarrow", reason="the extra [arrow] is not installed")


def column(kind: Kind) -> Column:
    return Column("c", "c", kind, precision=6, scale=2)


@pytest.mark.parametrize(
    ("kind", "value", "arrow_type", "stored"),
    [
        ("integer", 7, "int32", 7),
        ("long", 2**40, "int64", 2**40),
        ("decimal", Decimal("-12.34"), "decimal128(6, 2)", Decimal("-12.34")),
        ("uuid", UUID(int=5), "fixed_size_binary[16]", bytes(15) + b"\x05"),
        ("bytes", b"\xff", "binary", b"\xff"),
        ("json", '{"a":1}', "string", '{"a":1}'),
        ("null", None, "string", None),
    ],
    ids=lambda kind: kind if isinstance(kind, str) else "",
)
def test_each_kind_has_its_arrow_type(kind: Kind, value: Any, arrow_type: str, stored: Any):
    array = array_of(column(kind), [value, None])
    assert str(array.type) == arrow_type
    assert array.to_pylist() == [stored, None]


@pytest.mark.parametrize(
    ("kind", "value", "arrow_type"),
    [
        ("instant", datetime(2016, 4, 28, 5, 0, 0, 7, UTC), "timestamp[us, tz=UTC]"),
        ("local_time", datetime(2016, 4, 28, 5, 0, 0, 7), "timestamp[us]"),
    ],
)
def test_moments_are_microseconds(kind: Kind, value: datetime, arrow_type: str):
    array = array_of(column(kind), [value, None])
    assert str(array.type) == arrow_type
    assert array.view("int64").to_pylist() == [1_461_819_600_000_007, None]


@pytest.mark.parametrize(
    ("kind", "value"),
    [("integer", 2**31), ("long", 2**63), ("decimal", Decimal("12345.67")), ("json", "\ud800")],
    ids=["integer", "long", "decimal", "half of a character"],
)
def test_a_value_beyond_its_type_is_refused(kind: Kind, value: Any):
    with pytest.raises((ValueError, OverflowError)):
        array_of(column(kind), [value])
